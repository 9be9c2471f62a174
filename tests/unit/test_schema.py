"""The request as JSON: what is taken, and that everything else is refused by the name of its field."""

import json
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.errors import InvalidRequest
from handler.model.request import MOST_IMAGES, DeletionRequest, Keep, Select, SweepRequest, Target
from handler.sources.parsing import read_json
from handler.sources.policies import Selection
from handler.sources.schema import REQUEST_FIELDS, SUBJECTS, read_deletion, read_request
from tests.growth import grows_as_its_input
from tests.properties import tried

ID = "6cad483b-e281-4985-a345-7afef1f3c501"
OTHER = "6cad483b-e281-4985-a345-7afef1f3c502"
EXPECT = {
    "name": "n",
    "owner": "o",
    "checksum": "c",
    "status": "active",
    "updated_at": "t",
    "size": 1,
    "tags": ["b", "a"],
    "protected": False,
    "visibility": "private",
}


def ids(count: int) -> list[str]:
    return [f"00000000-0000-4000-8000-{number:012x}" for number in range(count)]


def problem(payload: dict[str, Any]) -> str:
    with pytest.raises(InvalidRequest) as caught:
        read_request(payload)
    return str(caught.value)


def problem_of_text(text: object) -> str:
    with pytest.raises(InvalidRequest) as caught:
        read_request(read_json(text, "body"))
    return str(caught.value)


def deletion(payload: dict[str, Any]) -> DeletionRequest:
    """The request, which must be one of a deletion."""
    found = read_request(payload)
    assert isinstance(found, DeletionRequest)
    return found


def test_a_list_of_ids_is_a_request_with_every_default() -> None:
    assert deletion({"image_ids": [ID]}) == DeletionRequest((Target(ID),), "", False, False, "")  # noqa: FBT003


def test_every_field_of_a_request_is_read() -> None:
    fields = {"project_id": "p1", "delete_backup": True, "dry_run": True, "reason": "old", "not_after": "2027-01-31"}
    found = deletion({"image_ids": [ID, OTHER], **fields})
    day = datetime(2027, 1, 31, tzinfo=UTC)
    assert found == DeletionRequest((Target(ID), Target(OTHER)), "p1", True, True, "old", day)  # noqa: FBT003


def test_the_fields_are_those_of_the_contract() -> None:
    fields = {
        "image_ids",
        "images",
        "project_id",
        "delete_backup",
        "dry_run",
        "reason",
        "sweep",
        "approve",
        "not_after",
        "projects",
    }
    assert fields == REQUEST_FIELDS


def test_preconditions_are_read_each_that_is_given_and_no_other() -> None:
    found = deletion({"images": [{"id": ID, "expect": EXPECT}, {"id": OTHER}]})
    assert dict(found.targets[0].expect) == EXPECT | {"tags": frozenset({"a", "b"})}
    assert found.targets[1] == Target(OTHER)


@pytest.mark.parametrize("attribute", sorted(EXPECT))
def test_an_expectation_of_null_is_an_expectation(attribute: str) -> None:
    found = deletion({"images": [{"id": ID, "expect": {attribute: None}}]})
    assert found.targets == (Target(ID, ((attribute, None),)),)


def test_an_image_named_twice_is_one_image_in_the_order_of_its_first_naming() -> None:
    assert deletion({"image_ids": [OTHER, ID, OTHER]}).targets == (Target(OTHER), Target(ID))
    twice = [{"id": ID, "expect": {"name": "n"}}, {"id": ID, "expect": {"name": "n"}}]
    assert len(deletion({"images": twice}).targets) == 1


def test_an_image_named_twice_with_different_expectations_is_refused() -> None:
    twice = [{"id": ID, "expect": {"name": "n"}}, {"id": ID}]
    assert "named twice" in problem({"images": twice})


def test_a_thousand_images_are_taken_and_one_more_is_refused() -> None:
    assert MOST_IMAGES == 1000
    assert len(deletion({"image_ids": ids(1000)}).targets) == 1000
    assert "image_ids" in problem({"image_ids": ids(1001)})
    assert "images" in problem({"images": [{"id": image_id} for image_id in ids(1001)]})


def test_neither_or_both_lists_of_images_are_refused() -> None:
    for payload in ({}, {"dry_run": True}, {"image_ids": [ID], "images": [{"id": OTHER}]}):
        assert "exactly one of image_ids and images" in problem(payload)


