"""The built artifact under AWS's Runtime Interface Emulator and AWS's runtime client for Python."""

import json
import math
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, get_args

import pytest

from tests.conftest import EVENTS, UNKNOWN_ID, Auth, Invocation, Invoke, load_event, queue
from tests.e2e.conftest import Start, demo_cloud
from tests.e2e.runtime import CLIENT, INTERPRETER, PACKAGE, Answer, Runtime, await_end
from tests.fakecloud import FakeCloud, Server

NAMES = sorted(path.stem for path in EVENTS.glob("*.json"))
DELETED = {"deleted": 1}


def logins(cloud: FakeCloud) -> int:
    return sum(call.path.endswith("/auth/tokens") for call in cloud.calls_of("POST"))


def event(name: str, environment: dict[str, str]) -> dict[str, Any]:
    """The event, CloudFormation's answer going to the cloud's sink."""
    loaded = load_event(name)
    if "ResponseURL" in loaded:
        loaded["ResponseURL"] = environment["OS_AUTH_URL"].replace("/identity/v3", "/sink/answer")
    return loaded


def gist_of(answer: Answer) -> tuple[object, ...]:
    value = answer.value
    return gist(value) if "errorType" not in value else (value["errorType"], value["errorMessage"])


def in_process_gist(run: Invocation) -> tuple[object, ...]:
    return (type(run.error).__name__, str(run.error)) if run.error else gist(run.answer)


def gist(value: dict[str, Any]) -> tuple[object, ...]:
    return tuple(sorted((key, json.dumps(item)) for key, item in value.items() if key != "request_id"))


def test_a_cold_environment_deletes_an_image_and_prints_nothing_but_json(start: Start, cloud: FakeCloud) -> None:
    image_id = cloud.add_image()
    runtime = start()
    assert runtime.invoke({"image_ids": [image_id]}).value["counts"] == DELETED
    assert image_id in cloud.dead
    ours = [line for line in runtime.printed.splitlines() if "(rapid)" not in line and "RequestId:" not in line]
    assert len([json.loads(line) for line in ours]) == 4


@pytest.mark.parametrize("auth", get_args(Auth))
def test_the_artifact_knows_every_way_to_log_in(auth: Auth, cloud: FakeCloud, server: Server, tmp_path: Path) -> None:
    image_id = cloud.add_image()
    with Runtime(cloud.env(server.url, auth) | {"REAPER_MODE": "delete"}, tmp_path / "log") as runtime:
        assert runtime.invoke({"image_ids": [image_id]}).value["counts"] == DELETED


def test_a_warm_environment_uses_its_token_and_its_process_again(start: Start, cloud: FakeCloud) -> None:
    runtime, pids = start(), set()
    for _ in range(3):
        assert runtime.invoke({"image_ids": [cloud.add_image()]}).value["counts"] == DELETED
        pids.add(runtime.pid)
    assert len(pids) == 1
    assert logins(cloud) == 1


def test_invocations_of_one_environment_share_no_image_and_no_count(start: Start, cloud: FakeCloud) -> None:
    runtime = start()
    image_ids = [cloud.add_image() for _ in range(2)]
    answers = [runtime.invoke({"image_ids": [image_id]}).value for image_id in image_ids]
    assert [[o["image_id"] for o in answer["outcomes"]] for answer in answers] == [[i] for i in image_ids]
    assert [answer["counts"] for answer in answers] == [DELETED] * 2
    assert len({answer["request_id"] for answer in answers}) == 2
    metrics = [json.loads(line) for line in runtime.printed.splitlines() if line.startswith('{"_aws"')]
    assert [metric["ImagesDeleted"] for metric in metrics] == [[1.0]] * 2


def test_a_failed_invocation_leaves_nothing_to_the_next(start: Start, cloud: FakeCloud) -> None:
    runtime, kept = start(), cloud.add_image(protected=True)
    assert runtime.invoke({"nonsense": 1}).value["errorType"] == "UnknownEvent"
    assert runtime.invoke({"image_ids": [kept]}).value["counts"] == {"refused": 1}
    assert runtime.invoke({"image_ids": [cloud.add_image()]}).value["counts"] == DELETED


@pytest.mark.parametrize("name", NAMES)
def test_every_event_gives_the_answer_that_it_gives_in_process(name: str, invoke_with: Invoke, tmp_path: Path) -> None:
    with demo_cloud() as environment:
        settings = {"REAPER_MODE": "delete", "AWS_LAMBDA_FUNCTION_NAME": "image-reaper"}
        wanted = invoke_with(event(name, environment), environment | settings)
    with demo_cloud() as environment, Runtime(environment | {"REAPER_MODE": "delete"}, tmp_path / "log") as runtime:
        found = gist_of(runtime.invoke(event(name, environment)))
    assert unplaced(found) == unplaced(in_process_gist(wanted))


def unplaced(gist: object) -> str:
    """The gist of an answer without the port of its cloud, and without the moment until which its plan is good."""
    return re.sub(r'("not_after": )"[^"]*"', r"\1", re.sub(r":[0-9]+/", ":80/", str(gist)))


