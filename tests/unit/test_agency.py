"""FunctionGraph's context, which can't be relied on: the time, the id, the project and the keys that it gives."""

import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from handler import functiongraph
from handler.clock import uptime
from handler.engine.functiongraph.context import SHORTEST, Agency, InvocationContext, project_of
from handler.errors import InvalidSettings
from tests.contexts import (
    REQUEST_ID,
    BareContext,
    BrokenContext,
    MockContext,
    OddContext,
    RuntimeContext,
    YuanRongContext,
)
from tests.fakecloud import DEMO, OTHER
from tests.unit.there import There, keys_of, there, timer

__all__ = ["there"]

NONSENSE: list[object] = [None, "", "x", 7, -1, 0, True, float("nan"), float("inf"), 10**400, [], {}, b"x"]

ODD = [BareContext(), BrokenContext(), *map(OddContext, NONSENSE)]
odd = pytest.mark.parametrize("context", ODD, ids=range(len(ODD)))


class Told(RuntimeContext):
    """A context that says a number of milliseconds are left."""

    def __init__(self, milliseconds: float) -> None:
        super().__init__()
        self._milliseconds = milliseconds

    def getRemainingTimeInMilliSeconds(self) -> float:  # noqa: N802 (FunctionGraph's name)
        return self._milliseconds


def seconds_of(context: object, timeout: str | None = "30", passed: float = 0.0) -> float:
    """The seconds that an invocation has left, so long after its start."""
    clock = [100.0]
    environment = {} if timeout is None else {"RUNTIME_TIMEOUT": timeout}
    call = InvocationContext(context, environment, lambda: clock[0])
    clock[0] += passed
    return call.get_remaining_time_in_millis() / 1000


# The time