BAD_IDS = {
    "empty": "",
    "slash": f"{ID}/members",
    "leading slash": f"/{ID}",
    "parent": f"../{ID}",
    "only dots": "..",
    "escaped dots": "%2e%2e",
    "escaped dot": ID[:-3] + "%2e",
    "newline": ID + "\n",
    "newline before": "\n" + ID,
    "carriage return": ID + "\r",
    "nul": ID + "\0",
    "space": ID + " ",
    "braces": "{" + ID + "}",
    "urn": "urn:uuid:" + ID,
    "no hyphens": ID.replace("-", ""),
    "too short": ID[:-1],
    "too long": ID + "0",
    "no hex": "g" + ID[1:],
    "wide digits": "\uff16" + ID[1:],
    "query": ID + "?a=b",
    "a word": "all",
    "star": "*",
    "two": f"{ID},{OTHER}",
    "lone surrogate": "\ud800" + ID[1:],
    "number": 7,
    "null": None,
    "true": True,
    "list": [ID],
    "object": {"id": ID},
}
bad_ids = pytest.mark.parametrize("bad", BAD_IDS.values(), ids=list(BAD_IDS))


@bad_ids
def test_an_id_that_is_no_uuid_is_refused_with_its_place(bad: object) -> None:
    assert problem({"image_ids": [ID, bad]}).startswith("image_ids[1]: ")
    assert problem({"images": [{"id": bad}, {"id": ID}]}).startswith("images[0].id: ")


@pytest.mark.parametrize("bad", ["all", ID.replace("-", ""), f"{{{ID}}}"])
def test_a_bad_id_is_told_what_a_good_one_is(bad: str) -> None:
    given = f", not '{bad}'" if "{" not in bad else ""
    assert problem({"image_ids": [bad]}) == f"image_ids[0]: must be a UUID with hyphens{given}"


BAD_FIELDS: dict[str, list[object]] = {
    "image_ids": [None, [], ID, {}, {ID: True}, "", 7, True],
    "images": [None, [], ID, [ID], {}, [{}], [{"expect": {}}], [{"id": ID, "expect": None}], [{"id": ID, "name": "n"}]],
    "project_id": [None, "", " ", "p 1", "p/1", "../p", "p" * 65, 7, ["p"], "p\n"],
    "delete_backup": [None, "true", "yes", 1, 0, [], "false"],
    "dry_run": [None, "yes", "true", "false", "", 0, 1, [], {}, "True"],
    "not_after": [None, "", "soon", "7d", 0, 1e9, True, "2027-02-30", "2027-01-31T25:00", ["2027-01-31"]],
    "reason": [None, "x" * 257, 7, ["x"], {}, "\ud800"],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in BAD_FIELDS.items() for value in values], ids=ascii
)
def test_a_field_of_a_wrong_type_or_value_is_refused_by_name(field: str, value: object) -> None:
    payload: dict[str, Any] = {"image_ids": [ID], field: value}
    if field == "images":
        del payload["image_ids"]
    assert field in problem(payload)


BAD_SIZES = [("size", "1"), ("size", 1.5), ("size", 1.0), ("size", True)]
BAD_EXPECTATIONS = [
    *BAD_SIZES,
    ("name", 7),
    ("names", "n"),
    ("status", ["active"]),
    ("updated_at", 0),
    ("protected", 0),
    ("protected", "false"),
    ("tags", "a"),
    ("visibility", ["private"]),
    ("visibility", True),
]


@pytest.mark.parametrize(("attribute", "value"), BAD_EXPECTATIONS)
def test_an_expectation_that_could_not_be_compared_is_refused_by_name(attribute: str, value: object) -> None:
    message = problem({"images": [{"id": ID, "expect": {attribute: value}}]})
    assert message.startswith(f"images[0].expect.{attribute}: ")


@pytest.mark.parametrize("tag", [1, None, True, ["a"]], ids=repr)
def test_an_expected_tag_that_is_no_text_is_refused_with_its_place(tag: object) -> None:
    message = problem({"images": [{"id": ID, "expect": {"tags": ["a", tag]}}]})
    assert message.startswith("images[0].expect.tags[1]: ")


