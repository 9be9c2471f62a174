import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.contract.asking import send, sign_in
from tests.openstack import Lab

ROOT = Path(__file__).parents[2]
SECONDS = 60


@contextmanager
def lab_process(*options: str) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    command = [sys.executable, "-m", "tests.openstack", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:  # noqa: S603 (ours)
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        yield process, told
    shutil.rmtree(Path(told["store"]).parent, ignore_errors=True)  # who is killed cleans nothing up


def masters(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def folder_of_postgres(pids: list[int]) -> Path | None:
    """Where the one of them that runs PostgreSQL keeps all that it has."""
    commands = [Path(f"/proc/{pid}/cmdline").read_text().split("\0") for pid in pids]
    return next((Path(command[2]) for command in commands if command[1].endswith("postgres.py")), None)


def await_ends(pids: list[int]) -> None:
    with selectors.DefaultSelector() as waiting:
        for pid in pids:
            waiting.register(os.pidfd_open(pid), selectors.EVENT_READ)
        while waiting.get_map():
            ended = waiting.select(SECONDS)
            assert ended, "a process goes on"
            for key, _ in ended:
                waiting.unregister(key.fileobj)
                os.close(key.fd)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_lab_that_is_interrupted_leaves_no_process(how: signal.Signals) -> None:
    with lab_process("--on-postgres") as (process, told):
        services = masters(process.pid)
        database = folder_of_postgres(services)
        everybody = services + [worker for service in services for worker in masters(service)]
        process.send_signal(how)
        await_ends(everybody)
    assert len(everybody) == 10
    assert database is not None
    assert not database.exists()
    for url in told["urls"].values():
        with pytest.raises(requests.ConnectionError):
            requests.get(url, timeout=SECONDS)


def test_two_labs_do_not_meet(lab: Lab) -> None:
    with Lab() as second:
        token = sign_in(second.env()).headers["X-Subject-Token"]
        image = {"name": "only-here", "disk_format": "raw", "container_format": "bare"}
        assert send("POST", f"{second.image.url}/v2/images", token, payload=image).status == 201
        other = sign_in(lab.env()).headers["X-Subject-Token"]
        assert send("GET", f"{lab.image.url}/v2/images", other).body["images"] == []
        assert send("GET", f"{lab.image.url}/v2/images", token).status == 401
        assert second.home != lab.home


@pytest.mark.parametrize("crash", [True, False])
def test_a_service_that_is_down_refuses_connections_and_comes_back_on_its_port(lab: Lab, *, crash: bool) -> None:
    url = lab.image.url
    lab.image.stop(crash=crash)
    with pytest.raises(requests.ConnectionError, match="refused"):
        requests.get(url, timeout=SECONDS)
    lab.image.start()
    assert send("GET", f"{url}/versions", None).status == 200


def test_the_store_holds_the_bytes_of_each_image(lab: Lab) -> None:
    token = sign_in(lab.env()).headers["X-Subject-Token"]
    images = f"{lab.image.url}/v2/images"
    made = send("POST", images, token, payload={"name": "ci", "disk_format": "raw", "container_format": "bare"})
    path = lab.store / made.body["id"]
    assert send("PUT", f"{images}/{path.name}/file", token, data=b"bytes").status == 204
    assert path.read_bytes() == b"bytes"
    assert send("DELETE", f"{images}/{path.name}", token).status == 204
    assert not path.exists()
