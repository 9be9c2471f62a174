"""How fast the handler is, against what the cloud allows and against bare `requests`: ratios within one run."""

import io
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import requests

from handler import app
from handler.compose import warm
from tests.conftest import Context

IMAGES = 200
CONCURRENCY = 16
DELAY = 0.05
ROUNDS = 5
PAGE = 1000


@contextmanager
def running_cloud(tmp_path: Path, delay: float) -> Iterator[tuple[dict[str, str], list[str]]]:
    """A fake cloud in a process of its own: the environment for it, and the ids of its images."""
    seed = tmp_path / "seed.json"
    ids = [f"6cad483b-e281-4985-a345-{number:012x}" for number in range(IMAGES)]
    seed.write_text(json.dumps({"images": [{"name": f"ci-{n}", "id": image_id} for n, image_id in enumerate(ids)]}))
    command = [sys.executable, "-m", "tests.fakecloud", "--port", "0", "--seed", str(seed), "--delay", str(delay)]
    command += ["--page-size", str(PAGE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 (our own command)
        assert process.stdout
        environment = json.loads(process.stdout.readline())["env"]
        try:
            yield environment, ids
        finally:
            process.terminate()


def set_environment(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    warm.forget()
    settings = {"REAPER_MODE": "delete", "REAPER_MAX_IMAGES": str(IMAGES), "REAPER_CONCURRENCY": str(CONCURRENCY)}
    for name, value in {**environment, **settings}.items():
        monkeypatch.setenv(name, value)


def reap(ids: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds of one invocation that deletes all the images."""
    wall, cpu = time.perf_counter(), time.process_time()
    with redirect_stdout(io.StringIO()):
        report: dict[str, Any] = app.lambda_handler({"image_ids": ids}, Context(300))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert report["counts"] == {"deleted": IMAGES}
    return wall, cpu


def bare(environment: dict[str, str], ids: list[str]) -> float:
    """CPU seconds of a plain session that sends the same GETs and DELETEs, one after the other."""
    with requests.Session() as session:
        token, base = log_in(environment, session)
        session.headers.update({"X-Auth-Token": token, "Accept": "application/json"})
        cpu = time.process_time()
        for image_id in ids:
            session.get(f"{base}/v2/images/{image_id}", timeout=10).json()
            assert session.delete(f"{base}/v2/images/{image_id}", timeout=10).status_code == requests.codes.no_content
        return time.process_time() - cpu


def log_in(environment: dict[str, str], session: requests.Session) -> tuple[str, str]:
    user = {
        "name": environment["OS_USERNAME"],
        "password": environment["OS_PASSWORD"],
        "domain": {"name": environment["OS_USER_DOMAIN_NAME"]},
    }
    project = {"name": environment["OS_PROJECT_NAME"], "domain": {"name": environment["OS_PROJECT_DOMAIN_NAME"]}}
    identity = {"methods": ["password"], "password": {"user": user}}
    body = {"auth": {"identity": identity, "scope": {"project": project}}}
    answer = session.post(f"{environment['OS_AUTH_URL']}/auth/tokens", json=body, timeout=10)
    catalogue = answer.json()["token"]["catalog"]
    image = next(service for service in catalogue if service["type"] == "image")
    return answer.headers["X-Subject-Token"], image["endpoints"][0]["url"]


def test_200_images_take_little_longer_than_the_cloud_takes_to_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ideal = 2 * IMAGES / CONCURRENCY * DELAY
    shares = []
    for _ in range(ROUNDS):
        with running_cloud(tmp_path, DELAY) as (environment, ids):
            set_environment(environment, monkeypatch)
            shares.append(ideal / reap(ids)[0])
    print(f"\nshare of the ideal {ideal:.2f} s: " + " ".join(f"{share:.1%}" for share in shares))
    assert statistics.median(shares) >= 0.85


def test_an_image_costs_at_most_twice_the_cpu_of_a_bare_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ratios = []
    for _ in range(ROUNDS):
        with running_cloud(tmp_path, 0) as (environment, ids):
            plain = bare(environment, ids)
        with running_cloud(tmp_path, 0) as (environment, ids):
            set_environment(environment, monkeypatch)
            ratios.append(reap(ids)[1] / plain)
    print("\nCPU against a bare session: " + " ".join(f"{ratio:.2f}" for ratio in ratios))
    assert statistics.median(ratios) <= 2.0
