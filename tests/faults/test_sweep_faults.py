"""Bad policies, lists that can't be trusted, the faults of other cleaners: a sweep deletes nothing, and says why."""

import copy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from handler.errors import InvalidRequest, InvalidSettings
from tests.conftest import Invocation, Invoke, queue
from tests.fakecloud import DEMO, OTHER, FakeCloud, Server
from tests.fakecloud.records import time_text
from tests.fakecloud.wire import glance_image
from tests.faults import SOURCES, envelope
from tests.faults.test_peers import is_reported, told

Json = Any
Send = Callable[..., Invocation]

LIST = r"/v2/images$"
ALL = {"name": "*"}


def sweep(**policy: object) -> dict[str, Json]:
    """A sweep over everything, without caps unless the policy says so."""
    return {"sweep": {"select": ALL, "limit": 1000, "limit_percent": 100, **policy}}


@pytest.fixture
def five(cloud: FakeCloud) -> list[str]:
    return [cloud.add_image(f"ci-{number}", created_at=f"2026-01-0{number + 1}T00:00:00Z") for number in range(5)]


@pytest.fixture
def send(invoke: Invoke, server: Server) -> Send:
    """Send a request by a source."""

    def send_once(source: str, request: dict[str, Json], **settings: str) -> Invocation:
        return invoke(envelope(source, request, server.url), **settings)

    return send_once


def is_untouched(cloud: FakeCloud) -> bool:
    """Whether nothing at all was changed, nor asked to be."""
    return not cloud.dead and {call.method for call in cloud.calls if "/images" in call.path} <= {"GET"}


def the_list_failed(done: Invocation, reason: str = "unexpected") -> bool:
    """Whether the sweep has this one outcome, and says so."""
    return done.outcomes == {"": ("failed", reason)} and done.answer["ok"] is False


# Policies


AGES = [
    "30",
    "30 d",
    " 30d",
    "30d ",
    "-1d",
    "+1d",
    "1.5d",
    "1e9d",
    "100000d",
    "30D",
    "d",
    "",
    "30d30d",
    30,
    0,
    1.5,
]
AGES += [None, True, ["30d"], {"d": 30}]


@pytest.mark.parametrize("age", AGES, ids=repr)
def test_what_is_no_age_is_refused_wherever_an_age_stands(age: Json, cloud: FakeCloud, invoke: Invoke) -> None:
    cloud.add_image()
    fields = {"sweep.grace": sweep(grace=age), "sweep.select.older_than": sweep(select={"older_than": age})}
    for field, request in fields.items():
        done = invoke(request)
        assert isinstance(done.error, InvalidRequest)
        assert field in str(done.error) or (age is None and "sweep.select: at least one" in str(done.error))
    assert is_untouched(cloud)


@pytest.mark.parametrize("age", ["0d", "0h", "00000w"])
def test_an_age_of_nothing_selects_nothing(age: str, cloud: FakeCloud, invoke: Invoke) -> None:
    cloud.add_image()
    done = invoke(sweep(select={"older_than": age}))
    assert isinstance(done.error, InvalidRequest)
    assert "sweep.select.older_than" in str(done.error)
    assert is_untouched(cloud)


def test_the_longest_age_is_one(cloud: FakeCloud, invoke: Invoke) -> None:
    image = cloud.add_image()
    assert invoke(sweep(select={"older_than": "99999w"})).outcomes == {}
    assert invoke(sweep(grace="99999w")).outcomes == {image: ("marked", "")}


@pytest.mark.parametrize("age", [age for age in AGES if isinstance(age, str) and age])
def test_a_setting_that_is_no_age_lets_nothing_start(age: str, cloud: FakeCloud, invoke: Invoke) -> None:
    cloud.add_image()
    done = invoke(sweep(), REAPER_MIN_AGE=age)
    assert isinstance(done.error, InvalidSettings)
    assert "REAPER_MIN_AGE" in str(done.error)
    assert not cloud.calls


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("limit", value) for value in (-1, 1.5, 2.0, "5", "", True, None, [5], 10.0**30)),
        *(("limit_percent", value) for value in (-0.1, 100.1, 101, "50", True, None, float("nan"), float("inf"))),
        *(("keep", value) for value in ({"newest": 0}, {"newest": -1}, {"newest": True}, {"newest": "3"}, {}, 3)),
        *(("keep", {"newest": 3, "group_by": value}) for value in ("", "Name", "property:", "tag-prefix:", "tag:x", 1)),
        *(("deactivate", value) for value in ("true", 1, None)),
        ("name", "*"),
        ("dry_run", True),
    ],
    ids=str,
)
def test_a_policy_with_a_wrong_field_does_nothing_and_names_it(
    field: str, value: Json, cloud: FakeCloud, invoke: Invoke
) -> None:
    cloud.add_image()
    done = invoke(sweep(**{field: value}))
    assert isinstance(done.error, InvalidRequest)
    assert f"sweep.{field}" in str(done.error)
    assert is_untouched(cloud)