@pytest.mark.parametrize("status", ["queued", "saving", "uploading", "importing"])
@pytest.mark.parametrize("more", [{}, {"older_than": "23h"}, {"created_before": "2020-01-01"}, {"name": "ci-*"}])
def test_an_upload_is_selected_only_once_it_is_a_day_old(status: str, more: dict[str, Any]) -> None:
    assert "needs older_than of at least 1d" in problem({"sweep": {"select": {"status": status, **more}}})


@pytest.mark.parametrize("status", ["error", "deleted", "pending_delete", "ACTIVE", "", "stored"])
def test_a_status_in_which_no_image_can_be_deleted_is_refused(status: str) -> None:
    wrong = problem({"sweep": {"select": {"status": status, "older_than": "30d"}}})
    assert wrong.startswith("sweep.select.status: ")


@pytest.mark.parametrize("field", ["dryrun", "dry-run", "DRY_RUN", "Dry_run", "dry_run ", "force", "image_id", "", "é"])
def test_an_unknown_field_is_refused_by_name(field: str) -> None:
    message = problem({"image_ids": [ID], field: True})
    assert message.startswith(f"{ascii(field)[1:-1]}: unknown field" if field else "unknown field")


def test_a_field_with_a_lone_surrogate_is_refused_in_words_that_can_be_printed() -> None:
    assert problem({"image_ids": [ID], "\ud800": 1}).encode()


def test_a_request_is_for_a_sweep_or_for_images_and_not_both() -> None:
    assert problem({"image_ids": [ID], "sweep": SWEEP}) == "image_ids: does not go with sweep: send two requests"
    assert problem({"images": [{"id": ID}], "sweep": None}).startswith("sweep: ")


SUBJECT_PAIRS = [pair for pair in combinations(sorted(SUBJECTS), 2) if pair != ("image_ids", "images")]


@pytest.mark.parametrize(("first", "second"), SUBJECT_PAIRS, ids=str)
def test_two_subjects_are_two_requests(first: str, second: str) -> None:
    said = problem({first: None, second: None})
    pairs = (f"{one}: does not go with {other}: send" for one, other in [(first, second), (second, first)])
    assert any(pair in said for pair in pairs)


def test_a_plan_with_a_sweep_in_it_is_two_requests() -> None:
    with pytest.raises(InvalidRequest, match="sweep: does not go with image_ids or images: send two requests"):
        read_deletion({"image_ids": [ID], "sweep": SWEEP})


SWEEP: dict[str, Any] = {"select": {"name": "ci-*"}}
EVERY_CONDITION = {
    "name": "ci-*",
    "tags": ["temporary", "ci"],
    "properties": {"os_type": "linux"},
    "status": "active",
    "older_than": "2w",
    "created_before": "2026-01-31T12:00:00+01:00",
    "size_over": 5,
}


def sweep_request(sweep: dict[str, Any], **order: object) -> SweepRequest:
    """The request, which must be one of a sweep."""
    found = read_request({"sweep": sweep, **order})
    assert isinstance(found, SweepRequest)
    return found


def test_a_sweep_has_the_defaults_of_the_contract() -> None:
    assert sweep_request(SWEEP) == SweepRequest(Select(name="ci-*"), None, 25, 50, timedelta(0), deactivate=False)


def test_every_condition_of_a_sweep_is_read() -> None:
    select = sweep_request({"select": EVERY_CONDITION}).select
    assert (select.name, select.tags, select.status) == ("ci-*", frozenset({"temporary", "ci"}), "active")
    assert (select.properties, select.size_over) == ((("os_type", "linux"),), 5)
    assert (select.older_than, select.created_before) == (timedelta(14), datetime(2026, 1, 31, 11, tzinfo=UTC))


@pytest.mark.parametrize("condition", EVERY_CONDITION)
def test_one_condition_is_enough_and_null_is_none(condition: str) -> None:
    sweep_request({"select": {condition: EVERY_CONDITION[condition]}})
    assert "sweep.select: at least one condition" in problem({"sweep": {"select": {condition: None}}})


