"""No Python voice reaches a person: not that of pydantic, of json, of urllib3, nor the name of a class."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from handler.config.settings import Settings
from handler.connections.causes import cause_of
from handler.errors import InvalidRequest, InvalidSettings, UnknownEvent
from handler.sources.parsing import read_json, valid
from handler.sources.problems.fields import _models_in
from handler.sources.schema import ApprovalOrder, Deletion, SweepOrder, read_request
from handler.sources.shapes import EVERYWHERE, read_event
from tests.conftest import Invoke
from tests.fakecloud import FakeCloud, Server
from tests.faults import closed_port, silent_port
from tests.unit.test_config import PASSWORD, without

ID = "6cad483b-e281-4985-a345-7afef1f3c501"
VOICES = re.compile(
    r"Input should|instance of|[Vv]alid |List should|\^|unable to parse|Field required|String should|Extra inputs"
    r"|HTTPConnectionPool|Max retries|NewConnectionError|\[Errno|object at 0x|Unrecognized|Exception|Traceback"
    r"|\b([A-Z][a-z]+)*(Error|Type|Order|Kept|Selection|Sweep|Approved|Warning)\b|\b(str|int|dict|bool)\b"
)
"""What betrays a library of Python."""
KINDS: tuple[object, ...] = (
    None,
    True,
    7,
    -1,
    1.5,
    1e999,
    10**400,
    "x",
    "",
    "\ud800",
    "x" * 300,
    [],
    [7],
    {},
    {"x": 7},
)
EXAMPLES: dict[str, Any] = {
    "image_ids": [ID],
    "sweep": {"select": {"name": "ci-*"}},
    "approve": {"plan": f"runs/2027-01-31/p/r/plan-{'0' * 64}.json", "sha256": "0" * 64},
}


def voice_in(text: str) -> str:
    found = VOICES.search(text)
    return found[0] if found else ""


def fields(model: type[BaseModel], where: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The place of each field of a model, and of those in it."""
    for name, field in model.model_fields.items():
        yield (*where, name)
        for inner in _models_in(field):
            yield from fields(inner, (*where, name, *((0,) if name == "images" else ())))
    yield (*where, "no_such_field")


PLACES = [(model, place) for model in (Deletion, SweepOrder, ApprovalOrder) for place in fields(model)]


def with_value(holder: Any, place: tuple[str | int, ...], value: object) -> Any:  # noqa: ANN401 (any JSON)
    """The JSON with a value at a place."""
    if not place:
        return value
    if isinstance(place[0], int):
        return [with_value({}, place[1:], value)]
    return {**holder, place[0]: with_value(holder.get(place[0], {}), place[1:], value)}


def problem(model: type[BaseModel], payload: dict[str, Any]) -> str:
    try:
        valid(model, payload)
    except InvalidRequest as error:
        return str(error)
    return ""


def outcome_of(run: Any) -> tuple[str, str]:  # noqa: ANN401 (an Invocation)
    (told,) = run.answer["outcomes"]
    return told["reason"], told["detail"]


# Requests


@pytest.mark.parametrize(("model", "place"), PLACES, ids=lambda part: getattr(part, "__name__", str(part)))
def test_no_wrong_value_of_any_field_is_told_in_the_words_of_a_library(
    model: type[BaseModel], place: tuple[str | int, ...]
) -> None:
    start = {
        "Deletion": {},
        "SweepOrder": {"sweep": EXAMPLES["sweep"]},
        "ApprovalOrder": {"approve": EXAMPLES["approve"]},
    }
    turned_down = [told for value in KINDS if (told := problem(model, with_value(start[model.__name__], place, value)))]
    assert turned_down
    assert [(told, voice) for told in turned_down if (voice := voice_in(told))] == []
    assert all(len(told) < 600 and told.isprintable() for told in turned_down)


def sweep(**fields: object) -> dict[str, Any]:
    return {"sweep": {"select": {"name": "ci-*"}} | fields}