@pytest.mark.parametrize(
    "select",
    [
        {},
        None,
        [],
        "*",
        dict.fromkeys(["name", "tags", "properties", "status", "older_than", "created_before", "size_over"]),
        {"nmae": "*"},
        {"name": "*", "older": "30d"},
        {"name": ""},
        {"name": None},
        {"tags": []},
        {"tags": ["ci", ""]},
        {"tags": None, "name": None},
        {"properties": {}},
        {"properties": {"": "x"}},
        {"properties": {"a": None}},
        {"status": "any"},
        {"status": ""},
        {"created_before": "30d"},
        {"created_before": ""},
        {"created_before": 0},
        {"size_over": "0"},
        {"size_over": -1},
        {"size_over": True},
        {"name": "*" * 10_000},
        {"name": "*a" * 255},
    ],
    ids=lambda select: str(select)[:40],
)
def test_a_select_that_says_nothing_or_something_unknown_selects_nothing(
    select: Json, cloud: FakeCloud, invoke: Invoke
) -> None:
    cloud.add_image()
    done = invoke(sweep(select=select))
    assert isinstance(done.error, InvalidRequest)
    assert "sweep.select" in str(done.error)
    assert is_untouched(cloud)


def test_a_glob_of_the_worst_kind_ends(cloud: FakeCloud, invoke: Invoke) -> None:
    cloud.add_image("a" * 254 + "b")
    fits = cloud.add_image("a" * 255)
    assert invoke(sweep(select={"name": "*a" * 127})).outcomes == {fits: ("deleted", "")}
    allowed = {"REAPER_ALLOW_NAMES": "*a" * 255 + "," + "*" * 10_000 + "?b"}
    assert [outcome for outcome, _ in invoke(sweep(), **allowed).outcomes.values()] == ["deleted"]


def test_a_share_of_an_empty_project_is_nothing(cloud: FakeCloud, invoke: Invoke) -> None:
    for percent in (0, 50, 100):
        done = invoke(sweep(limit_percent=percent))
        assert (done.answer["ok"], done.outcomes, done.answer["sweeps"][0]["looked_at"]) == (True, {}, 0)
    assert is_untouched(cloud)


def test_a_policy_in_a_queue_that_is_wrong_comes_back_alone(cloud: FakeCloud, invoke: Invoke) -> None:
    image = cloud.add_image()
    done = invoke(queue(sweep(grace="7 d"), {"sweep": {"select": {}}}, sweep(), '{"sweep": {"limit": NaN}}'))
    assert done.returned == ["m0", "m1", "m3"]
    assert set(cloud.dead) == {image}


# Lists


@pytest.mark.parametrize("page", range(4))
@pytest.mark.parametrize("status", [400, 403, 404, 418, 500, 503])
def test_a_page_of_images_that_fails_ends_the_sweep(
    page: int, status: int, five: list[str], cloud: FakeCloud, invoke: Invoke
) -> None:
    cloud.page_size = 2
    cloud.fault("GET", LIST, status=status, skip=page, times=None, headers={"Retry-After": "3600"})
    done = invoke(sweep())
    assert the_list_failed(done, {403: "denied", 500: "unavailable", 503: "unavailable"}.get(status, "unexpected"))
    assert set(cloud.images) == set(five)
    assert is_untouched(cloud)


EDITS: dict[str, Callable[[Json], Json]] = {
    "is empty and names a next one": lambda page: page | {"images": [], "next": "/v2/images?marker=x"},
    "has no images": lambda page: {key: value for key, value in page.items() if key != "images"},
    "holds something else": lambda page: page | {"images": [*page["images"], 1]},
    "holds an image without id": lambda page: page | {"images": [record | {"id": None} for record in page["images"]]},
    "is a list": lambda page: page["images"],
    "is null": lambda _: None,
}


