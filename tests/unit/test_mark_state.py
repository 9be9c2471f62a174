"""The state of an image's marks: what the tags make of it, and that the drawing of the states is true."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from handler.compose import invocation
from handler.compose.engines import aws
from handler.config.settings import Settings
from handler.model.request import Select, SweepRequest
from handler.rules import mark_state
from handler.rules.mark_state import CHANGING, MarkState, state_of
from handler.rules.marks import (
    DEACTIVATED,
    DEACTIVATING,
    MARK,
    SWEEP,
    MarkTags,
    draft_for,
    fingerprint,
    read_tags,
    recall_for,
)
from tests.examples import DAY, IMAGE, NOW
from tests.fakecloud import FakeCloud, Server
from tests.faults import Hurry

GRACE = SweepRequest(Select(name="ci-*"), grace=7 * DAY)
AT_ONCE = GRACE._replace(grace=timedelta(0))
NOTICE = GRACE._replace(deactivate=True)
OURS, OTHERS = f"{SWEEP}={fingerprint(GRACE)}-{NOW.date()}", f"{SWEEP}=0123abcd"
DRAFT, RECALL = draft_for(fingerprint(GRACE), NOW.date(), NOW.date()), recall_for(fingerprint(GRACE), NOW.date())
OTHERS_DRAFT, OLD_DRAFT = (draft_for("0123abcd", NOW.date(), (NOW - days * DAY).date()) for days in (1, 2))
TOMORROW, YESTERDAY, LONG_AGO = (f"{MARK}={(NOW + days * DAY).date()}" for days in (1, -1, -40))

STATES: dict[str, tuple[SweepRequest, tuple[str, ...], MarkState]] = {
    "nothing": (GRACE, (), MarkState.UNMARKED),
    "nothing, and no grace": (AT_ONCE, (), MarkState.DUE),
    "a mark": (GRACE, (TOMORROW, OURS), MarkState.WAITING),
    "a mark that nobody signed": (GRACE, (TOMORROW,), MarkState.WAITING),
    "a mark that nobody signed, and no grace": (AT_ONCE, (TOMORROW,), MarkState.WAITING),
    "a passed mark that nobody signed": (GRACE, (YESTERDAY,), MarkState.DUE),
    "a passed mark that nobody signed, and no grace": (AT_ONCE, (YESTERDAY,), MarkState.DUE),
    "a draft": (GRACE, (DRAFT,), MarkState.BEGUN),
    "a draft beside a mark": (GRACE, (YESTERDAY, OURS, DRAFT), MarkState.BEGUN),
    "a recall beside a mark": (GRACE, (YESTERDAY, RECALL), MarkState.BEGUN),
    "a recall alone": (GRACE, (RECALL,), MarkState.VETOED),
    "the draft of another": (GRACE, (OTHERS_DRAFT,), MarkState.FOREIGN),
    "the draft of another, from the day before yesterday": (GRACE, (OLD_DRAFT,), MarkState.UNMARKED),
    "the draft of another, beside a passed mark": (GRACE, (YESTERDAY, OLD_DRAFT), MarkState.FOREIGN),
    "the draft of another, beside a mark, and no grace": (AT_ONCE, (TOMORROW, OTHERS_DRAFT), MarkState.FOREIGN),
    "a mark, and no grace": (AT_ONCE, (TOMORROW, OURS), MarkState.WAITING),
    "a mark, and it is still to be deactivated": (NOTICE, (TOMORROW, OURS), MarkState.UNANNOUNCED),
    "a mark, and it is being deactivated": (NOTICE, (YESTERDAY, OURS, DEACTIVATING), MarkState.WAITING),
    "a mark whose day has passed": (GRACE, (YESTERDAY, OURS), MarkState.DUE),
    "the mark of another": (GRACE, (YESTERDAY, OTHERS), MarkState.FOREIGN),
    "the mark of another, and no grace": (AT_ONCE, (TOMORROW, OTHERS), MarkState.FOREIGN),
    "the passed mark of another, and no grace": (AT_ONCE, (YESTERDAY, OTHERS), MarkState.DUE),
    "the mark of another, from long ago": (GRACE, (LONG_AGO, OTHERS), MarkState.FORGOTTEN),
    "a signature alone": (GRACE, (OURS,), MarkState.VETOED),
    "a day that can't be read": (AT_ONCE, (f"{MARK}=soon",), MarkState.VETOED),
    "deactivated by us, and active": (GRACE, (YESTERDAY, OURS, DEACTIVATED), MarkState.VETOED),
}


@pytest.mark.parametrize(("sweep", "tags", "state"), STATES.values(), ids=STATES)
def test_what_the_tags_say_is_one_state(sweep: SweepRequest, tags: tuple[str, ...], state: MarkState) -> None:
    assert state_of(replace(IMAGE, tags=frozenset({"x", *tags})), sweep, NOW).state is state


def test_every_state_is_drawn_with_what_the_sweep_does_in_it() -> None:
    drawing, table = (mark_state.__doc__ or "").split("state         the tags say")
    names = {state.name for state in MarkState}
    assert set(re.findall(r"\b[A-Z]{3,}\b", drawing)) == names
    assert set(re.findall(r"^([A-Z]{3,}) ", table, re.MULTILINE)) == names
    acting = {line.split()[0] for line in table.splitlines() if re.search(r"  (marks|deactivates|deletes) it", line)}
    assert acting == {state.name for state in CHANGING}


def test_the_tags_of_an_image_are_read_once_for_the_list_and_once_on_its_trip(
    cloud: FakeCloud, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.add_image("ci-1", tags=[YESTERDAY, OURS])
    read: list[frozenset[str]] = []

    def counted(image: Any) -> MarkTags:  # noqa: ANN401 (an image)
        read.append(image.tags)
        return read_tags(image)

    monkeypatch.setattr(mark_state, "read_tags", counted)
    settings = Settings.from_env(cloud.env(server.url) | {"REAPER_MODE": "delete"})
    policy = {"sweep": {"select": {"name": "ci-*"}, "grace": "7d", "limit_percent": 100}}
    report = invocation.process(policy, Hurry(), settings, aws, now=NOW)
    assert (report.counts, len(read)) == ({"deleted": 1}, 2)
