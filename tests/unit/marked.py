"""A person at a shell who deals with marks, and sweeps that run before and after."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from handler.clock import Deadline
from handler.compose import invocation
from handler.compose.engines import aws
from handler.config.settings import Settings
from handler.report.report import Report
from handler.rules.marks import SWEEP, fingerprint
from handler.shell import marks
from handler.shell.screen.live.progress import Counting
from handler.sources.schema import read_request
from handler.work.marks.changing import Told
from handler.work.marks.listing import Listing
from tests.conftest import Context
from tests.fakecloud import FakeCloud

TODAY = datetime(2026, 6, 15, 12, tzinfo=UTC)
LATER = {"Retry-After": "3600"}
"""Longer than any run: what is answered so fails at once."""
CHANGES = "/tags|/actions"
Json = dict[str, Any]


def policy(grace: str = "", *, deactivate: bool = False, **select: object) -> Json:
    sweep: Json = {"select": select, "limit_percent": 100}
    sweep |= ({"grace": grace} if grace else {}) | ({"deactivate": True} if deactivate else {})
    return {"sweep": sweep}


A = policy("1d", tags=["temporary"])
B = policy("30d", name="ci-*")
AT_ONCE = policy(name="ci-*")


def name_of(request: Json) -> str:
    """The fingerprint of a policy."""
    return fingerprint(read_request(request))  # type: ignore[arg-type]  # a sweep


def signature(request: Json, day: str = "") -> str:
    return f"{SWEEP}={name_of(request)}" + (f"-{day}" if day else "")


class Watching(Counting):
    """Looks on, and does something once so many images were settled."""

    def __init__(self, after: int = -1, then: Callable[[Deadline], object] = lambda _: None) -> None:
        super().__init__()
        self.settled_images: list[str] = []
        self._after, self._then = after, then
        self._deadline: Deadline | None = None

    def begins(self, deadline: Deadline) -> None:
        self._deadline = deadline

    def settled(self, outcome: Any) -> None:  # noqa: ANN401 (an outcome)
        self.settled_images.append(outcome.image_id)
        if len(self.settled_images) == self._after and self._deadline:
            self._then(self._deadline)


@dataclass
class Shell:
    """The commands, through the API that the cloud's flavour has."""

    cloud: FakeCloud
    url: str
    given: dict[str, str] = field(default_factory=dict)
    shown: list[Listing] = field(default_factory=list)

    def settings(self, **more: str) -> Settings:
        api = {"REAPER_IMAGE_API": "ims" if self.cloud.flavour == "otc" else "glance"}
        return Settings.from_env(self.cloud.env(self.url) | api | self.given | more)

    def sweep(self, request: Json, *, day: float = 0) -> Report:
        settings = self.settings(REAPER_MODE="delete")
        return invocation.process(request, Context(), settings, aws, now=TODAY + timedelta(days=day))

    def listed(self, **more: str) -> Listing:
        return marks.list_marks(self.settings(**more), Counting())

    def veto(self, *image_ids: str, **more: str) -> tuple[Told, ...]:
        return marks.veto(self.settings(**more), image_ids, TODAY, Counting())

    def unmark_all(self, *, day: float = 0, confirmed: bool = True, watch: Counting | None = None) -> tuple[Told, ...]:
        """Nothing where the answer is no."""

        def confirm(listing: Listing) -> bool:
            self.shown.append(listing)
            return confirmed

        now = TODAY + timedelta(days=day)
        return marks.unmark_all(self.settings(), now, confirm, watch or Counting()) or ()

    def ours(self, image: str) -> list[str]:
        """What our tags on an image are called."""
        return sorted(tag.partition("=")[0] for tag in self.cloud.images[image].tags if tag.startswith("reaper-"))

    def dies(self, step: int, *, done: bool) -> None:
        """Let a run end at the change with this number; whether that was still made is as it may be."""
        self.cloud.fault(None, CHANGES, skip=step, status=503, apply=done, times=None, headers=LATER)


def words(told: tuple[Told, ...]) -> dict[str, str]:
    return {each.image_id: each.word for each in told}


def outcomes(report: Report) -> dict[str, tuple[str, str]]:
    return {outcome.image_id: (outcome.outcome, outcome.reason) for outcome in report.outcomes}
