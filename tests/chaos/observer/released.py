"""What a sweep has to take back: marks of its own on images that it no longer selects, and deactivations with them."""

from collections.abc import Iterator

from tests.chaos.history import Image
from tests.chaos.observer import marks
from tests.chaos.observer.asked import Asked
from tests.chaos.observer.case import Case
from tests.chaos.observer.policy import fits, key_of
from tests.chaos.observer.telling import was_troubled

Version = Image | None


def check_released(case: Case) -> None:
    """Check what a sweep has left, if nobody was in its way."""
    (asked,) = case.event.asked if len(case.event.asked) == 1 else (None,)
    if asked is None or not _had_its_way(case, asked):
        return
    for image_id, first, last in _untouched(case, asked):
        if marks.DEACTIVATED in first.tags and not marks.is_touched(last) and last.status == "deactivated":
            case.say("left deactivated", f"its tags were {sorted(first.tags)}, and are {sorted(last.tags)}", image_id)
        if _is_own(case, asked, first) and not _is_selected(case, asked, first) and marks.days_of(last):
            case.say("left marked", f"it is no longer selected, and its tags are {sorted(last.tags)}", image_id)


def _had_its_way(case: Case, asked: Asked) -> bool:
    is_sound = case.was_answered and not was_troubled(case) and not asked.problem and not asked.not_after
    return is_sound and bool(asked.sweep and asked.grace) and not case.rehearses(asked)


def _untouched(case: Case, asked: Asked) -> Iterator[tuple[str, Image, Image]]:
    """The images of the project that nobody else has changed meanwhile: as they were, and as they are."""
    survey = case.survey(asked)
    for image_id in survey.images if survey else ():
        versions = case.versions(image_id)
        first, last = versions[0], versions[-1]
        acts = [act for act in case.index.acts[image_id] if act.moment.order > case.begun.order]
        if first and last and last.alive and not acts:
            yield image_id, first, last


def _is_own(case: Case, asked: Asked, image: Image) -> bool:
    """Whether an image bears a mark of this policy alone, which nobody objects to."""
    signers = marks.signers_of(image)
    theirs = [case.index.signers.get(signer, set()) for signer in signers]
    is_whole = bool(marks.days_of(image)) and not marks.is_begun(image) and not marks.is_vetoed(image)
    return is_whole and theirs == [{key_of(asked.sweep or {})}]


def _is_selected(case: Case, asked: Asked, image: Image) -> bool:
    return any(fits(image, asked.select, time, unknown=True) for time in case.times)