def test_every_other_field_of_a_sweep_is_read() -> None:
    policy = {"limit": 0, "limit_percent": 12.5, "grace": "3d", "deactivate": True}
    found = sweep_request(
        SWEEP | policy | {"keep": {"newest": 3, "group_by": "property:os"}}, dry_run=True, reason="old"
    )
    assert (found.limit, found.limit_percent, found.grace, found.deactivate) == (0, 12.5, timedelta(3), True)
    assert (found.keep, found.dry_run, found.reason) == (Keep(3, "property:os"), True, "old")


def test_images_are_kept_by_name_unless_the_sweep_says_how() -> None:
    assert sweep_request(SWEEP | {"keep": {"newest": 1}}).keep == Keep(1, "name")


def test_a_time_without_a_zone_is_in_utc() -> None:
    select = sweep_request({"select": {"created_before": "2026-01-31"}}).select
    assert select.created_before == datetime(2026, 1, 31, tzinfo=UTC)


BAD_SWEEPS: dict[str, tuple[Any, str]] = {
    "no select": ({}, "sweep.select"),
    "an empty select": ({"select": {}}, "sweep.select: at least one condition"),
    "no object": ("ci-*", "sweep"),
    "an unknown condition": ({"select": {"nmae": "ci-*"}}, "sweep.select.nmae: unknown field"),
    "an unknown field": (SWEEP | {"keeep": {}}, "sweep.keeep: unknown field"),
    "an empty name": ({"select": {"name": ""}}, "sweep.select.name"),
    "10,000 stars": ({"select": {"name": "*" * 10_000}}, "sweep.select.name"),
    "no tags": ({"select": {"tags": []}}, "sweep.select.tags"),
    "an empty tag": ({"select": {"tags": [""]}}, "sweep.select.tags[0]"),
    "a tag instead of tags": ({"select": {"tags": "ci"}}, "sweep.select.tags"),
    "no properties": ({"select": {"properties": {}}}, "sweep.select.properties"),
    "a property of another type": ({"select": {"properties": {"a": 1}}}, "sweep.select.properties.a"),
    "an unknown status": ({"select": {"status": "ACTIVE"}}, "sweep.select.status"),
    "a time of another kind": (
        {"select": {"created_before": "yesterday"}},
        "sweep.select.created_before: must be a time",
    ),
    "a number for a time": ({"select": {"created_before": 1}}, "sweep.select.created_before: must be a time"),
    "a size of text": ({"select": {"size_over": "5"}}, "sweep.select.size_over"),
    "a size below nothing": ({"select": {"size_over": -1}}, "sweep.select.size_over"),
    "nothing to keep": (SWEEP | {"keep": {"newest": 0}}, "sweep.keep.newest"),
    "an unknown group": (SWEEP | {"keep": {"newest": 1, "group_by": "owner"}}, "sweep.keep.group_by"),
    "a property without key": (SWEEP | {"keep": {"newest": 1, "group_by": "property:"}}, "sweep.keep.group_by"),
    "a limit below nothing": (SWEEP | {"limit": -1}, "sweep.limit"),
    "a limit of text": (SWEEP | {"limit": "5"}, "sweep.limit"),
    "a true limit": (SWEEP | {"limit": True}, "sweep.limit"),
    "more than all": (SWEEP | {"limit_percent": 100.5}, "sweep.limit_percent"),
    "less than none": (SWEEP | {"limit_percent": -1}, "sweep.limit_percent"),
    "deactivation of a status": (
        {"select": {"status": "active"}, "grace": "1d", "deactivate": True},
        "sweep: deactivate: needs grace, and can't be combined with select.status",
    ),
    "deactivation without grace": (SWEEP | {"deactivate": True}, "sweep: deactivate: needs grace"),
}


@pytest.mark.parametrize(("sweep", "named"), BAD_SWEEPS.values(), ids=list(BAD_SWEEPS))
def test_a_wrong_sweep_is_refused_by_the_name_of_what_is_wrong(sweep: object, named: str) -> None:
    assert named in problem({"sweep": sweep})


@pytest.mark.parametrize(
    "age", ["30", "30 d", "-1d", "1e9d", "", "d", "1.5d", "30D", "999999d", " 3d", "3d\n", 30, None, True], ids=repr
)
def test_an_age_that_is_none_is_refused(age: object) -> None:
    assert "sweep.grace: must be a whole number of hours" in problem({"sweep": SWEEP | {"grace": age}})
    if age is not None:
        assert "sweep.select.older_than: must be" in problem({"sweep": {"select": {"older_than": age}}})


