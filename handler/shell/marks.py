"""What a command does with marks: lists them, gives a veto, or takes all of them off before uninstalling.

None of this can delete an image, so the mode does not matter: a person decides, and not a policy.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from typing import NamedTuple

from handler.clock import Deadline
from handler.cloud.calls import Cloud
from handler.cloud.transport import Transport
from handler.compose import ending
from handler.compose.engines import shell
from handler.compose.projects.run import options_of
from handler.compose.warm import access_to_cloud, drop_access
from handler.config.settings import Settings
from handler.engine.ports import Lease
from handler.errors import Busy, CloudError, InvalidSettings, Unexpected
from handler.model.outcome import Outcome
from handler.shell.runs.running import ShellContext
from handler.work.marks.changing import Told, Workplace, failed, freed, vetoed
from handler.work.marks.listing import Listing, listed
from handler.work.marks.side_by_side import side_by_side
from handler.work.parallel import in_time
from handler.work.run import Progress, Watch

Confirm = Callable[[Listing], bool]
"""Is shown what would be taken off, and returns whether that may be done."""


class _Visit(NamedTuple):
    """A run of such a command: the cloud, and what it lasts for."""

    settings: Settings
    cloud: Cloud
    deadline: Deadline
    progress: Progress
    watch: Watch
    request_id: str

    def listed(self) -> Listing:
        """List the marked images, in time."""
        self.watch.lists()
        found = in_time(lambda: listed(self.cloud), self.deadline, self.progress)
        self.watch.listed()
        return found

    def place(self, now: datetime, lease: Lease | None = None) -> Workplace:
        """Where images are changed: with a lease, only while it is held."""
        project_id = in_time(lambda: self.cloud.project_id, self.deadline, self.progress)
        changes = self.cloud.changes
        return Workplace(
            cloud=self.cloud,
            changes=changes.while_held(lease.hold) if lease else changes,
            project_id=project_id,
            today=now.date(),
            keep_tag=self.settings.keep_tag,
        )

    def each(self, image_ids: Sequence[str], deal_with: Callable[[str], Told]) -> tuple[Told, ...]:
        """Deal with images, and have it watched."""
        self.watch.takes_on(len(image_ids))
        most = self.settings.concurrency
        return side_by_side(image_ids, deal_with, self.deadline, self.progress, most, self._settle)

    def _settle(self, told: Told) -> None:
        self.watch.settled(Outcome(told.image_id, "failed" if told.is_failure else "refused", detail=told.detail))


def list_marks(settings: Settings, watch: Watch) -> Listing:
    """The images of the project that bear a tag of ours; raises ReaperError if not all images could be listed."""
    with _visit(settings, watch) as visit:
        return visit.listed()


def veto(settings: Settings, image_ids: Sequence[str], now: datetime, watch: Watch) -> tuple[Told, ...]:
    """Give a veto for each image; raises ReaperError if nothing could be begun."""
    with _visit(settings, watch) as visit:
        place = visit.place(now)
        return visit.each(tuple(dict.fromkeys(image_ids)), partial(vetoed, place=place))


def unmark_all(settings: Settings, now: datetime, confirm: Confirm, watch: Watch) -> tuple[Told, ...] | None:
    """Take all marks off that no person has decided on; None if `confirm` says no.

    It is not asked where nothing is marked. Where there is a state table, no sweep can run meanwhile. Raises
    ReaperError if nothing could be begun, Busy if a sweep is under way.
    """
    with _visit(settings, watch) as visit:
        found = visit.listed()
        if found.marked and not confirm(found):
            return None
        with _leased(visit) as lease:
            place = visit.place(now, lease)
            done = visit.each([each.image.id for each in found.marked], partial(freed, place=place))
        unread = [
            failed(image.id, Unexpected("its tags can't be read: it may be marked")) for image in found.unreadable
        ]
        return (*done, *unread, *_marked_meanwhile(visit, found))


def _marked_meanwhile(visit: _Visit, before: Listing) -> tuple[Told, ...]:
    """What has been marked since: only a sweep that still runs does that."""
    known = {each.image.id for each in before.marked}
    if not known:
        return ()
    try:
        found = visit.listed()
    except CloudError as error:
        return (failed("", Unexpected(f"what is marked now could not be listed: {error}")),)
    why = Busy("a sweep has marked it meanwhile: stop all sweeps, and run this again")
    return tuple(
        failed(each.image.id, why)._replace(image=each.image) for each in found.marked if each.image.id not in known
    )


@contextmanager
def _visit(settings: Settings, watch: Watch) -> Iterator[_Visit]:
    if settings.is_for_all:
        message = (
            "REAPER_CREDENTIALS_SECRET: names a secret for each project: marks are listed and changed in one project "
            "at a time, so put its id in the place of {project_id}"
        )
        raise InvalidSettings(message)
    context, progress = ShellContext(), Progress(0)
    deadline = Deadline(ending.remaining_of(context))
    watch.begins(deadline)
    with (
        access_to_cloud(settings, shell.rotated, shell.forget_secret) as access,
        ending.of(deadline, progress, lambda: drop_access(access)),
    ):
        yield _Visit(
            settings=settings,
            cloud=Cloud(Transport(access.session, access.identity, deadline), options_of(settings)),
            deadline=deadline,
            progress=progress,
            watch=watch,
            request_id=context.aws_request_id,
        )


@contextmanager
def _leased(visit: _Visit) -> Iterator[Lease | None]:
    """The lease of the project, which every armed sweep needs; None if nothing keeps one."""
    project_id = in_time(lambda: visit.cloud.project_id, visit.deadline, visit.progress)
    lease = shell.lease(visit.settings, project_id, visit.request_id, visit.deadline)
    if lease is None:
        yield None
        return
    in_time(lease.take, visit.deadline, visit.progress)
    try:
        yield lease
    finally:
        with suppress(CloudError):
            in_time(lease.release, visit.deadline.beyond_halt(), Progress(0))
