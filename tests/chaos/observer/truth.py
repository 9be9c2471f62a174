"""Whether what is said of an image was true at any moment while an invocation ran."""

from collections.abc import Iterator

from tests.chaos.history import Image
from tests.chaos.observer import marks
from tests.chaos.observer.approvals import was_dealt_with
from tests.chaos.observer.asked import Asked
from tests.chaos.observer.case import Case
from tests.chaos.observer.index import Span
from tests.chaos.observer.policy import fits
from tests.chaos.observer.rules import Facts, may_speak, speak_surely
from tests.chaos.observer.settings import UPLOADS

SEEN_BY_OTHERS = ("snapshots", "scaling", "images")
"""What may use images as well, and what the history does not tell of."""


def is_known(case: Case, image: Image | None) -> bool:
    """Whether the cloud tells us of an image."""
    if image is None or not image.alive:
        return False
    is_open = image.visibility in {"public", "community"}
    return is_open or image.owner == case.project or (image.visibility == "shared" and case.project in image.members)


def was_gone(case: Case, image_id: str) -> bool:
    """Whether it did not exist for us at some moment."""
    return not all(is_known(case, image) for image in case.versions(image_id))


def is_gone(case: Case, image_id: str) -> bool:
    """Whether it was gone in the end."""
    return not is_known(case, case.versions(image_id)[-1])


def seen(case: Case, image_id: str) -> list[Image]:
    """All that it was at some moment."""
    return [image for image in case.versions(image_id) if image and image.alive]


def facts_of(case: Case, asked: Asked, image_id: str) -> Facts:
    """With what an image is judged for a request."""
    early, late = case.times
    return Facts(case.settings, early, late, asked.targets.get(image_id, {}), asked.select.get("status") or "")


def reasons(case: Case, asked: Asked, image_id: str) -> set[str]:
    """Every reason for which an image may truly be refused."""
    facts = facts_of(case, asked, image_id)
    found = {reason for image in seen(case, image_id) for reason in may_speak(image, facts)}
    found |= {reason for reason, is_true in _others(case, asked, image_id) if is_true}
    return found


def _others(case: Case, asked: Asked, image_id: str) -> Iterator[tuple[str, bool]]:
    images, late = seen(case, image_id), case.times[1]
    yield "expired", bool(asked.not_after and asked.not_after < late)
    yield "in_use", any(_overlaps(case, span) for span in case.index.spans(image_id))
    yield "in_use", bool(case.settings.also & {*SEEN_BY_OTHERS}) or _was_turned_down(case, image_id, 409)
    yield "shared", any(_invites(image) for image in images)
    yield "not_ready", any(image.status in UPLOADS for image in images)
    # IMS tells a size that nobody knows as 0, which is not what was expected.
    yield "changed", "size" in asked.targets.get(image_id, {}) and any(not image.size for image in images)
    yield "protected", _was_turned_down(case, image_id, 403)
    if asked.sweep:
        yield "kept", any(map(marks.is_vetoed, images))
        yield "changed", _may_have_changed(case, asked, image_id, images)
    if asked.activated and image_id == asked.activated["image_id"]:
        yield "changed", True


def _may_have_changed(case: Case, asked: Asked, image_id: str, images: list[Image]) -> bool:
    early, late = case.times
    if len(images) > 1 or not all(fits(image, asked.select, early, unknown=False) for image in images):
        return True
    survey = case.survey(asked)
    return early.date() != late.date() or survey is None or not survey.surely_selects(image_id)


def _invites(image: Image) -> bool:
    return image.visibility == "shared" and any(status != "rejected" for status in image.members.values())


def _overlaps(case: Case, span: Span) -> bool:
    is_then = span.since.order <= case.ended.order and span.until.order >= case.begun.order
    return is_then and span.project == case.project


def _was_turned_down(case: Case, image_id: str, status: int) -> bool:
    return any(one.status == status for one in case.deletes.get(image_id, ()))


def may_go(case: Case, asked: Asked, image_id: str) -> bool:
    """Whether there was a moment at which nothing that is known spoke against its deletion."""
    facts = facts_of(case, asked, image_id)
    return any(not speak_surely(image, facts) for image in seen(case, image_id)) and not _is_surely_used(case, image_id)


def _is_surely_used(case: Case, image_id: str) -> bool:
    users = (
        span
        for span in case.index.spans(image_id)
        if span.project == case.project and span.kind == "server" and case.is_known_use(span, image_id, case.ended)
    )
    is_used = any(span.since.order < case.begun.order and span.until.order > case.ended.order for span in users)
    return is_used and case.settings.checks_use


def was_marked(case: Case, image_id: str) -> bool:
    """Whether it bore a mark, or a run was about to set one, at some moment."""
    return any(marks.days_of(image) or marks.is_begun(image) for image in seen(case, image_id))


def is_settled(case: Case, asked: Asked, image_id: str) -> bool:
    """Whether a request may count as done as far as this image goes."""
    if case.settings.mode == "paused":
        return False
    if case.rehearses(asked) or was_gone(case, image_id):
        return True
    if asked.sweep and (case.settings.fanout or was_marked(case, image_id)):
        return True
    if asked.approves and _was_left_by_others(case, asked, image_id):
        return True
    return bool(reasons(case, asked, image_id))


def _was_left_by_others(case: Case, asked: Asked, image_id: str) -> bool:
    """Whether an image of a plan was left to the workers, or dealt with by an earlier run."""
    return (case.settings.fanout and case.was_sent(image_id)) or was_dealt_with(case, asked, image_id)