WORDS: list[tuple[dict[str, Any], str]] = [
    ({"image_ids": ["ci-1"]}, "image_ids[0]: must be a UUID with hyphens, not 'ci-1'"),
    ({"image_ids": ["hunter2!"]}, "image_ids[0]: must be a UUID with hyphens"),
    ({"image_ids": ID}, f'image_ids: must be a list, such as ["{ID}"], not a string'),
    ({"image_ids": []}, "image_ids: must not be empty"),
    ({"images": []}, "images: must not be empty"),
    ({"image_ids": [ID] * 1001}, "image_ids: must have at most 1000 entries, not 1001"),
    ({"images": [7]}, f'images[0]: must be an object, such as {{"id": "{ID}"}}, not 7'),
    ({"image_ids": [ID], "dry_run": "yes"}, "dry_run: must be true or false, not 'yes'"),
    ({"image_ids": [ID], "dry_run": "true"}, "dry_run: must be true or false, without quotation marks"),
    ({"image_ids": [ID], "reason": "x" * 257}, "reason: must have at most 256 characters"),
    ({"image_ids": [ID], "dryrun": True}, "dryrun: unknown field; did you mean dry_run?"),
    ({"image_ids": [ID], "image_id": ID}, "image_id: unknown field; did you mean image_ids?"),
    ({"image_ids": [ID], "force": True}, "force: unknown field"),
    ({"images": [{"id": ID, "expect": {"nam": "x"}}]}, "images[0].expect.nam: unknown field; did you mean name?"),
    (sweep() | {"older_than": "30d"}, "older_than: unknown field; it belongs in sweep.select"),
    (sweep(older_than="30d"), "sweep.older_than: unknown field; it belongs in sweep.select"),
    (sweep(keep=3), 'sweep.keep: must be an object, such as {"newest": 3}, not 3'),
    (sweep(keep={"newest": "3"}), "sweep.keep.newest: must be a whole number, 1 or more, without quotation marks"),
    (
        sweep(keep={"newest": 1, "group_by": "nam"}),
        "sweep.keep.group_by: must be name, property:KEY or tag-prefix:PREFIX, not 'nam'",
    ),
    (sweep(limit_percent=101), "sweep.limit_percent: must be a number from 0 to 100, not 101"),
    (sweep(select={"properties": {"": "x"}}), "sweep.select.properties: each name in it must not be empty"),
    ({"sweep": {}}, "sweep.select: is missing"),
]