@pytest.mark.parametrize("page", [0, 1, 2])
@pytest.mark.parametrize("edit", EDITS.values(), ids=list(EDITS))
def test_a_page_of_images_that_cannot_be_trusted_ends_the_sweep(
    edit: Callable[[Json], Json], page: int, five: list[str], cloud: FakeCloud, invoke: Invoke
) -> None:
    cloud.page_size = 2
    cloud.fault("GET", LIST, status=None, skip=page, edit=edit)
    assert the_list_failed(invoke(sweep()))
    assert set(cloud.images) == set(five)
    assert is_untouched(cloud)


def test_a_page_that_comes_again_ends_the_sweep(five: list[str], cloud: FakeCloud, invoke: Invoke) -> None:
    cloud.page_size = 2
    first: list[Json] = []

    def again(page: Json) -> Json:
        first.append(page)
        return first[0]

    cloud.fault("GET", LIST, status=None, times=None, edit=again)
    assert the_list_failed(invoke(sweep()))
    assert set(cloud.images) == set(five)


def test_a_list_that_goes_on_for_ever_ends_with_the_time(cloud: FakeCloud, invoke: Invoke) -> None:
    cloud.page_size = 1
    days = iter(range(10**6))

    def grow() -> None:
        """Let there be one more, older than any other: it stands at the end."""
        born = datetime(2026, 1, 1, tzinfo=UTC) - timedelta(hours=next(days))
        cloud.add_image(created_at=time_text(born))

    grow()
    cloud.fault("GET", LIST, status=None, times=None, then=grow)
    assert the_list_failed(invoke(sweep(), seconds=2.5), "deadline")
    assert is_untouched(cloud)


def test_where_the_last_image_of_a_page_goes_while_the_list_is_read_it_is_read_anew(
    five: list[str], cloud: FakeCloud, invoke: Invoke
) -> None:
    cloud.page_size = 2
    cloud.fault("GET", LIST, status=None, then=lambda: cloud.kill(five[3]))  # the newest come first
    assert invoke(sweep()).outcomes == dict.fromkeys((*five[:3], five[4]), ("deleted", ""))


def test_where_another_image_goes_while_the_list_is_read_the_rest_is_swept(
    five: list[str], cloud: FakeCloud, invoke: Invoke
) -> None:
    cloud.page_size = 2
    cloud.fault("GET", LIST, status=None, then=lambda: list(map(cloud.kill, (five[4], five[0]))))
    done = invoke(sweep())
    assert done.outcomes == {five[4]: ("already_gone", ""), **dict.fromkeys(five[1:4], ("deleted", ""))}


def test_an_image_that_appears_while_the_list_is_read_is_no_harm(
    five: list[str], cloud: FakeCloud, invoke: Invoke
) -> None:
    cloud.page_size = 2
    cloud.fault("GET", LIST, status=None, then=lambda: cloud.add_image("ci-9", created_at="2026-02-01T00:00:00Z"))
    assert set(invoke(sweep(keep={"newest": 1})).outcomes) == set(five[:4])
    assert set(cloud.dead) == set(five[:4])


@pytest.mark.parametrize("page_size", [2, 1000])
def test_a_glance_that_knows_no_hidden_images_names_none_of_them_twice(
    page_size: int, five: list[str], cloud: FakeCloud, invoke: Invoke
) -> None:
    cloud.page_size = page_size
    everything = [glance_image(image) for image in cloud.images.values()]
    cloud.fault("GET", LIST, query="os_hidden", status=None, edit=lambda page: page | {"images": everything})
    done = invoke(sweep(limit_percent=100))
    assert done.outcomes == dict.fromkeys(five, ("deleted", ""))
    assert done.answer["sweeps"][0]["looked_at"] == 5


def test_images_of_others_in_the_list_are_none_of_our_business(cloud: FakeCloud, invoke: Invoke) -> None:
    image = cloud.add_image()
    own = glance_image(cloud.images[image])
    others = [copy.deepcopy(own) | {"id": str(UUID(int=number)), "owner": "x"} for number in range(1, 3)]
    cloud.fault("GET", LIST, status=None, edit=lambda page: page | {"images": [*others, *page["images"]]})
    assert invoke(sweep(limit_percent=100)).outcomes == {image: ("deleted", "")}


