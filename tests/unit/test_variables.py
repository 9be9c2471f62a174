"""Settings on FunctionGraph: where they come from, which wins, and which need an engine that is not there."""

import json
from typing import Any

import pytest

from handler.config.settings import Settings
from handler.config.several import SECRETS, SETTINGS
from handler.config.signing import Runtime
from handler.engine.functiongraph.variables import variables
from handler.errors import InvalidSettings
from handler.rules.safety import Policy
from tests.contexts import BareContext, BrokenContext, RuntimeContext
from tests.fakecloud import DEMO
from tests.unit.there import There, there, timer

__all__ = ["there"]

KEYSTONE = {
    "REAPER_AUTH": "keystone",
    "OS_AUTH_URL": "https://keystone.example/v3",
    "OS_USERNAME": "reaper",
    "OS_USER_DOMAIN_NAME": "Default",
    "OS_PASSWORD": "s3cret-passw0rd",
    "OS_PROJECT_ID": DEMO,
}
THERE = Runtime(engine="functiongraph", project_id=DEMO)
TOPIC = f"urn:smn:eu-de:{DEMO}:failures"


def settings(several: object = None, /, runtime: Runtime = THERE, **given: str) -> Settings:
    held = {} if several is None else {SETTINGS: several if isinstance(several, str) else json.dumps(several)}
    return Settings.from_env(KEYSTONE | held | given, runtime=runtime)


# Several in one


def test_one_variable_may_hold_all_settings_that_are_no_secret() -> None:
    held = {name: value for name, value in KEYSTONE.items() if name != "OS_PASSWORD"}
    many = {"REAPER_MODE": "delete", "REAPER_MAX_IMAGES": "7", "REAPER_KEEP_TAG": "stay", "REAPER_FAILED_TO": TOPIC}
    found = Settings.from_env({SETTINGS: json.dumps(held | many), "OS_PASSWORD": "p"}, runtime=THERE)
    assert (found.mode, found.max_images, found.failed_to) == ("delete", 7, TOPIC)
    assert found.policy == Policy(keep_tag="stay")


@pytest.mark.parametrize("engine", ["aws", "functiongraph"])
def test_a_variable_of_its_own_wins(engine: Any) -> None:  # noqa: ANN401 (one of two names)
    held = {"REAPER_MODE": "delete", "REAPER_MAX_IMAGES": "7"}
    found = settings(held, Runtime(engine=engine), REAPER_MODE="paused")
    assert (found.mode, found.max_images) == ("paused", 7)


def test_a_variable_of_its_own_wins_in_another_spelling_as_well() -> None:
    assert settings({"OS_TENANT_ID": "b" * 32}).credentials.project_id == DEMO


def test_an_empty_value_counts_as_not_set() -> None:
    assert settings({"REAPER_MAX_IMAGES": ""}).max_images == 100


def test_a_standing_request_may_be_an_object() -> None:
    request = {"sweep": {"select": {"name": "ci-*"}}}
    assert json.loads(settings({"REAPER_SCHEDULED_REQUEST": request}).scheduled_request) == request
    with pytest.raises(InvalidSettings, match="REAPER_SCHEDULED_REQUEST: "):
        settings({"REAPER_SCHEDULED_REQUEST": {"sweep": {}}})