@pytest.mark.parametrize("age", ["0h", "0d", "000w"])
def test_no_age_at_all_selects_nothing(age: str) -> None:
    assert "sweep.select.older_than: must be more than zero" in problem({"sweep": {"select": {"older_than": age}}})


def test_every_field_that_is_wrong_is_named() -> None:
    message = problem({"image_ids": ["a", ID, "b"], "dry_run": "yes", "dryrun": True, "reason": 7})
    for place in ("image_ids[0]", "image_ids[2]", "dry_run", "dryrun: unknown field", "reason"):
        assert place in message


def test_ten_wrong_fields_are_named_and_the_others_counted() -> None:
    message = problem({"image_ids": ["x"] * 1000})
    assert message.count("must be a UUID") == 10
    assert message.endswith("; and 990 more")


def test_a_refusal_repeats_of_what_was_sent_no_more_than_a_short_word_in_place_of_an_id() -> None:
    long, odd = "secret" * 7, "secret!"
    assert "secret" not in problem({"image_ids": [long, odd], "reason": ["secret"], "project_id": "my secret"})
    assert "secret" not in problem({"sweep": {"select": {"tags": "secret", "status": odd}}, "reason": "secret" * 99})
    assert len(problem({"image_ids": [ID], "x" * 100_000: 1})) < 200


def test_a_reason_of_256_characters_is_taken_whatever_they_are() -> None:
    for reason in ("x" * 256, "😀" * 256, 'line\n"two"\0'):
        assert deletion({"image_ids": [ID], "reason": reason}).reason == reason


BAD_JSON = {
    "empty": "",
    "blank": " \n",
    "words": "please delete " + ID,
    "cut off": f'{{"image_ids": ["{ID}"]',
    "single quotes": f"{{'image_ids': ['{ID}']}}",
    "two values": f'{{"image_ids": ["{ID}"]}} {{}}',
    "xml": "<image_ids/>",
    "byte order mark": "\ufeff" + json.dumps({"image_ids": [ID]}),
    "brackets": "[" * 100_000,
    "closed brackets": "[" * 100_000 + "]" * 100_000,
    "nested objects": '{"image_ids":' * 100_000,
    "nested in a field": f'{{"image_ids": ["{ID}"], "reason": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "list": f'["{ID}"]',
    "text": f'"{ID}"',
    "number": "7",
    "null": "null",
    "true": "true",
    "NaN": f'{{"image_ids": ["{ID}"], "size": NaN}}',
    "infinity": f'{{"images": [{{"id": "{ID}", "expect": {{"size": Infinity}}}}]}}',
    "minus infinity": f'{{"images": [{{"id": "{ID}", "expect": {{"size": -Infinity}}}}]}}',
    "overflow": f'{{"images": [{{"id": "{ID}", "expect": {{"size": 1e999}}}}]}}',
    "many digits": f'{{"images": [{{"id": "{ID}", "expect": {{"size": {"9" * 5_000}}}}}]}}',
    "key twice": f'{{"image_ids": ["{ID}"], "image_ids": ["{OTHER}"]}}',
    "dry_run twice": f'{{"image_ids": ["{ID}"], "dry_run": true, "dry_run": false}}',
    "key twice within": f'{{"images": [{{"id": "{ID}", "expect": {{"name": "a", "name": "b"}}}}]}}',
    "lone surrogate": f'{{"image_ids": ["{ID}"], "reason": "\\ud800"}}',
    "surrogate as key": f'{{"image_ids": ["{ID}"], "\\udfff": 1}}',
    "6 MB of text": "x" * 6_000_000,
    "6 MB of reason": json.dumps({"image_ids": [ID], "reason": "x" * 6_000_000}),
    "6 MB of ids": json.dumps({"image_ids": [ID] * 150_000}),
    "no text": 7,
    "none": None,
    "bytes": json.dumps({"image_ids": [ID]}).encode(),
    "object": {"image_ids": [ID]},
}


@pytest.mark.parametrize("text", BAD_JSON.values(), ids=list(BAD_JSON))
def test_what_is_no_request_in_json_is_refused_in_a_short_sentence(text: object) -> None:
    message = problem_of_text(text)
    assert 0 < len(message) < 1_000
    assert message.encode()