def cold_start(start: Start, cloud: FakeCloud) -> float:
    """Seconds that a cold start, with a deletion, takes here and now."""
    begun = time.monotonic()
    assert start().invoke({"image_ids": [cloud.add_image()]}).value["counts"] == DELETED
    return time.monotonic() - begun


def test_after_a_time_out_the_next_invocation_works(start: Start, cloud: FakeCloud) -> None:
    # The emulator counts a cold start as well: the time-out follows from what one takes, however busy the machine is.
    runtime = start(timeout=3 + math.ceil(3 * cold_start(start, cloud)))
    assert runtime.invoke({"image_ids": [cloud.add_image()]}).value["counts"] == DELETED
    stuck = runtime.pid
    runtime.signal(signal.SIGSTOP)
    assert "timed out" in runtime.invoke({"image_ids": [cloud.add_image()]}).text
    assert await_end(stuck)
    assert runtime.invoke({"image_ids": [cloud.add_image()]}).value["counts"] == DELETED


def test_after_a_crash_in_the_middle_the_next_invocation_finishes_the_work(start: Start, cloud: FakeCloud) -> None:
    runtime = start(REAPER_CONCURRENCY="1")
    image_ids = [cloud.add_image() for _ in range(3)]
    cloud.fault("DELETE", status=None, skip=1, then=lambda: runtime.signal(signal.SIGKILL))
    answer = runtime.invoke({"image_ids": image_ids})
    assert "Runtime.ExitError" in answer.text
    assert set(image_ids[:2]) == set(cloud.dead)
    assert runtime.invoke({"image_ids": image_ids}).value["counts"] == {"already_gone": 2, "deleted": 1}


def test_a_deadline_in_the_middle_of_a_batch_returns_just_the_messages_not_done(start: Start, cloud: FakeCloud) -> None:
    image_ids = [cloud.add_image() for _ in range(10)]
    cloud.fault("GET", r"/images/[^/]+$", status=None, times=None, delay=0.7)
    runtime = start(timeout=5, REAPER_CONCURRENCY="1")
    answer = runtime.invoke(queue(*({"image_ids": [image_id]} for image_id in image_ids))).value
    returned = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
    assert returned == {f"m{number}" for number, image_id in enumerate(image_ids) if image_id in cloud.images}
    assert 0 < len(returned) < len(image_ids)


def test_the_runtime_answers_no_address_of_its_own_machine(start: Start, cloud: FakeCloud, server: Server) -> None:
    image_id = cloud.add_image()
    call = event("stack-delete", cloud.env(server.url))
    call["ResourceProperties"]["image_ids"] = [image_id]
    assert start(timeout=13).invoke(call).value["errorType"] == "UnknownEvent"
    assert (cloud.calls, set(cloud.images)) == ([], {image_id})


@pytest.mark.parametrize("name", ["café", "образ", "\N{OCTOPUS}", "\udc80", "half \ud83d"])
def test_a_name_of_any_characters_survives_the_runtime(name: str, start: Start, cloud: FakeCloud) -> None:
    image_id = cloud.add_image(name)
    answer = start(REAPER_MODE="dry-run").invoke({"image_ids": [image_id]}).value
    assert answer["counts"] == {"would_delete": 1}
    assert answer["outcomes"][0]["name"] == name.encode(errors="replace").decode()


@pytest.mark.parametrize("body", [{"image_ids": ["\ud83d"]}, {"image_ids": [UNKNOWN_ID], "\ud83d": 1}, {"\ud83d": 1}])
def test_a_request_of_any_characters_is_turned_down_without_a_crash(body: object, start: Start) -> None:
    assert start().invoke(body).value["errorType"] in {"InvalidRequest", "UnknownEvent"}


def test_the_function_runs_from_the_artifact_alone() -> None:
    program = (
        "import sys, handler.app; print(sys.base_prefix, "
        "*(m.__file__ for m in sys.modules.values() if getattr(m, '__file__', '')))"
    )
    base, *loaded = subprocess.run(  # noqa: S603 (our own words)
        [str(INTERPRETER), "-S", "-P", "-c", program],
        env={"PYTHONPATH": str(PACKAGE), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    foreign = [path for path in loaded if "site-packages" in path or not path.startswith((str(PACKAGE), base))]
    assert not foreign


def test_the_runtime_knows_the_hook_that_follows_the_restoring_of_a_snapshot() -> None:
    program = "import awslambdaric.bootstrap, handler.app, snapshot_restore_py as s; print(s.get_after_restore())"
    printed = subprocess.run(  # noqa: S603 (our own words)
        [str(INTERPRETER), "-S", "-P", "-c", program],
        env={"PYTHONPATH": f"{PACKAGE}:{CLIENT}", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "function forget" in printed


def test_no_process_outlives_an_interrupted_run(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from tests.e2e.runtime import Runtime\n"
        f"r = Runtime({{}}, Path({str(tmp_path / 'log')!r})).__enter__(); r.invoke({{}})\n"
        "print(r.emulator, r.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(  # noqa: S603 (our own words)
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout
        pids = [int(word) for word in run.stdout.readline().split()]
        run.kill()
    assert len(pids) == 2
    assert all(await_end(pid) for pid in pids)
