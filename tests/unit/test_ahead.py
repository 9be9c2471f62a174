"""Long lists: the next page is read while this one is looked at; of an image that is only counted nothing is kept."""

import json
import threading
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from handler.cloud.fields import read_body
from handler.cloud.lists.ids import Ids
from handler.errors import CloudError, Denied, Paused
from handler.model.request import Select, SweepRequest
from handler.work.survey.survey import survey_of
from tests.conftest import Invoke
from tests.examples import NOW, tagged
from tests.fakecloud import FakeCloud, Server
from tests.faults import Clock, new_run

IMAGES = r"/v2/images$"
SECONDS = 10.0
"""How long a test waits for what must come."""


def readers() -> list[str]:
    """The threads that read ahead."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("ahead")]


@pytest.fixture
def five(cloud: FakeCloud) -> list[str]:
    """Five images on three pages, in the order in which a list names them."""
    cloud.page_size = 2
    return [cloud.add_image(f"ci-{n}", created_at=f"2026-01-0{9 - n}T00:00:00Z") for n in range(5)]


def test_the_next_page_is_asked_for_while_this_one_is_looked_at(
    cloud: FakeCloud, server: Server, five: list[str]
) -> None:
    asked = threading.Event()
    cloud.fault("GET", IMAGES, status=None, query="marker=", then=asked.set)
    images = new_run(cloud, server, Clock()).cloud.images()
    assert next(images).id == five[0]
    assert asked.wait(SECONDS)
    assert [image.id for image in images] == five[1:]
    assert not readers()


def test_an_error_of_a_page_read_ahead_comes_when_that_page_is_reached(
    cloud: FakeCloud, server: Server, five: list[str]
) -> None:
    cloud.fault("GET", IMAGES, query="marker=", status=403)
    images, seen = new_run(cloud, server, Clock()).cloud.images(), list[str]()
    with pytest.raises(Denied):
        seen.extend(image.id for image in images)
    images = new_run(cloud, server, Clock()).cloud.images()
    cloud.fault("GET", IMAGES, query="marker=", status=403)
    assert [next(images).id, next(images).id] == five[:2]
    with pytest.raises(Denied):
        next(images)
    assert not readers()


def test_nothing_is_read_ahead_once_the_run_has_ended(cloud: FakeCloud, server: Server, five: list[str]) -> None:
    run = new_run(cloud, server, Clock())
    cloud.fault("GET", IMAGES, status=None, then=lambda: run.deadline.halt(Paused("the end")))
    images = run.cloud.images()
    assert [next(images).id, next(images).id] == five[:2]
    with pytest.raises(Paused):
        next(images)
    assert [call.query for call in cloud.calls if "marker=" in call.query] == []


def test_a_page_read_ahead_meets_the_fence_of_the_run(cloud: FakeCloud, server: Server, five: list[str]) -> None:
    run, refused = new_run(cloud, server, Clock()), Paused("no")

    def refuse() -> None:
        if len(cloud.calls_of("GET")) > 0:
            raise refused

    run.deadline.fence._check = refuse
    images = run.cloud.images()
    assert [next(images).id, next(images).id] == five[:2]
    with pytest.raises(CloudError):
        next(images)
    assert len(cloud.calls_of("GET")) == 1


@pytest.mark.usefixtures("five")
def test_a_list_that_is_left_early_leaves_no_thread_behind(cloud: FakeCloud, server: Server) -> None:
    cloud.fault("GET", IMAGES, status=None, query="marker=", delay=0.3)
    images = new_run(cloud, server, Clock()).cloud.images()
    next(images)
    assert readers()
    images.close()
    assert not readers()


@pytest.mark.usefixtures("five")
def test_a_sweep_that_fails_on_an_image_leaves_no_thread_behind(invoke: Invoke, cloud: FakeCloud) -> None:
    def spoilt(page: dict[str, Any]) -> dict[str, Any]:
        return page | {"images": [image | {"name": 7} for image in page["images"]]}

    cloud.fault("GET", IMAGES, status=None, edit=spoilt)
    run = invoke({"sweep": {"select": {"older_than": "1d"}, "keep": {"newest": 1}}})
    assert run.outcomes == {"": ("failed", "unexpected")}
    assert not readers()


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "\\ud800"}',
        b'{"name": "\\ude00 and \\ud83d"}',
        b'{"size": 1, "size": 2}',
        b'{"size": NaN, "min_disk": -Infinity, "min_ram": 1e999}',
        b'{"size": 123456789012345678901234567890, "ratio": 0.1}',
        b"\xef\xbb\xbf" + b'{"name": "with a mark of its order"}',
        '{"name": "in sixteen bits"}'.encode("utf-16"),
        b'{"deep": ' + b"[" * 300 + b"]" * 300 + b"}",
    ],
    ids=lambda body: str(body[:20]),
)
def test_a_body_holds_what_json_finds_in_it(body: bytes) -> None:
    assert repr(read_body(body)) == repr(json.loads(body))


def test_an_id_that_was_noted_twice_is_a_repetition_and_no_other_is() -> None:
    ids, names = Ids(), [str(UUID(int=number)) for number in range(3000)]
    for name in names:
        ids.note(name)
    assert not ids.repeat()
    assert all(name in ids for name in names)
    assert not any(str(UUID(int=number)) in ids for number in range(3000, 6000))
    again = Ids()
    for name in [*names, names[1500]]:
        again.note(name)
    assert again.repeat()


def surveyed(count: int, limit: int, **select: Any) -> Any:  # noqa: ANN401 (a survey, less its type)
    run: Any = SimpleNamespace(now=NOW, observe=None)
    images = [tagged(id=f"i-{number}") for number in range(count)]
    return survey_of(images, SweepRequest(Select(**(select or {"name": "ci-*"})), limit=limit), run)


def test_over_a_cap_the_thousand_images_that_are_named_are_held_and_all_are_counted() -> None:
    survey = surveyed(1500, limit=3)
    assert [image.id for image in survey.selected] == [f"i-{number}" for number in range(1000)]
    assert (survey.selected_in_all, survey.looked_at, survey.changing) == (1500, 1500, 1500)


@pytest.mark.parametrize(("count", "limit"), [(1500, 1500), (1001, 1001), (1000, 0)])
def test_every_selected_image_is_held_but_over_a_cap_no_more_than_a_thousand(count: int, limit: int) -> None:
    survey = surveyed(count, limit)
    assert (len(survey.selected), survey.only_counted) == (count, 0)
    assert not any(image.record for image in survey.selected)