@pytest.mark.parametrize(("request_", "words"), WORDS, ids=range(len(WORDS)))
def test_a_wrong_field_is_told_with_its_cure(request_: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read_request(request_)
    assert str(raised.value) == words


# Texts

A_VALUE = 'a value must stand here, such as "text", 3, true, null, a list or an object'
BACKSLASH = "a backslash must be doubled, unless it begins an escape such as \\n"
BROKEN = [
    ("", "not JSON: it is empty"),
    ('{"a": 1,}', "not JSON at line 1, column 8: no comma may stand before a closing bracket"),
    ('{"a": [\n 1,\n]}', "not JSON at line 2, column 3: no comma may stand before a closing bracket"),
    ('{"a": 1', "not JSON at line 1, column 8: it ends too early"),
    ("{'a': 1}", 'not JSON at line 1, column 2: strings and names must stand in double quotation marks (")'),
    ("{a: 1}", 'not JSON at line 1, column 2: a name in double quotation marks (") must stand here'),
    ('{"a" 1}', "not JSON at line 1, column 6: a colon must follow the name"),
    ('{"a": [1\n 2]}', "not JSON at line 2, column 2: a comma or a closing bracket must stand here"),
    ('{"a": True}', f"not JSON at line 1, column 7: {A_VALUE}"),
    ('{"a": "x}', "not JSON at line 1, column 7: the string that begins here has no closing quotation mark"),
    ('{"a": "\n"}', "not JSON at line 1, column 8: a line break or a tab in a string must be written as \\n or \\t"),
    ('{"a": "C:\\d"}', f"not JSON at line 1, column 10: {BACKSLASH}"),
    ("{} {}", "not JSON at line 1, column 4: nothing may follow the end of the value"),
    ("\ufeff{}", "not JSON at line 1, column 1: it begins with a byte order mark: save it as UTF-8 without one"),
    ('{"a": 1' + "0" * 5000 + "}", "not JSON: a number has too many digits"),
    ("[" * 100_000, "not JSON: nested too deeply"),
    ('{"a": 1, "a": 2}', "a key is given twice in one object: a"),
]


@pytest.mark.parametrize(("text", "words"), BROKEN, ids=range(len(BROKEN)))
def test_a_text_that_is_not_json_is_told_with_its_place_and_what_is_wrong_there(text: str, words: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read_json(text, "body")
    assert str(raised.value) == f"body: {words}"


def test_a_message_whose_body_is_an_object_is_told_to_put_it_in_a_string() -> None:
    record = {"messageId": "1", "eventSource": "aws:sqs", "body": {"image_ids": [ID]}}
    (message,) = read_event({"Records": [record]}).messages
    assert message.request.problem == "body: must be JSON in a string"  # type: ignore[union-attr]  # turned down


A_PLAN = "it looks like a plan file: image-reaper --apply FILE; elsewhere, each of its plans is a request"
A_REPORT = "it looks like a report: image-reaper --apply FILE takes its plan, which is the request to send elsewhere"
LOOKS = [
    ({}, "it is empty"),
    ({"image_id": ID}, "image_id: did you mean image_ids?"),
    ({"plans": [{}]}, A_PLAN),
    ({"ok": True, "outcomes": [], "plan": {}}, A_REPORT),
    ({"ok": True, "outcomes": []}, "it looks like a report, which asks for nothing"),
    ({"select": {}}, 'select belongs in a sweep: {"sweep": {"select": {"name": "ci-*"}}}'),
]


@pytest.mark.parametrize(("event", "words"), LOOKS, ids=range(len(LOOKS)))
def test_an_event_of_no_shape_is_told_what_it_looks_like(event: dict[str, Any], words: str) -> None:
    with pytest.raises(UnknownEvent) as raised:
        read_event(event, table=EVERYWHERE)
    assert str(raised.value).endswith(f", images, sweep or approve: {words}")


@pytest.mark.parametrize("event", [7, 1.5, True, None, "x", [{}]], ids=str)
def test_what_is_no_object_is_called_as_json_calls_it(event: object) -> None:
    with pytest.raises(UnknownEvent) as raised:
        read_event(event)
    assert voice_in(str(raised.value)) == ""


# Settings


def refusal(**variables: str) -> str:
    with pytest.raises(InvalidSettings) as raised:
        Settings.from_env(PASSWORD | variables)
    return str(raised.value)


@pytest.mark.parametrize("name", sorted(Settings.names() - {"OS_PASSWORD"}))
@pytest.mark.parametrize("value", ["x y", "7", "-1", "{}", "true", "http://"])
def test_no_setting_is_turned_down_in_the_words_of_a_library(name: str, value: str) -> None:
    told = ""
    try:
        Settings.from_env(PASSWORD | {name: value})
    except InvalidSettings as error:
        told = str(error)
    assert voice_in(told) == ""


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"REAPER_MAX_IMAGES": "ten"}, "REAPER_MAX_IMAGES: must be a whole number from 0 to 10000"),
        ({"REAPER_MAX_IMAGES": "10001"}, "REAPER_MAX_IMAGES: must be a whole number from 0 to 10000"),
        ({"REAPER_MODE": "armed"}, "REAPER_MODE: must be dry-run, delete or paused"),
        ({"REAPER_PLAN_LIFE": "0h"}, "REAPER_PLAN_LIFE: must be at least 1h"),
        ({"REAPER_IN_USE_ALSO": "a,b"}, "REAPER_IN_USE_ALSO: must be snapshots, volumes, scaling or images"),
        ({"REAPER_MOD": "delete"}, "REAPER_MOD: unknown setting; did you mean REAPER_MODE?"),
        ({"REAPER_X": "delete"}, "REAPER_X: unknown setting"),
        (
            {"REAPER_SETTINGS": '{"REAPER_MOD": "x"}'},
            "REAPER_SETTINGS.REAPER_MOD: unknown setting; did you mean REAPER_MODE?",
        ),
    ],
)
def test_a_wrong_setting_is_told_with_its_cure(variables: dict[str, str], words: str) -> None:
    assert refusal(**variables).startswith(words)


@pytest.mark.parametrize(("missing", "misspelt"), [("OS_PASSWORD", "OS_PASWORD"), ("OS_AUTH_URL", "OS_AUTH_URI")])
def test_a_variable_that_is_missing_is_told_under_which_name_it_may_be_set(missing: str, misspelt: str) -> None:
    with pytest.raises(InvalidSettings) as raised:
        Settings.from_env(without(PASSWORD, missing) | {misspelt: "x", "OS_LOG_LEVEL": "x"})
    assert str(raised.value).endswith(f"; {misspelt} is set: did you mean {missing}?")


def test_a_name_that_is_only_like_one_that_is_set_is_no_cure(cloud: FakeCloud, server: Server) -> None:
    given = cloud.env(server.url)
    assert Settings.from_env(given | {"OS_PASWORD": "x"}).credentials == Settings.from_env(given).credentials


# The cloud


def test_a_keystone_that_refuses_the_connection_is_told_in_a_line(invoke: Invoke, cloud: FakeCloud) -> None:
    with closed_port() as port:
        run = invoke({"image_ids": [cloud.add_image()]}, OS_AUTH_URL=f"http://127.0.0.1:{port}/v3")
    words = f"cannot reach Keystone at http://127.0.0.1:{port}/v3: connection refused"
    assert outcome_of(run) == ("unavailable", words)


def test_a_service_that_refuses_the_connection_is_told_in_a_line(invoke: Invoke, cloud: FakeCloud) -> None:
    with closed_port() as port:
        run = invoke({"image_ids": [cloud.add_image()]}, REAPER_IMAGE_ENDPOINT=f"http://127.0.0.1:{port}/image")
    assert outcome_of(run) == ("unavailable", f"cannot reach http://127.0.0.1:{port}: connection refused")


