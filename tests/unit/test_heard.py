"""What is heard of a survey: enough for the very page that hearing everything would have made, and no more."""

import random
import re
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from handler.model.image import Image
from handler.model.outcome import Decision, Outcome, Result, Survey
from handler.model.request import Keep, Select, SweepRequest
from handler.report.page import sections
from handler.report.page.page import page
from handler.report.report import Report
from handler.work.handling import failed
from handler.work.survey import heard
from handler.work.survey.heard import Heard
from handler.work.survey.survey import survey_of
from handler.work.sweeps import over_limit
from tests.unit.test_page import NOW, image

FEW = 7
OLD = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the page list few images, so that few make many."""
    monkeypatch.setattr(heard, "MOST_LISTED", FEW)
    monkeypatch.setattr(sections, "MOST_LISTED", FEW)


def project(seed: int, count: int = 60) -> list[Image]:
    """Images of several families, whose sizes often are the same."""
    draw = random.Random(seed)
    names = (f"{draw.choice(['ci', 'web', 'db', 'x'])}-{number}" for number in range(count))
    return [
        image(number, name=name, size=draw.choice([None, 1, 2, 3, 2**30]), created_at=OLD, tags=frozenset(tags))
        for number, name in enumerate(names)
        for tags in [draw.choice([[], [], ["reaper-delete-after=2026-01-05"]])]
    ]


def surveyed(images: list[Image], request: SweepRequest) -> tuple[Survey, Heard, list[Decision]]:
    """A survey, what was heard of it, and everything that could have been."""
    some, everything = Heard(request), list[Decision]()

    def hear(decision: Decision, is_held: bool) -> None:  # noqa: FBT001 (as the survey tells it)
        some.add(decision, is_held)
        everything.append(decision)

    run: Any = SimpleNamespace(now=NOW)
    return survey_of(images, request, run, hear), some, everything


def outcomes_of(survey: Survey, request: SweepRequest) -> tuple[Outcome, ...]:
    if over := over_limit(survey, request):
        return tuple(failed(each.id, over, each) for each in survey.selected)
    gone = (Outcome(each.id, "would_delete", name=each.name, size=each.size, image=each) for each in survey.selected)
    stay = (Outcome(each.id, "refused", "changed", image=each) for each in survey.deselected)
    return (*gone, *stay)


def shown(survey: Survey, request: SweepRequest, decisions: list[Decision]) -> str:
    result = Result("", request, outcomes_of(survey, request), survey=survey)
    return page(Report("direct", "dry-run", "r", "p", (result,)), decisions, NOW)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "request_",
    [
        SweepRequest(Select("ci-*"), limit=100, limit_percent=100),
        SweepRequest(Select("ci-*"), keep=Keep(2), limit=100, limit_percent=100),
        SweepRequest(Select("*"), limit=2),
        SweepRequest(Select("nothing-*")),
    ],
    ids=["all", "but the newest", "over the limit", "none"],
)
def test_the_page_is_the_one_that_hearing_everything_would_have_made(
    seed: int, request_: SweepRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handler.work.survey.survey.MOST_OVER_CAP", FEW)
    survey, some, everything = surveyed(project(seed), request_)
    told = list(some.told())
    assert len(told) <= FEW + len(survey.selected) + len(survey.deselected) < len(everything)
    assert shown(survey._replace(rest=some.rest()), request_, told) == shown(survey, request_, everything)


def test_of_more_groups_than_can_be_counted_none_is_said_to_be_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heard, "MOST_GROUPS", 2)
    request = SweepRequest(Select("ci-*"), limit=100, limit_percent=100)
    survey, some, _ = surveyed(project(1), request)
    assert some.rest().groups is None
    seen = shown(survey._replace(rest=some.rest()), request, list(some.told()))
    assert re.findall(r"<small>[0-9]+ of ", seen) == []
    assert re.findall(r"<small>[0-9]+ of ", shown(survey, request, list(some.told()))) != []


def many(count: int) -> Iterator[Image]:
    for number in range(count):
        yield image(number, name=f"web-{number % 50}-{number}", record={"x": "y" * 500}, created_at=OLD)


@pytest.mark.slow("thousands of images")
def test_what_is_heard_of_many_images_takes_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    some, run = Heard(SweepRequest(Select("ci-*"))), SimpleNamespace(now=NOW)
    tracemalloc.start()
    survey_of(many(20_000), SweepRequest(Select("ci-*")), run, some.add)  # type: ignore[arg-type] # all that it asks for
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(list(some.told())) == 2000
    assert held < 3_000_000