@pytest.mark.parametrize("kind", [MockContext, YuanRongContext])
@pytest.mark.parametrize("timeout", ["30", "3", "900"])
def test_the_runtimes_that_are_known_to_be_wrong_are_not_believed(
    kind: type[RuntimeContext], timeout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_TIMEOUT", timeout)
    assert seconds_of(kind(float(timeout)), timeout) == float(timeout)


@pytest.mark.parametrize("milliseconds", [29_000, 14_999, 300, 30_000, 28_765.5])
def test_a_plausible_number_of_the_context_counts(milliseconds: float) -> None:
    assert seconds_of(Told(milliseconds)) == pytest.approx(milliseconds / 1000, abs=0.002)


@pytest.mark.parametrize("milliseconds", [30_001, 60_000, 299, 30, 0, -5, 10**12])
def test_an_implausible_number_of_the_context_does_not_count(milliseconds: float) -> None:
    assert seconds_of(Told(milliseconds)) == 30


@odd
def test_without_a_number_the_time_out_counts(context: object) -> None:
    assert seconds_of(context) == 30
    assert seconds_of(context, passed=12.5) == 17.5
    assert seconds_of(context, passed=31) == 0


@pytest.mark.parametrize("timeout", [None, "", "x", "-1", "0", "nan", "inf", "259201"])
def test_without_a_time_out_the_context_counts_and_else_the_shortest_time_out(timeout: str | None) -> None:
    assert seconds_of(Told(45_000), timeout) == 45
    assert seconds_of(BrokenContext(), timeout) == SHORTEST


@pytest.mark.parametrize("kind", [MockContext, YuanRongContext])
def test_a_wrong_number_costs_no_image(there: There, kind: type[RuntimeContext]) -> None:
    image = there.cloud.add_image()
    context = kind(30, keys=keys_of(there.cloud), project=DEMO)
    run = there(timer({"image_ids": [image]}), seconds=30, context=context)
    assert (run.error, set(there.cloud.dead)) == (None, {image})


def test_time_is_counted_from_the_start_of_the_invocation() -> None:
    begun = uptime()
    assert InvocationContext(BareContext(), {"RUNTIME_TIMEOUT": "30"}).get_remaining_time_in_millis() <= 30_000
    assert uptime() >= begun


# Its id and its project


def test_the_id_is_the_runtimes_or_else_a_new_one() -> None:
    assert InvocationContext(RuntimeContext(), {}).aws_request_id == REQUEST_ID
    made = {
        InvocationContext(context, {}).aws_request_id for context in (BareContext(), BrokenContext(), OddContext(7))
    }
    assert len(made) == 3
    assert all(map(len, made))


@pytest.mark.parametrize(("variable", "said"), [(DEMO, DEMO), (DEMO, ""), ("", DEMO)])
def test_the_project_is_what_the_runtime_says(variable: str, said: str) -> None:
    assert project_of(RuntimeContext(project=said), {"RUNTIME_PROJECT_ID": variable}) == DEMO


@pytest.mark.parametrize("context", [BareContext(), BrokenContext(), OddContext(7)])
def test_nonsense_is_no_project(context: object) -> None:
    assert project_of(context, {}) == ""


def test_a_runtime_that_names_two_projects_deletes_nothing(there: There) -> None:
    image = there.cloud.add_image()
    run = there(timer({"image_ids": [image]}), RUNTIME_PROJECT_ID=OTHER)
    assert isinstance(run.error, InvalidSettings)
    assert "RUNTIME_PROJECT_ID" in str(run.error)
    assert not there.cloud.dead


# The keys


def test_without_an_agency_nothing_is_deleted_and_the_cure_is_named(there: There) -> None:
    image = there.cloud.add_image()
    run = there(timer({"image_ids": [image]}), context=RuntimeContext(project=DEMO))
    assert "agency" in str(run.error)
    assert (there.cloud.dead, there.cloud.calls) == ({}, [])


@odd
def test_a_context_that_gives_nonsense_gives_no_keys(context: object) -> None:
    agency = Agency()
    agency.enter(context)
    assert all(isinstance(part, str) for part in agency.read_keys())
    assert set(agency.read_keys()) <= {"", "x"}


def test_keys_that_are_replaced_while_they_are_asked_for_are_not_mixed() -> None:
    pairs = iter([("a1", "s1", "t1"), ("a2", "s2", "t2")])

    class Replaced(RuntimeContext):
        def getSecuritySecretKey(self) -> str:  # noqa: N802 (FunctionGraph's name)
            self.keys = next(pairs, self.keys)
            return self.keys[1]

    agency = Agency()
    agency.enter(Replaced(keys=("a0", "s0", "t0")))
    assert agency.read_keys() == ("a2", "s2", "t2")


def test_the_keys_of_one_invocation_are_never_used_in_the_next(there: There) -> None:
    first, second = keys_of(there.cloud, 1), keys_of(there.cloud, 2)
    for keys in (first, second):
        run = there(timer({"image_ids": [there.cloud.add_image()]}), context=RuntimeContext(keys=keys, project=DEMO))
        assert run.error is None
        used = {call.headers["authorization"].split("Access=")[1].split(",")[0] for call in there.cloud.calls}
        assert used == {keys[0]}
        there.cloud.calls.clear()
    assert len(there.cloud.dead) == 2


def test_keys_that_are_replaced_during_an_invocation_are_used_from_then_on(there: There) -> None:
    images = [there.cloud.add_image() for _ in range(3)]
    context = RuntimeContext(keys=keys_of(there.cloud, 1), project=DEMO)
    there.cloud.fault("DELETE", images[0], status=None, then=lambda: setattr(context, "keys", keys_of(there.cloud, 2)))
    run = there(timer({"image_ids": images}), context=context, REAPER_CONCURRENCY="1")
    assert (run.error, run.answer["counts"]) == (None, {"deleted": 3})


# What is told


@pytest.fixture
def heard() -> Iterator[logging.Handler]:
    """Every logger there is, at the level DEBUG."""
    handler = logging.StreamHandler(sys.stderr)
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


SECRET = "s3cret-passw0rd-of-somebody"
EVENTS: list[Any] = [{"image_ids": []}, None, {"trigger_type": "KAFKA", "records": [{"messages": ["x"]}]}, timer("x")]


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize(
    "data", ['{"OS_PASSWORD": "%s"}', '{"REAPER_X": "%s"}', "%s", '["%s"]', '{"REAPER_MODE": ["%s"]}']
)
def test_the_variables_in_clear_are_in_no_log_at_any_level(
    there: There, data: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ""
    there.context.data = {"OS_PASSWORD": SECRET}
    for event in (*EVENTS, {"image_ids": [there.cloud.add_image()]}):
        run = there(event, RUNTIME_USERDATA=data % SECRET, LOG_LEVEL="DEBUG")
        told += f"{run.printed}{run.error!r}{run.answer}" + "".join(capsys.readouterr())
    assert "Error" in told or "Unknown" in told or "Invalid" in told
    assert SECRET not in told
    assert not any(key in told for key in there.context.keys)


# The initializer


def test_the_initializer_needs_no_keys_and_sends_no_request(
    there: There, clean_environment: pytest.MonkeyPatch
) -> None:
    for name, value in there.environment().items():
        clean_environment.setenv(name, value)
    functiongraph.initializer(RuntimeContext(project=DEMO))
    assert there.cloud.calls == []


@pytest.mark.parametrize("name", ["REAPER_MODE", "REAPER_MOOD", "REAPER_STATE_TABLE", "REAPER_SETTINGS"])
def test_the_initializer_refuses_settings_that_are_wrong(
    there: There, clean_environment: pytest.MonkeyPatch, name: str
) -> None:
    for variable, value in (there.environment() | {name: "7"}).items():
        clean_environment.setenv(variable, value)
    with pytest.raises(InvalidSettings, match=name):
        functiongraph.initializer(there.context)
    assert there.cloud.calls == []


def test_the_initializer_refuses_settings_that_the_log_can_not_use(
    there: There, clean_environment: pytest.MonkeyPatch
) -> None:
    # A logger is made once for each service.
    odd = {"POWERTOOLS_LOGGER_SAMPLE_RATE": "often", "POWERTOOLS_SERVICE_NAME": "a service of its own"}
    for variable, value in (there.environment() | odd).items():
        clean_environment.setenv(variable, value)
    with pytest.raises(InvalidSettings, match="POWERTOOLS_"):
        functiongraph.initializer(there.context)