WRONG: dict[str, object] = {
    "REAPER_MOOD": "delete",
    "REAPER_MAX_IMAGES": 7,
    "REAPER_ALLOW_SHARED": True,
    "REAPER_KEEP_TAG": None,
    "REAPER_MIN_AGE": ["1d"],
    "REAPER_ALLOW_NAMES": {"a": "b"},
    "LOG_LEVEL": "DEBUG",
    "AWS_REGION": "eu-central-1",
    "PATH": "/",
    SETTINGS: "{}",
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_in_it_is_named(name: str) -> None:
    with pytest.raises(InvalidSettings, match=f"{SETTINGS}.{name}: (unknown setting|must be a string)"):
        settings({name: WRONG[name]})


def test_all_that_is_wrong_in_it_is_named_at_once() -> None:
    with pytest.raises(InvalidSettings) as error:
        settings(WRONG)
    assert all(f"{SETTINGS}.{name}: " in str(error.value) for name in WRONG)


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_a_secret_in_it_is_refused_and_not_shown(name: str) -> None:
    with pytest.raises(InvalidSettings, match="is a secret") as error:
        settings({name: "hunter2hunter2"})
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("text", ["{", "[]", '"x"', "null", "7", '{"REAPER_MODE": "delete", "REAPER_MODE": "dry-run"}'])
def test_what_is_no_object_or_says_a_thing_twice_is_refused(text: str) -> None:
    with pytest.raises(InvalidSettings, match=f"^{SETTINGS}: (not JSON|must be a JSON object|a key is given twice)"):
        settings(text)


# From the context and the environment


def test_more_than_twenty_settings_arrive(there: There) -> None:
    image = there.cloud.add_image("ci-1")
    names = sorted(name for name in Settings.names() if name.startswith("REAPER_"))
    defaults = {field.alias: field.default for field in Settings.model_fields.values() if field.alias}
    held = {name: str(defaults[name]) for name in names if isinstance(defaults.get(name), str | int)}
    held |= {"REAPER_ALLOW_SHARED": "true", "REAPER_MODE": "delete", "REAPER_AUTH": "agency", "REAPER_IMAGE_API": "ims"}
    assert len(held) > 20
    run = there(timer({"image_ids": [image]}), REAPER_SETTINGS=json.dumps(held), REAPER_MODE="")
    assert (run.error, set(there.cloud.dead)) == (None, {image})


@pytest.mark.parametrize("where", ["environment", "context", "user data"])
def test_a_setting_counts_wherever_it_stands(there: There, where: str) -> None:
    image = there.cloud.add_image("golden")
    rule = {"REAPER_ALLOW_NAMES": "ci-*"}
    there.context.data = rule if where == "context" else {}
    given = rule if where == "environment" else {}
    clear = {"RUNTIME_USERDATA": json.dumps(rule)} if where == "user data" else {}
    run = there(timer({"image_ids": [image]}), **clear, **given)  # type: ignore[arg-type]  # all of them texts
    assert run.outcomes == {image: ("refused", "not_allowed")}


@pytest.mark.parametrize("clear", [{}, {"RUNTIME_USERDATA": "x"}, {"RUNTIME_USERDATA": '{"REAPER_MODE": "delete"}'}])
def test_settings_that_stand_together_in_an_encrypted_variable_count(there: There, clear: dict[str, str]) -> None:
    image = there.cloud.add_image("golden")
    there.context.data = {SETTINGS: '{"REAPER_ALLOW_NAMES": "ci-*"}'}
    run = there(timer({"image_ids": [image]}), **clear)  # type: ignore[arg-type]  # all of them texts
    assert run.outcomes == {image: ("refused", "not_allowed")}


def test_a_context_that_has_an_empty_text_for_what_it_does_not_know_hides_nothing() -> None:
    given = {"REAPER_KEEP_TAG": "stay", "RUNTIME_USERDATA": '{"REAPER_MODE": "paused"}'}
    context = RuntimeContext(data={"REAPER_KEEP_TAG": "", "REAPER_MODE": ""})
    assert variables(context, given, given) == {"REAPER_KEEP_TAG": "stay", "REAPER_MODE": "paused"}


def test_what_the_context_says_wins() -> None:
    given = {"REAPER_MODE": "delete", "RUNTIME_USERDATA": '{"REAPER_MODE": "dry-run"}'}
    assert variables(RuntimeContext(data={"REAPER_MODE": "paused"}), given, [])["REAPER_MODE"] == "paused"
    assert variables(BareContext(), given, ["REAPER_MODE"])["REAPER_MODE"] == "dry-run"
    assert "RUNTIME_USERDATA" not in variables(BareContext(), given, [])


@pytest.mark.parametrize("text", ["", "x", "[]", "null", "7", '"x"', "{", "[" * 100_000], ids=range(8))
def test_user_data_that_is_no_object_says_nothing(text: str) -> None:
    given = {"REAPER_MODE": "delete", "RUNTIME_USERDATA": text}
    assert variables(RuntimeContext(), given, ["REAPER_MODE"]) == {"REAPER_MODE": "delete"}


def test_what_somebody_else_keeps_in_the_user_data_may_be_anything() -> None:
    assert variables(RuntimeContext(), {"RUNTIME_USERDATA": '{"THEIRS": 7}'}, ["REAPER_MODE"]) == {}


@pytest.mark.parametrize("where", ["context", "user data"])
def test_a_name_that_is_mistyped_is_refused_also_where_it_is_encrypted(there: There, where: str) -> None:
    data = {"REAPER_REQUIRE_TAGS": "x"}
    there.context.data = data if where == "context" else {}
    names = data if where == "user data" else dict.fromkeys(data, "***")
    run = there(timer("x"), RUNTIME_USERDATA=json.dumps(names))
    assert "REAPER_REQUIRE_TAGS: unknown setting" in str(run.error)


def test_a_context_that_fails_to_tell_its_variables_begins_nothing() -> None:
    with pytest.raises(InvalidSettings, match="REAPER_MODE: getUserData failed with RuntimeError"):
        variables(BrokenContext(), {}, ["REAPER_MODE"])


@pytest.mark.parametrize("value", [7, True, ["x"], {"a": 1}, b"x"], ids=repr)
def test_a_variable_that_is_no_text_is_refused_by_its_name(value: Any) -> None:  # noqa: ANN401 (nonsense)
    with pytest.raises(InvalidSettings, match="REAPER_KEEP_TAG: must be a string"):
        variables(RuntimeContext(data={"REAPER_KEEP_TAG": value}), {}, ["REAPER_KEEP_TAG"])


# What an engine lacks


NEEDS_AWS = {
    "REAPER_STATE_TABLE": "image-reaper",
    "REAPER_BUDGET": "200/1d",
    "REAPER_FANOUT_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/workers",
    "REAPER_CREDENTIALS_SECRET": "image-reaper/otc",
    "REAPER_COMPLETE_LIFECYCLE_ACTION": "on",
}


@pytest.mark.parametrize("name", NEEDS_AWS)
def test_a_setting_that_needs_aws_is_refused_by_name(there: There, name: str) -> None:
    image = there.cloud.add_image()
    run = there(timer({"image_ids": [image]}), **{name: NEEDS_AWS[name]})  # type: ignore[arg-type]  # a variable
    assert isinstance(run.error, InvalidSettings)
    assert f"{name}: needs AWS" in str(run.error)
    assert there.cloud.calls == []


def test_all_settings_that_need_aws_are_named_at_once_wherever_they_stand() -> None:
    first, *rest = NEEDS_AWS.items()
    with pytest.raises(InvalidSettings) as error:
        settings(dict(rest), THERE, **dict([first]))
    assert all(f"{name}: needs AWS" in str(error.value) for name in NEEDS_AWS)


def test_what_is_switched_off_needs_nothing() -> None:
    assert settings(REAPER_COMPLETE_LIFECYCLE_ACTION="off").complete_lifecycle_action == "off"


@pytest.mark.parametrize(
    "place",
    [
        "https://sqs.eu-central-1.amazonaws.com/123456789012/failures",
        "urn:smn:eu-de:project",
        "urn:fss:eu-de:p:function:default:f:latest",
        "urn:smn:eu-de:p:a/b",
        "failures",
    ],
)
def test_what_has_failed_goes_to_a_topic_on_functiongraph(place: str) -> None:
    with pytest.raises(InvalidSettings, match="REAPER_FAILED_TO: must be the URN of an SMN topic"):
        settings(REAPER_FAILED_TO=place)


def test_a_topic_in_another_region_is_refused() -> None:
    assert settings(REAPER_FAILED_TO=TOPIC, OS_REGION_NAME="eu-de").failed_to == TOPIC
    with pytest.raises(InvalidSettings, match="is a topic in eu-de, and OS_REGION_NAME is eu-nl"):
        settings(REAPER_FAILED_TO=TOPIC, OS_REGION_NAME="eu-nl")


def test_a_topic_of_smn_is_refused_on_aws_with_the_cure() -> None:
    with pytest.raises(InvalidSettings, match="name an SQS queue by its address"):
        settings(runtime=Runtime(), REAPER_FAILED_TO=TOPIC)
