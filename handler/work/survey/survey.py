"""The survey of a sweep: it looks at every image of the project once, and keeps nothing of one that is only counted."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import date, datetime, timedelta

from handler.cloud.paging import read_anew
from handler.engine.ports import Lease
from handler.model.image import Image
from handler.model.outcome import Decision, Survey
from handler.model.request import SweepRequest
from handler.rules import selection
from handler.rules.mark_state import CHANGING, Mark, MarkState, state_of
from handler.work.run import Run, Watch
from handler.work.survey.heard import Heard

MOST_OVER_CAP = 1000
"""Images over a cap that get an outcome of their own; of more, only the number is reported."""

PATIENCE = timedelta(days=3)
"""How long after its last day a marked image is left to workers; then the sweep deals with it itself."""


def surveyed(request: SweepRequest, run: Run) -> Survey:
    """Survey the images of the project; what an aborted reading of the list has decided is not told to anybody."""
    observe = run.observe

    def survey() -> tuple[Survey, Heard]:
        heard = Heard(request)
        # Closed by us, even after an error, whose traceback would keep it open: no thread may go on reading ahead.
        with closing(run.cloud.images()) as images:
            listed = _while_held(images, run.lease) if run.lease else images
            listed = _watched(listed, run.watch) if run.watch else listed
            return survey_of(listed, request, run, heard.add if observe else None), heard

    found, heard = read_anew(survey)
    if observe is None:
        return found
    for decision in heard.told():
        observe(decision)
    return found._replace(rest=heard.rest())


def _while_held(images: Iterable[Image], lease: Lease) -> Iterator[Image]:
    # The list may take many minutes. Meanwhile, nothing else renews the lease.
    for image in images:
        lease.hold()
        yield image


def _watched(images: Iterable[Image], watch: Watch) -> Iterator[Image]:
    watch.lists()
    for image in images:
        yield image
        watch.listed()


Hear = Callable[[Decision, bool], None]
"""Gets the decision on an image, and whether it is held: something may still become of it."""


def survey_of(images: Iterable[Image], request: SweepRequest, run: Run, hear: Hear | None = None) -> Survey:
    """Look at every image once; raises CloudError if not all of them could be listed."""
    findings = _Findings(request, run.now)
    for decision in selection.decide(images, request, run.now):
        is_held = findings.add(decision)
        if hear:
            hear(decision, is_held)
    return findings.survey()


class _Findings:
    """What a survey has found so far."""

    def __init__(self, request: SweepRequest, now: datetime) -> None:
        self._request, self._now = request, now
        self._selected, self._deselected, self._for_workers = list[Image](), list[Image](), list[Image]()
        self._unreadable = list[Decision]()
        self._stay, self._changing, self._only_counted = Counter[str](), 0, 0

    def add(self, decision: Decision) -> bool:
        """Count an image; returns whether it is held as well."""
        if decision.objection:
            return self._add_staying(decision, decision.objection.reason)
        return self._add_selected(decision.image)

    def _add_staying(self, decision: Decision, reason: str) -> bool:
        self._stay[reason] += 1
        if reason == selection.UNREADABLE:
            self._unreadable.append(decision)
        elif self._request.grace and not decision.image.unread and self._mark_of(decision.image).removable:
            self._deselected.append(decision.image.without_record())
        else:
            return False
        return True

    def _add_selected(self, image: Image) -> bool:
        mark = self._mark_of(image)
        # Only those to which something would happen. If vetoes counted, thirty of them would stop a sweep with a limit
        # of 25 for ever.
        self._changing += mark.state in CHANGING
        # The cap is broken, whatever follows: nothing is done with any of them, and there may be a hundred thousand.
        if self._changing > self._request.limit and len(self._selected) >= MOST_OVER_CAP:
            self._only_counted += 1
            return False
        self._selected.append(image.without_record())
        if _is_for_workers(mark, self._now.date()):
            self._for_workers.append(self._selected[-1])
        return True

    def _mark_of(self, image: Image) -> Mark:
        return state_of(image, self._request, self._now)

    def survey(self) -> Survey:
        return Survey(
            looked_at=self._stay.total() + len(self._selected) + self._only_counted,
            selected=tuple(self._selected),
            deselected=tuple(self._deselected),
            unreadable=tuple(self._unreadable),
            stay=tuple(sorted(self._stay.items())),
            changing=self._changing,
            for_workers=tuple(self._for_workers),
            only_counted=self._only_counted,
        )


def _is_for_workers(mark: Mark, today: date) -> bool:
    """Whether an image is left to a worker: it must be due, since marks are set by the sweep itself.

    One that has been due for some days is no longer left to a worker. It would be gone if none had refused it, and only
    a sweep can take its mark off.
    """
    return mark.state is MarkState.DUE and (mark.last_day is None or today - mark.last_day <= PATIENCE)