def test_a_name_that_can_not_be_resolved_is_told_in_a_line(invoke: Invoke, cloud: FakeCloud) -> None:
    run = invoke({"image_ids": [cloud.add_image()]}, OS_AUTH_URL="https://no-such-host.invalid/v3")
    words = "cannot reach Keystone at https://no-such-host.invalid/v3: its name can't be resolved"
    assert outcome_of(run) == ("unavailable", words)


def test_a_connection_that_is_cut_is_told_in_a_line(invoke: Invoke, cloud: FakeCloud, server: Server) -> None:
    cloud.fault("GET", "/image/v2/images/", cut=True, times=None)
    run = invoke({"image_ids": [cloud.add_image()]})
    assert outcome_of(run) == ("unavailable", f"no answer from {server.url}: the connection was cut")


@pytest.mark.slow("the time-out is real")
def test_a_keystone_that_stays_silent_is_told_with_the_seconds(invoke_with: Invoke, cloud: FakeCloud) -> None:
    with silent_port() as port:
        given = cloud.env(f"http://127.0.0.1:{port}")
        run = invoke_with({"image_ids": [cloud.add_image()]}, given, 3.0)
    reason, detail = outcome_of(run)
    assert (reason, voice_in(detail)) == ("unavailable", "")
    assert re.search(r"no answer from Keystone at \S+: nothing came within [0-9.]+ seconds$", detail)


def test_a_proxy_that_can_not_be_reached_is_told_as_the_proxy(invoke: Invoke, cloud: FakeCloud) -> None:
    with closed_port() as port:
        given = {"OS_AUTH_URL": "https://cloud.example.com/v3", "HTTPS_PROXY": f"http://127.0.0.1:{port}"}
        run = invoke({"image_ids": [cloud.add_image()]}, **given)
    words = "cannot reach Keystone at https://cloud.example.com/v3: through the proxy: connection refused"
    assert outcome_of(run) == ("unavailable", words)


def test_an_address_where_no_keystone_is_is_not_told_as_wrong_credentials(
    invoke: Invoke, cloud: FakeCloud, server: Server
) -> None:
    run = invoke({"image_ids": [cloud.add_image()]}, OS_AUTH_URL=f"{server.url}/nowhere/v3")
    begin = f"OS_AUTH_URL is no address of Keystone, or not all of one: {server.url}/nowhere/v3 answered HTTP 404 "
    assert outcome_of(run)[1].startswith(begin)
    assert "check" not in outcome_of(run)[1]


def test_an_application_credential_that_is_gone_is_no_wrong_address(invoke: Invoke, cloud: FakeCloud) -> None:
    given = {"OS_APPLICATION_CREDENTIAL_ID": "0" * 32}
    run = invoke({"image_ids": [cloud.add_image()]}, auth="v3applicationcredential", **given)
    assert "OS_AUTH_URL" not in outcome_of(run)[1]
    assert outcome_of(run)[1].endswith("; check OS_APPLICATION_CREDENTIAL_ID and OS_APPLICATION_CREDENTIAL_SECRET")


@pytest.mark.parametrize(
    ("auth", "variable", "names"),
    [
        ("password", "OS_PASSWORD", "OS_PASSWORD, OS_USERNAME and OS_PROJECT_NAME"),
        ("v3token", "OS_TOKEN", "OS_TOKEN and OS_PROJECT_ID"),
    ],
)
def test_credentials_that_are_refused_are_told_by_their_variables_and_not_by_their_values(
    auth: str, variable: str, names: str, invoke: Invoke, cloud: FakeCloud
) -> None:
    run = invoke({"image_ids": [cloud.add_image()]}, auth=auth, **{variable: "hunter2-guessed"})
    assert outcome_of(run)[1].endswith(f"; check {names}")
    assert "hunter2" not in json.dumps(run.answer)


def test_a_region_that_has_no_images_is_told_with_those_that_have(invoke: Invoke, cloud: FakeCloud) -> None:
    run = invoke({"image_ids": [cloud.add_image()]}, OS_REGION_NAME="eu-de")
    words = "the catalogue offers image only in region RegionOne (OS_REGION_NAME=eu-de), interface public"
    assert outcome_of(run)[1] == words


@pytest.mark.parametrize("number", [101, 113, 99])
def test_what_the_system_says_of_a_connection_is_told_in_its_words(number: int) -> None:
    words = cause_of(OSError(number, "Cannot Assign")).words
    assert words == {101: "no route to it", 113: "no route to it", 99: "cannot assign"}[number]