def test_an_answer_that_is_too_late_ends_the_sweep(five: list[str], cloud: FakeCloud, invoke: Invoke) -> None:
    cloud.fault("GET", LIST, status=None, delay=1.5, times=None)
    done = invoke(sweep(), seconds=2.1)
    assert list(done.outcomes) == [""]
    assert done.answer["ok"] is False
    assert set(cloud.images) == set(five)


def test_an_image_that_is_given_away_before_its_turn_keeps_its_mark(cloud: FakeCloud, invoke: Invoke) -> None:
    image = cloud.images[cloud.add_image(tags=["reaper-delete-after=2026-01-01", "reaper-deactivated"])]
    image.status = "deactivated"

    def give_away() -> None:
        image.owner, image.visibility, image.members = OTHER, "shared", {DEMO: "accepted"}

    cloud.fault("GET", LIST, status=None, skip=1, then=give_away)
    assert invoke(sweep(grace="7d")).outcomes == {image.id: ("refused", "not_owner")}
    assert is_untouched(cloud)


# Faults of other cleaners, see test_peers


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("cap", [{"limit": 4}, {"limit": 0}, {"limit_percent": 79.9}, {"limit_percent": 0}], ids=str)
def test_f1_f3_f4_over_its_cap_a_sweep_does_nothing_whatever_brought_it(
    cap: dict[str, Json], source: str, five: list[str], cloud: FakeCloud, send: Send
) -> None:
    done = send(source, sweep(**cap))
    assert set(cloud.images) == set(five)
    assert is_untouched(cloud)
    assert told(done, "image.failed") == dict.fromkeys(five, "over_limit")
    assert is_reported(source, done, cloud)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("most", [0, 1])
def test_f1_the_cap_of_the_function_holds_for_sweeps_too(
    most: int, source: str, five: list[str], cloud: FakeCloud, send: Send
) -> None:
    done = send(source, sweep(), REAPER_MAX_IMAGES=str(most))
    assert len(cloud.dead) == len(cloud.calls_of("DELETE")) == most
    assert told(done, "image.failed") == dict.fromkeys(cloud.images, "over_limit")
    assert set(told(done, "image.deleted")) == set(five) - set(cloud.images)
    assert is_reported(source, done, cloud)


def test_f1_the_cap_of_the_function_holds_over_all_sweeps_of_a_batch(
    five: list[str], cloud: FakeCloud, invoke: Invoke
) -> None:
    messages = [sweep(select={"name": f"ci-{number}"}) for number in range(5)]
    done = invoke(queue(*messages), REAPER_MAX_IMAGES="2")
    assert set(cloud.dead) == set(five[:2])
    assert done.returned == ["m2", "m3", "m4"]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("mode", ["delete", "dry-run"])
def test_f2_a_rehearsal_of_a_sweep_is_one_whatever_brought_it(
    mode: str, source: str, five: list[str], cloud: FakeCloud, send: Send
) -> None:
    for grace in ("0d", "7d"):
        done = send(source, {**sweep(grace=grace), "dry_run": mode == "delete"}, REAPER_MODE=mode)
        assert is_untouched(cloud)
        assert set(told(done, "image.would_delete")) == set(five)
        assert not is_reported(source, done, cloud)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("status", [400, 403, 418])
def test_f5_f6_f9_f11_one_failure_in_a_sweep_stops_no_other_and_is_told(
    status: int, source: str, five: list[str], cloud: FakeCloud, send: Send
) -> None:
    cloud.fault("DELETE", five[2], status=status, times=None)
    done = send(source, sweep(), REAPER_CONCURRENCY="1")
    assert list(cloud.images) == [five[2]]
    assert told(done, "image.failed") == {five[2]: "denied" if status == 403 else "unexpected"}
    assert set(told(done, "image.deleted")) == set(cloud.dead)
    assert is_reported(source, done, cloud)


@pytest.mark.parametrize("verb", ["PUT", "POST"])
def test_f5_f11_a_mark_that_fails_is_no_success_and_stops_no_other(
    verb: str, five: list[str], cloud: FakeCloud, invoke: Invoke
) -> None:
    cloud.fault(verb, five[2], status=403, times=None)
    done = invoke(sweep(grace="7d", deactivate=True))
    assert done.outcomes == dict.fromkeys(five, ("marked", "")) | {five[2]: ("failed", "denied")}
    assert done.answer["ok"] is False
    assert cloud.images[five[2]].status == "active"


