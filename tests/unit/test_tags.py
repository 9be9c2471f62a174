"""One reading of tags: the three spellings, generous where a tag protects, to the letter where it frees."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.model.request import SweepRequest
from handler.rules.safety import Policy
from handler.rules.selection import groups_of
from handler.rules.tags import Protection, has_tag, person_of, protections, tags_with_prefix
from handler.sources.schema import read_request
from tests.conftest import Invoke
from tests.examples import image, tagged
from tests.fakecloud import FakeCloud
from tests.properties import tried
from tests.unit.test_safety import reason
from tests.unit.test_selection import why_not

KEPT = [
    *("Keep", "KEEP", "keep ", " keep", "keep\t", "keep:yes", "Keep:Yes", "keep = yes", "KEEP.no", "keep:"),
    *("keep_until=2099-01-01", "Keep-Until=2099-01-01", "KEEP_UNTIL:2099-01-01", "keep-until: 2099-01-01"),
    *("keep\u200b", "\ufeffkeep", "\uff4b\uff45\uff45\uff50\uff1dyes", "keep\u2011until=2099-01-01", "ke\u00adep"),
    *("Keep Until=2099-01-01", "keep-until.2099-01-01", "keep_until", "Keep-Until:soon", "keep-until=2020_01_01"),
]
LAPSED = ["keep_until=2027-01-30", "Keep-Until:2027-01-30", "KEEP UNTIL .2027-01-30"]
SPELLINGS = ["ci_managed=yes", "ci_managed.yes"]


@pytest.mark.parametrize("tag", KEPT)
def test_a_keep_tag_protects_in_any_case_with_blanks_and_with_any_separator(tag: str) -> None:
    assert reason(tagged("ci", tag)) == "kept"


@pytest.mark.parametrize("name", ["Keep", "KEEP", "keep_until", "Keep-Until"])
def test_a_keep_property_protects_in_any_case(name: str) -> None:
    assert reason(image(properties=frozenset({name}), record={name: "2099-01-01"})) == "kept"


@pytest.mark.parametrize("tag", LAPSED)
def test_a_day_that_has_passed_no_longer_keeps_however_it_is_written(tag: str) -> None:
    assert reason(tagged(tag)) is None


@pytest.mark.parametrize("tag", ["Do-Not_Delete", "do_not_delete:why", "DO-NOT-DELETE", "do-not-delete-until=x"])
def test_the_operator_s_own_keep_tag_is_read_like_any_other(tag: str) -> None:
    assert reason(tagged(tag), policy=Policy(keep_tag="do_not_delete")) == "kept"


@pytest.mark.parametrize("tag", ["team=keep", "TEAM.Keep", "team:keep"])
def test_a_keep_tag_with_a_value_is_read_in_every_spelling(tag: str) -> None:
    assert reason(tagged(tag), policy=Policy(keep_tag="team=keep")) == "kept"


@pytest.mark.parametrize("tag", SPELLINGS)
@pytest.mark.parametrize("asked", SPELLINGS)
def test_a_tag_that_is_asked_for_is_found_in_every_spelling(asked: str, tag: str) -> None:
    request = read_request({"sweep": {"select": {"tags": [asked]}}})
    assert isinstance(request, SweepRequest)
    assert why_not(request.select, tagged(tag, "x")) is None
    assert reason(tagged(tag, "x"), policy=Policy(require_tag=asked)) is None


@pytest.mark.parametrize("prefix", ["family=", "family.", "family=a", "family.a"])
def test_a_group_by_tags_is_one_in_every_spelling(prefix: str) -> None:
    images = [tagged("family=ab", "x"), tagged("family.ab"), tagged("family.ab", "family=ab")]
    groups = {groups_of(each, f"tag-prefix:{prefix}") for each in images}
    assert groups == {(f"family{prefix[6]}ab",)}
    assert groups_of(tagged("family", "familyab", "family:ab", "Family=ab", "family=b"), "tag-prefix:family=a") == ()


@pytest.mark.parametrize("asked", [*SPELLINGS, "ci_managed", "v1.2"])
@pytest.mark.parametrize(
    "tag", ["CI_managed=yes", "ci-managed=yes", "ci_managed:yes", "ci_managed= yes", "ci_managed=no", "v1.2.3", "v1"]
)
def test_a_tag_that_frees_an_image_is_read_to_the_letter(asked: str, tag: str) -> None:
    request = read_request({"sweep": {"select": {"tags": [asked]}}})
    assert isinstance(request, SweepRequest)
    assert why_not(request.select, tagged(tag)) == "tags"
    assert reason(tagged(tag), policy=Policy(require_tag=asked)) == "not_allowed"


def test_what_keeps_an_image_is_told_as_it_was_read(invoke: Invoke, cloud: FakeCloud) -> None:
    image_id = cloud.add_image("ci-1", tags=["Keep_Until:2099-01-01"])
    (outcome,) = invoke({"image_ids": [image_id]}).answer["outcomes"]
    detail = "'Keep_Until:2099-01-01' is read as keep-until=2099-01-01"
    assert (outcome["reason"], outcome["detail"]) == ("kept", detail)


@tried(300)
@given(
    key=st.text(alphabet="keponti-", min_size=1, max_size=10),
    separator=st.sampled_from(["", "=", ".", ":"]),
    draw=st.data(),
)
def test_no_way_of_writing_a_keep_tag_frees_an_image(key: str, separator: str, draw: st.DataObject) -> None:
    ways = [draw.draw(st.sampled_from([c, c.upper(), f" {c}", f"{c} ", "_" if c == "-" else c])) for c in key]
    written = "".join(ways) + separator + (draw.draw(st.text(max_size=5)) if separator else "")
    assert reason(tagged(written), policy=Policy(keep_tag=key)) == "kept"


def test_what_an_image_says_under_a_key_is_read_in_order_with_its_spelling() -> None:
    found = tagged("keep=1", "Keep", "x", "ke ep", properties=frozenset({"KEEP", "z"}), record={"KEEP": 7, "z": 1})
    assert list(protections(found, "keep")) == [
        Protection("Keep", "keep", ""),
        Protection("ke ep", "keep", ""),
        Protection("keep=1", "keep=1", "1"),
        Protection("KEEP=7", "keep=7", "7"),
    ]


@pytest.mark.parametrize(
    ("asked", "has"),
    [
        ("a", {"a", "a=", "a."}),
        ("a=", {"a", "a=", "a."}),
        ("a=b", {"a=b", "a.b"}),
        ("a.b", {"a=b", "a.b"}),
        ("a.b=c", {"a.b=c", "a.b.c"}),
        ("a=b=c", {"a=b=c", "a.b=c"}),
        ("a.b.c", {"a=b.c", "a.b.c"}),
    ],
)
def test_a_tag_is_split_where_its_value_begins(asked: str, has: set[str]) -> None:
    every = ["a", "a=", "a.", "a=b", "a.b", "a.b=c", "a.b.c", "a=b=c", "a=b.c", "A", "a:b"]
    assert {tag for tag in every if has_tag(tagged(tag), asked)} == has


@pytest.mark.parametrize(
    ("prefix", "groups"),
    [
        ("j", {"j=1", "j.2", "job=3", "j"}),
        ("j=", {"j=1", "j=2"}),
        ("j.", {"j.1", "j.2"}),
        ("j=1", {"j=1"}),
        ("job=", {"job=3"}),
        ("k=l=", set()),
    ],
)
def test_the_groups_of_a_prefix_are_written_as_the_prefix_is(prefix: str, groups: set[str]) -> None:
    assert tags_with_prefix(tagged("j=1", "j.2", "job=3", "j", "J=4"), prefix) == groups
    assert tags_with_prefix(tagged("k=l=m", "k=n"), "k=l=") == {"k=l=m"}


@pytest.mark.parametrize(
    ("tags", "record", "person"),
    [
        (["owner=bob"], {}, "bob"),
        (["owner.bob"], {}, "bob"),
        (["owner=bob"], {"owner_": "x", "owner": "alice"}, "alice"),
        (["owner="], {"owner": ""}, ""),
        (["Owner=bob", "owners=bob", "owner:bob", "owner"], {"Owner": "x"}, ""),
        (["owner=b", "owner=a"], {"owner": 7}, "a"),
    ],
)
def test_whom_an_image_names_is_read_to_the_letter(tags: list[str], record: dict[str, object], person: str) -> None:
    assert person_of(image(tags=frozenset(tags), record=record), "owner") == person
