"""The request as JSON: what is taken, and that everything else is refused by the name of its field."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handler.errors import InvalidRequest
from handler.model import DeletionRequest, Target
from handler.schema import MOST_IMAGES, REQUEST_FIELDS, read_json, read_request

ID = "6cad483b-e281-4985-a345-7afef1f3c501"
OTHER = "6cad483b-e281-4985-a345-7afef1f3c502"
EXPECT = {"name": "n", "owner": "o", "checksum": "c", "status": "active", "updated_at": "t", "size": 1}


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


def test_a_list_of_ids_is_a_request_with_every_default() -> None:
    assert read_request({"image_ids": [ID]}) == DeletionRequest((Target(ID),), "", False, False, "")  # noqa: FBT003


def test_every_field_of_a_request_is_read() -> None:
    fields = {"project_id": "p1", "delete_backup": True, "dry_run": True, "reason": "old"}
    found = read_request({"image_ids": [ID, OTHER], **fields})
    assert found == DeletionRequest((Target(ID), Target(OTHER)), "p1", True, True, "old")  # noqa: FBT003


def test_the_fields_are_those_of_the_contract() -> None:
    fields = {"image_ids", "images", "project_id", "delete_backup", "dry_run", "reason", "sweep"}
    assert fields == REQUEST_FIELDS


def test_preconditions_are_read_each_that_is_given_and_no_other() -> None:
    found = read_request({"images": [{"id": ID, "expect": EXPECT}, {"id": OTHER}]})
    assert dict(found.targets[0].expect) == EXPECT
    assert found.targets[1] == Target(OTHER)


@pytest.mark.parametrize("attribute", sorted(EXPECT))
def test_an_expectation_of_null_is_an_expectation(attribute: str) -> None:
    found = read_request({"images": [{"id": ID, "expect": {attribute: None}}]})
    assert found.targets == (Target(ID, ((attribute, None),)),)


def test_an_image_named_twice_is_one_image_in_the_order_of_its_first_naming() -> None:
    assert read_request({"image_ids": [OTHER, ID, OTHER]}).targets == (Target(OTHER), Target(ID))
    twice = [{"id": ID, "expect": {"name": "n"}}, {"id": ID, "expect": {"name": "n"}}]
    assert len(read_request({"images": twice}).targets) == 1


def test_an_image_named_twice_with_different_expectations_is_refused() -> None:
    twice = [{"id": ID, "expect": {"name": "n"}}, {"id": ID}]
    assert "named twice" in problem({"images": twice})


def test_a_thousand_images_are_taken_and_one_more_is_refused() -> None:
    assert MOST_IMAGES == 1000
    assert len(read_request({"image_ids": ids(1000)}).targets) == 1000
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
    "upper case": ID.upper(),
    "one upper case": ID[:-3] + "C01",
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
def test_an_id_that_is_no_uuid_in_lower_case_is_refused_with_its_place(bad: object) -> None:
    assert problem({"image_ids": [ID, bad]}).startswith("image_ids[1]: ")
    assert problem({"images": [{"id": bad}, {"id": ID}]}).startswith("images[0].id: ")


@pytest.mark.parametrize("bad", ["all", ID.upper(), f"{{{ID}}}"])
def test_a_bad_id_is_told_what_a_good_one_is(bad: str) -> None:
    assert problem({"image_ids": [bad]}) == "image_ids[0]: must be a UUID in lower case, with hyphens"


BAD_FIELDS: dict[str, list[object]] = {
    "image_ids": [None, [], ID, {}, {ID: True}, "", 7, True],
    "images": [None, [], ID, [ID], {}, [{}], [{"expect": {}}], [{"id": ID, "expect": None}], [{"id": ID, "name": "n"}]],
    "project_id": [None, "", " ", "p 1", "p/1", "../p", "p" * 65, 7, ["p"], "p\n"],
    "delete_backup": [None, "true", "yes", 1, 0, [], "false"],
    "dry_run": [None, "yes", "true", "false", "", 0, 1, [], {}, "True"],
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
]


@pytest.mark.parametrize(("attribute", "value"), BAD_EXPECTATIONS)
def test_an_expectation_that_could_not_be_compared_is_refused_by_name(attribute: str, value: object) -> None:
    message = problem({"images": [{"id": ID, "expect": {attribute: value}}]})
    assert message.startswith(f"images[0].expect.{attribute}: ")


@pytest.mark.parametrize("field", ["dryrun", "dry-run", "DRY_RUN", "Dry_run", "dry_run ", "force", "image_id", "", "é"])
def test_an_unknown_field_is_refused_by_name(field: str) -> None:
    message = problem({"image_ids": [ID], field: True})
    assert message == f"{ascii(field)[1:-1]}: unknown field" if field else "unknown field" in message


def test_a_field_with_a_lone_surrogate_is_refused_in_words_that_can_be_printed() -> None:
    assert problem({"image_ids": [ID], "\ud800": 1}).encode()


def test_a_sweep_is_refused_until_there_is_one() -> None:
    assert problem({"sweep": {"select": {"name": "ci-*"}}}) == "sweep: not supported yet"
    assert problem({"image_ids": [ID], "sweep": None}) == "sweep: not supported yet"


def test_every_field_that_is_wrong_is_named() -> None:
    message = problem({"image_ids": ["a", ID, "b"], "dry_run": "yes", "dryrun": True, "reason": 7})
    for place in ("image_ids[0]", "image_ids[2]", "dry_run", "dryrun: unknown field", "reason"):
        assert place in message


def test_ten_wrong_fields_are_named_and_the_others_counted() -> None:
    message = problem({"image_ids": ["x"] * 1000})
    assert message.count("must be a UUID") == 10
    assert message.endswith("; and 990 more")


def test_a_refusal_does_not_repeat_what_was_sent() -> None:
    assert "secret" not in problem({"image_ids": ["secret"], "reason": ["secret"], "project_id": "my secret"})
    assert len(problem({"image_ids": [ID], "x" * 100_000: 1})) < 200


def test_a_reason_of_256_characters_is_taken_whatever_they_are() -> None:
    for reason in ("x" * 256, "😀" * 256, 'line\n"two"\0'):
        assert read_request({"image_ids": [ID], "reason": reason}).reason == reason


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
    assert problem_of_text("{") == "body: not JSON"
    assert problem_of_text("[]") == "body: must be a JSON object"
    assert problem_of_text('{"a": 1, "a": 2}') == "body: a key is given twice in one object"
    assert problem_of_text('{"a": NaN}') == "body: NaN is not JSON"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from([ID, OTHER]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "expect", *EXPECT]), inner),
    max_leaves=6,
)
NAMES = st.sampled_from([*sorted(REQUEST_FIELDS - {"sweep"}), "image_ids", "images", "dryrun"])


@settings(deadline=None, max_examples=500, database=None)
@given(payload=st.dictionaries(NAMES, JSON, max_size=4))
def test_any_object_is_a_request_of_proper_images_or_refused(payload: dict[str, Any]) -> None:
    try:
        found = read_request(payload)
    except InvalidRequest:
        return
    assert {target.image_id for target in found.targets} <= {ID, OTHER}
    assert 0 < len(found.targets) <= 2
    assert found.dry_run is payload.get("dry_run", False)
    assert payload.keys() <= REQUEST_FIELDS


@settings(deadline=None, max_examples=500, database=None)
@given(text=st.text() | st.text(alphabet='{}[]":,0123456789abcdefimages_ -.\\u'))
def test_any_text_is_an_object_or_refused(text: str) -> None:
    try:
        assert isinstance(read_json(text, "body"), dict)
    except InvalidRequest:
        with pytest.raises(InvalidRequest, match=r"^body: "):
            read_json(text, "body")