def test_what_is_wrong_with_the_text_is_said_with_its_name() -> None:
    assert problem_of_text("{") == "body: not JSON at line 1, column 2: it ends too early"
    assert problem_of_text("[]") == "body: must be a JSON object"
    assert problem_of_text('{"a": 1, "a": 2}') == "body: a key is given twice in one object: a"
    assert problem_of_text('{"a": NaN}') == "body: NaN is not JSON"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from([ID, OTHER]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "expect", *EXPECT]), inner),
    max_leaves=6,
)
NAMES = st.sampled_from([*sorted(REQUEST_FIELDS - {"sweep"}), "image_ids", "images", "dryrun"])


@tried(500)
@given(payload=st.dictionaries(NAMES, JSON, max_size=4))
def test_any_object_is_a_request_of_proper_images_or_refused(payload: dict[str, Any]) -> None:
    try:
        found = deletion(payload)
    except InvalidRequest:
        return
    assert {target.image_id for target in found.targets} <= {ID, OTHER}
    assert 0 < len(found.targets) <= 2
    assert found.dry_run is payload.get("dry_run", False)
    assert payload.keys() <= REQUEST_FIELDS


@tried(500)
@given(text=st.text() | st.text(alphabet='{}[]":,0123456789abcdefimages_ -.\\u'))
def test_any_text_is_an_object_or_refused(text: str) -> None:
    try:
        assert isinstance(read_json(text, "body"), dict)
    except InvalidRequest:
        with pytest.raises(InvalidRequest, match=r"^body: "):
            read_json(text, "body")


CONDITIONS: dict[str, object] = {
    "name": "ci-*",
    "tags": ["ci"],
    "properties": {"os_type": "linux"},
    "status": "active",
    "older_than": "14d",
    "created_before": "2026-04-01",
    "size_over": 1,
    "family": "ci",
    "unused_for": "30d",
}
"""One value for each condition; a new one must be entered here."""


@pytest.mark.parametrize("field", Selection.model_fields)
def test_every_condition_that_may_be_asked_for_arrives(field: str) -> None:
    request = read_request({"sweep": {"select": {field: CONDITIONS[field]}}})
    assert isinstance(request, SweepRequest)
    differing = [name for name in Select._fields if getattr(request.select, name) != getattr(Select(), name)]
    assert differing == [field]


def nested(levels: int) -> str:
    return '{"a": ' * levels + "1" + "}" * levels


@pytest.mark.parametrize("levels", [101, 400, 900, 985, 995, 20_000])
def test_how_deep_json_may_be_does_not_hang_on_who_reads_it(levels: int) -> None:
    def from_further_down(steps: int) -> str:
        return from_further_down(steps - 1) if steps else problem_of_text(nested(levels))

    assert "nested deeper than 100 levels" in problem_of_text(nested(levels)) or levels > 900
    assert from_further_down(300).startswith("body: ")


def test_a_request_has_room_for_everything_that_it_may_hold() -> None:
    full = [{"id": image_id, "expect": EXPECT | {"tags": ["a"] * 128}} for image_id in ids(1000)]
    assert len(deletion(read_json(json.dumps({"images": full}), "body")).targets) == 1000


@pytest.mark.parametrize(
    "large",
    [
        {"sweep": {"select": {"tags": [1] * 160_000}}},
        {"image_ids": [ID]} | dict.fromkeys(map(str, range(160_000)), 1),
        {"sweep": {"select": {"properties": dict.fromkeys(map(str, range(160_000)), 1)}}},
        {"images": [{"id": ID, "expect": {"tags": [1] * 1600}}] * 100},
    ],
    ids=["tags", "unknown fields", "properties", "expectations"],
)
def test_what_is_larger_than_any_request_is_turned_down_before_it_is_parsed(large: dict[str, Any]) -> None:
    assert problem(large) == "larger than any request: it has more than 150000 values"
    assert problem_of_text(json.dumps(large)).startswith("body: larger than any request")


def test_a_name_that_is_as_long_as_an_event_is_not_shown() -> None:
    def turn_down(texts: int) -> None:
        name = json.dumps(["?=", ["@"] * texts])
        assert problem({"image_ids": [ID], name: 1}) == f"({len(name)} characters): unknown field"

    assert grows_as_its_input(turn_down, 250_000)
