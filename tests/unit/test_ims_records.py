"""IMS as it was recorded: sizes that are none, booleans that are strings, a firewall's cookies, and request ids."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from handler.cloud.changes import Changes
from handler.cloud.dialects import DIALECTS
from handler.errors import Unexpected
from handler.rules import marks
from tests.conftest import Invoke
from tests.fakecloud import FakeCloud

IMS = {"REAPER_IMAGE_API": "ims"}
NAMED = {"X-Request-Id": "f3a1c0de"}
DAY = date(2026, 12, 24)
TAGS = [
    marks.mark_for(DAY),
    marks.signature_for("0123abcd", DAY),
    marks.draft_for("0123abcd", DAY, DAY),
    marks.recall_for("0123abcd", DAY),
    marks.DEACTIVATING,
    marks.DEACTIVATED,
]


@pytest.fixture
def cloud() -> FakeCloud:
    cloud = FakeCloud("otc")
    cloud.plain_tags = True
    return cloud


def sweep(select: dict[str, Any], **policy: object) -> dict[str, Any]:
    return {"sweep": {"select": select, "limit_percent": 100, **policy}}


def detail(run: Any) -> str:  # noqa: ANN401 (an invocation)
    return str(run.answer["outcomes"][0]["detail"])


def changed(**fields: object) -> Callable[[Any], object]:
    """Records with these fields, without those that are None."""

    def edit(answer: Any) -> object:  # noqa: ANN401 (JSON may be anything)
        for record in answer.get("images", [answer]):
            record.update(fields)
            for key in [key for key, value in fields.items() if value is None]:
                del record[key]
        return answer

    return edit


def test_images_whose_size_is_not_known_are_not_selected_by_it(invoke: Invoke, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1", size=5000)
    cloud.fault("GET", "cloudimages", status=None, edit=changed(__image_size=None))
    done = invoke(sweep({"size_over": 10}), **IMS)
    assert done.answer["sweeps"] == [{"looked_at": 1, "selected": 0, "stay": {"size": 1}}]
    assert not cloud.dead


def test_an_image_of_unknown_size_counts_no_bytes(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", size=5000)
    cloud.fault("GET", image, status=None, edit=changed(__image_size=None))
    done = invoke({"image_ids": [image]}, **IMS)
    assert (done.answer["outcomes"][0]["size"], done.metric("BytesReclaimed")) == (None, 0)
    assert image in cloud.dead


def test_an_expected_size_is_compared_with_the_bytes(invoke: Invoke, cloud: FakeCloud) -> None:
    other, same = cloud.add_image("ci-1", size=5000), cloud.add_image("ci-2", size=5000)
    images = [{"id": other, "expect": {"size": 18}}, {"id": same, "expect": {"size": 5000}}]
    assert invoke({"images": images}, **IMS).outcomes == {other: ("refused", "changed"), same: ("deleted", "")}


@pytest.mark.parametrize("asked", ["true", "True"])
def test_a_boolean_that_ims_writes_as_a_string_is_selected_as_one(
    invoke: Invoke, cloud: FakeCloud, asked: object
) -> None:
    image = cloud.add_image("ci-1")
    assert invoke(sweep({"properties": {"__support_kvm": asked}}), **IMS).outcomes == {image: ("deleted", "")}


def test_a_protection_that_is_a_string_keeps_the_image(invoke: Invoke, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    cloud.fault("GET", image, status=None, times=None, edit=changed(protected="False"))
    assert invoke({"image_ids": [image]}, **IMS).outcomes == {image: ("failed", "unexpected")}
    assert not cloud.dead


def test_the_cookies_of_the_firewall_are_not_sent_back(invoke: Invoke, cloud: FakeCloud) -> None:
    images = [cloud.add_image(f"ci-{n}") for n in range(3)]
    assert len(invoke({"image_ids": images}, **IMS).outcomes) == 3
    assert len(cloud.dead) == 3
    assert not [call for call in cloud.calls if "Cookie" in call.headers]


FAILURES: dict[str, dict[str, Any]] = {
    "denied": {"status": 403, "body": {"error": {"code": "IMG.0161", "message": "No permission."}}},
    "not JSON": {"status": 200, "body": "<html>", "content_type": "text/html"},
    "not readable": {"status": 200, "body": {"id": None}},
    "not authorised": {"status": 400, "body": {"error": {"code": "IMG.0154", "message": "EPS."}}},
}


@pytest.mark.parametrize("fault", FAILURES.values(), ids=FAILURES)
def test_a_read_that_fails_is_told_with_the_clouds_request_id(
    invoke: Invoke, cloud: FakeCloud, fault: dict[str, Any]
) -> None:
    image = cloud.add_image()
    cloud.fault("GET", f"/v2/images/{image}$", times=None, headers=NAMED, **fault)
    run = invoke({"image_ids": [image]}, **IMS)
    assert run.outcomes[image][0] == "failed"
    assert "request f3a1c0de" in detail(run)
    assert "request f3a1c0de" in run.logged("image.failed")[0]["detail"]


@pytest.mark.parametrize("fault", FAILURES.values(), ids=FAILURES)
def test_a_list_that_fails_is_told_with_the_clouds_request_id(
    invoke: Invoke, cloud: FakeCloud, fault: dict[str, Any]
) -> None:
    cloud.add_image()
    cloud.fault("GET", "/v2/cloudimages$", times=None, headers=NAMED, **fault)
    assert "request f3a1c0de" in detail(invoke(sweep({"name": "ci-*"}), **IMS))


@pytest.mark.parametrize("fault", FAILURES.values(), ids=FAILURES)
def test_members_that_cannot_be_read_are_told_with_the_clouds_request_id(
    invoke: Invoke, cloud: FakeCloud, fault: dict[str, Any]
) -> None:
    image = cloud.add_image(visibility="shared")
    cloud.fault("GET", "/members$", times=None, headers=NAMED, **fault)
    run = invoke({"image_ids": [image]}, **IMS)
    assert run.outcomes[image][0] == "failed"
    assert "request f3a1c0de" in detail(run)
    assert ("ims:images:share" in detail(run)) is (run.outcomes[image][1] == "denied")


@pytest.mark.parametrize("tag", TAGS)
def test_every_tag_of_ours_fits_into_ims(tag: str) -> None:
    limits = DIALECTS["ims"].tags
    assert limits is not None
    key, _, value = tag.partition("=")
    assert (len(key) <= limits.longest_key, len(value) <= limits.longest_value) == (True, True)


@pytest.mark.parametrize("tag", ["k" * 37 + "=v", "k=" + "v" * 44, "a key=v", "k=a:b", "k=ä"])
def test_a_tag_that_does_not_fit_is_told_before_anything_is_asked(tag: str) -> None:
    changes = Changes(None, "https://ims/v2/images", "https://ims/v2/p/images", DIALECTS["ims"].tags)  # type: ignore[arg-type]  # never used
    with pytest.raises(Unexpected, match=r"can't be part of a tag here: use at most (36|43) characters of A-Za-z0-9_-"):
        changes.add_tag("any", tag)


@pytest.mark.parametrize(("count", "outcome"), [(7, "marked"), (8, "failed"), (10, "failed")])
def test_an_image_without_room_for_a_mark_gets_no_part_of_it(
    invoke: Invoke, cloud: FakeCloud, count: int, outcome: str
) -> None:
    tags = [f"team-{n}=a" for n in range(count)]
    image = cloud.add_image("ci-1", tags=tags)
    run = invoke(sweep({"name": "ci-*"}, grace="7d"), **IMS)
    assert run.outcomes[image][0] == outcome
    if outcome == "failed":
        assert f"an image may have 10 tags, and this one has {count}" in detail(run)
        assert (cloud.images[image].tags, cloud.calls_of("POST")[1:]) == (tags, [])
