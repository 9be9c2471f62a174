"""Calls of the function in the open runtime: how they fail, how they end, and whose keys and settings they use."""

import json
from pathlib import Path

import pytest

from tests.fakecloud import DEMO, OTHER, FakeCloud
from tests.functiongraph.conftest import Begin, Launch, header
from tests.functiongraph.runtime import FAILURE, NOT_INITIALISED, SUCCESS, TOO_LARGE, Function
from tests.functiongraph.test_events import DELETED, timer

SIX_MEGABYTES = 6 * 1024 * 1024


def keys_of(cloud: FakeCloud) -> set[str]:
    """The access keys of all requests that the cloud got."""
    signed = [call.headers.get("Authorization", "") for call in cloud.calls]
    return {value.partition("Access=")[2].partition(",")[0] for value in signed}


def test_an_exception_is_what_the_runtime_says_of_the_call(begin: Begin, agency: dict[str, str]) -> None:
    done = begin().call({"image_ids": ["not an id"]}, agency)
    assert done.code == FAILURE
    assert "image_ids" in done.body


def test_an_event_whose_image_failed_fails(begin: Begin, cloud: FakeCloud, agency: dict[str, str]) -> None:
    image_id = cloud.add_image()
    cloud.fault("DELETE", status=500, times=None)
    done = begin(timeout=6).call(timer(json.dumps({"image_ids": [image_id]})), agency)
    assert done.code == FAILURE
    assert image_id in cloud.images


def test_after_a_failure_the_environment_goes_on(begin: Begin, cloud: FakeCloud, agency: dict[str, str]) -> None:
    runtime = begin()
    assert runtime.call({"nonsense": 1}, agency).code == FAILURE
    assert runtime.call({"image_ids": [cloud.add_image()]}, agency).body["counts"] == DELETED


def test_a_cloud_that_hangs_is_left_before_the_runtime_would_end_the_call(
    begin: Begin, cloud: FakeCloud, agency: dict[str, str]
) -> None:
    runtime, image_id = begin(timeout=5), cloud.add_image()
    cloud.fault(status=None, times=None, delay=60.0)
    done = runtime.call({"image_ids": [image_id]}, agency)
    assert done.seconds < 5
    assert done.body["counts"] == {"failed": 1}
    assert done.body["outcomes"][0]["reason"] in {"deadline", "unavailable"}


def test_what_a_slow_cloud_leaves_no_time_for_is_not_tried(
    begin: Begin, cloud: FakeCloud, agency: dict[str, str]
) -> None:
    runtime, image_ids = begin(timeout=7, REAPER_CONCURRENCY="1"), [cloud.add_image() for _ in range(10)]
    cloud.fault("GET", r"/images/[^/]+$", status=None, times=None, delay=0.7)
    done = runtime.call({"image_ids": image_ids}, agency)
    assert done.seconds < 7
    failed = {outcome["image_id"]: outcome["reason"] for outcome in done.body["outcomes"] if outcome["reason"]}
    assert failed.keys() == set(cloud.images)
    assert "deadline" in failed.values()
    assert len(failed) < len(image_ids)


def test_the_time_that_the_runtime_says_is_left_is_not_believed(
    begin: Begin, cloud: FakeCloud, agency: dict[str, str]
) -> None:
    runtime = begin(timeout=30)  # of which it says that 30 milliseconds are left
    cloud.delay = 0.2
    assert runtime.call({"image_ids": [cloud.add_image()]}, agency).body["counts"] == DELETED


def test_the_runtime_fails_a_function_whose_response_is_over_6_megabytes(launch: Launch, tmp_path: Path) -> None:
    large = "def initializer(context): ...\ndef handler(event, context): return 'x' * (6 << 20)\n"
    (tmp_path / "index.py").write_text(large)
    runtime = launch(Function(tmp_path)).find()
    runtime.load()
    runtime.initialise()
    done = runtime.call({})
    assert done.code == TOO_LARGE
    assert str(SIX_MEGABYTES) in done.body


def test_our_response_is_never_that_large(begin: Begin, cloud: FakeCloud, agency: dict[str, str]) -> None:
    image_ids = [cloud.add_image("n" * 8_000, protected=True) for _ in range(1_000)]
    done = begin(timeout=120).call({"image_ids": image_ids}, agency)
    assert done.code == SUCCESS
    assert done.body["counts"] == {"refused": 1_000}
    assert done.body["outcomes_in_log"] == 1_000 - len(done.body["outcomes"])
    assert 4_000_000 < len(json.dumps(done.body)) < SIX_MEGABYTES