def test_f6_a_warm_sweep_tells_nothing_of_the_one_before(five: list[str], cloud: FakeCloud, invoke: Invoke) -> None:
    cloud.fault("DELETE", five[1], status=400, times=None)
    first = invoke(sweep(select={"name": "ci-[01]"}))
    second = invoke(sweep(select={"name": "ci-[2-4]"}))
    assert first.outcomes == {five[0]: ("deleted", ""), five[1]: ("failed", "unexpected")}
    assert second.outcomes == dict.fromkeys(five[2:], ("deleted", ""))
    assert second.answer["sweeps"] == [{"looked_at": 4, "selected": 3, "stay": {"name": 1}}]
    assert not any(image_id in second.printed for image_id in five[:2])
    assert (second.metric("ImagesDeleted"), second.metric("ImagesFailed")) == (3, 0)


@pytest.mark.parametrize("created_at", ["30d", "not-a-date", "", "2026-13-45T99:00:00Z", "0", "2999-01-01T00:00:00Z"])
@pytest.mark.parametrize("select", [ALL, {"older_than": "1h"}, {"created_before": "2999-12-31"}], ids=str)
def test_f7_an_image_of_unknown_age_is_never_swept(
    select: Json, created_at: str, cloud: FakeCloud, invoke: Invoke
) -> None:
    image = cloud.add_image(created_at="2026-01-01T00:00:00Z")
    cloud.images[image].created_at = created_at
    done = invoke(sweep(select=select))
    assert (done.outcomes, done.answer["sweeps"][0]["stay"]) == ({}, {"age": 1})
    assert is_untouched(cloud)


@pytest.mark.parametrize("status", [400, 403, 404, 405, 418])
def test_f7_a_delete_that_fails_is_no_success_of_a_sweep(status: int, cloud: FakeCloud, invoke: Invoke) -> None:
    image = cloud.add_image()
    cloud.fault("DELETE", status=status, body="<p>no", times=None)
    done = invoke(sweep())
    assert done.answer["ok"] is False
    assert done.outcomes[image][0] == "failed"
    assert image in cloud.images


def test_f8_an_image_that_goes_before_its_turn_keeps_no_other_from_being_swept(
    five: list[str], cloud: FakeCloud, invoke: Invoke
) -> None:
    cloud.fault("GET", LIST, status=None, skip=1, then=lambda: cloud.kill(five[0]))
    done = invoke(sweep())
    assert done.outcomes == {five[0]: ("already_gone", ""), **dict.fromkeys(five[1:], ("deleted", ""))}
    assert done.answer["ok"] is True


@pytest.mark.parametrize("page_size", [1, 2, 3])
def test_f10_the_newest_are_found_on_every_page(page_size: int, cloud: FakeCloud, invoke: Invoke) -> None:
    cloud.page_size = page_size
    born = {family: [f"2026-01-0{day}T00:00:00Z" for day in (2, 3, 1)] for family in ("a", "b", "c")}
    for family, days in born.items():
        for day in days:
            cloud.add_image(f"{family}-1", created_at=day)
    done = invoke(sweep(keep={"newest": 1}))
    assert done.answer["counts"] == {"deleted": 6}
    assert {(image.name, image.created_at) for image in cloud.images.values()} == {
        (f"{family}-1", "2026-01-03T00:00:00Z") for family in born
    }


def test_f10_a_sweep_reads_what_is_in_use_to_its_last_page(five: list[str], cloud: FakeCloud, invoke: Invoke) -> None:
    cloud.page_size = 2
    for image_id in five:
        cloud.add_server(image=image_id)
    assert invoke(sweep()).outcomes == dict.fromkeys(five, ("refused", "in_use"))
    cloud.fault("GET", "/servers/detail$", status=400, skip=2, times=None)
    assert invoke(sweep(grace="7d")).outcomes == dict.fromkeys(five, ("failed", "unexpected"))
    assert is_untouched(cloud)


@pytest.mark.parametrize("source", SOURCES)
def test_f11_a_sweep_that_could_not_read_its_list_is_no_success(
    source: str, five: list[str], cloud: FakeCloud, send: Send
) -> None:
    cloud.fault("GET", LIST, status=403, times=None)
    done = send(source, sweep())
    assert is_reported(source, done, cloud)
    assert done.metric("ImagesFailed") == done.metric("ImagesFailed_denied") == 1
    assert set(cloud.images) == set(five)