def test_encrypted_settings_are_used_and_shown_nowhere(begin: Begin, cloud: FakeCloud) -> None:
    keys = cloud.signing_env()
    secret = keys.pop("HUAWEICLOUD_SDK_SK")
    runtime = begin(encrypted={"HUAWEICLOUD_SDK_SK": secret}, LOG_LEVEL="DEBUG", **keys)
    assert runtime.call({"image_ids": [cloud.add_image()]}).body["counts"] == DELETED
    failed = runtime.call({"nonsense": secret})
    assert failed.code == FAILURE
    assert secret not in runtime.printed + json.dumps(failed.value)
    assert "RUNTIME_USERDATA" not in runtime.printed


def test_a_wrong_encrypted_setting_is_named_and_not_shown(prepare: Begin, cloud: FakeCloud) -> None:
    secret = "two words"
    keys = {name: value for name, value in cloud.signing_env().items() if name != "HUAWEICLOUD_SDK_SK"}
    runtime = prepare(encrypted={"HUAWEICLOUD_SDK_SK": secret}, **keys)
    begun, called = runtime.initialise().value, runtime.call({"image_ids": [cloud.add_image()]})
    assert (begun["errorCode"], called.code) == (NOT_INITIALISED, FAILURE)
    assert "HUAWEICLOUD_SDK_SK" in begun["message"]
    assert "HUAWEICLOUD_SDK_SK" in called.body
    assert secret not in runtime.printed + json.dumps([begun, called.value])


def test_many_settings_come_in_one_variable_and_one_of_its_own_wins(
    begin: Begin, cloud: FakeCloud, agency: dict[str, str]
) -> None:
    kept, image_id = cloud.add_image(tags=["hold"]), cloud.add_image()
    runtime = begin(REAPER_SETTINGS=json.dumps({"REAPER_KEEP_TAG": "hold", "REAPER_MODE": "dry-run"}))
    done = runtime.call({"image_ids": [kept, image_id]}, agency)
    assert done.body["counts"] == DELETED | {"refused": 1}
    assert set(cloud.images) == {kept}


def test_the_second_call_of_an_environment_signs_with_its_own_keys(begin: Begin, cloud: FakeCloud) -> None:
    runtime = begin()
    for number in (1, 2):
        cloud.calls.clear()
        keys = header(cloud, number)
        assert runtime.call({"image_ids": [cloud.add_image()]}, keys).body["counts"] == DELETED
        assert keys_of(cloud) == {keys["X-Security-Access-Key"]}


def test_each_request_carries_the_token_of_the_keys(begin: Begin, cloud: FakeCloud, agency: dict[str, str]) -> None:
    begin().call({"image_ids": [cloud.add_image()]}, agency)
    assert {call.headers["X-Security-Token"] for call in cloud.calls} == {agency["X-Security-Token"]}
    assert cloud.keys.refused == 0


def test_without_an_agency_nothing_is_asked_and_the_cure_is_named(begin: Begin, cloud: FakeCloud) -> None:
    done = begin().call(timer(json.dumps({"image_ids": [cloud.add_image()]})))
    assert done.code == FAILURE
    assert "agency" in done.body
    assert cloud.calls == []


def test_keys_and_tokens_of_an_agency_are_shown_nowhere(begin: Begin, cloud: FakeCloud, agency: dict[str, str]) -> None:
    runtime, image_id = begin(LOG_LEVEL="DEBUG", timeout=6), cloud.add_image()
    cloud.fault("DELETE", status=500, times=None)
    told = json.dumps(runtime.call({"image_ids": [image_id]}, agency).value) + runtime.printed
    assert "image.failed" in told
    assert not [value for value in agency.values() if value in told]


@pytest.mark.parametrize("project", [OTHER])
def test_a_request_for_another_project_is_turned_down(
    project: str, begin: Begin, cloud: FakeCloud, agency: dict[str, str]
) -> None:
    image_id = cloud.add_image()
    done = begin().call({"image_ids": [image_id], "project_id": project}, agency)
    assert done.code == FAILURE
    assert DEMO in done.body
    assert image_id in cloud.images


def test_a_setting_that_needs_aws_keeps_the_function_from_beginning(
    prepare: Begin, cloud: FakeCloud, agency: dict[str, str]
) -> None:
    runtime = prepare(REAPER_STATE_TABLE="state")
    begun, called = runtime.initialise().value, runtime.call({"image_ids": [cloud.add_image()]}, agency)
    assert (begun["errorCode"], called.code) == (NOT_INITIALISED, FAILURE)
    assert "REAPER_STATE_TABLE" in begun["message"]
    assert "REAPER_STATE_TABLE" in called.body
    assert cloud.calls == []
