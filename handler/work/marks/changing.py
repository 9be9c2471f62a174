"""Carries out what a person wants of the marks of images, image by image, and tells what became of each."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Literal, NamedTuple

from handler.cloud.calls import Cloud
from handler.cloud.changes import Changes
from handler.errors import Busy, CloudError, Unexpected
from handler.model.image import Image, is_uuid
from handler.rules.marks import MARK, Step, read_day, read_tags, veto_in
from handler.work.grace import MOST_PLANS, take
from handler.work.marks.freeing import ROOM, to_free
from handler.work.marks.vetoing import to_veto, traces_of

Word = Literal["vetoed", "unmarked", "stays", "not marked", "unknown", "failed"]
FAILURES = frozenset({"not marked", "unknown", "failed"})


class Told(NamedTuple):
    """What became of an image, in a word and in a sentence.

    `tags` are those that are left on it and count: whoever takes them off withdraws the veto, or frees the image.
    `image` is the image as it was last read, None if there is none.
    """

    image_id: str
    word: Word
    detail: str
    image: Image | None = None
    tags: tuple[str, ...] = ()

    @property
    def is_failure(self) -> bool:
        """Whether a person must look at it again."""
        return self.word in FAILURES


class Workplace(NamedTuple):
    """What the work on an image is given: the cloud, the changes that may be made there, the project, and the day."""

    cloud: Cloud
    changes: Changes
    project_id: str
    today: date
    keep_tag: str = ""


def vetoed(image_id: str, place: Workplace) -> Told:
    """Give a veto: take the marks off an image, and see that a trace of that keeps every sweep away."""
    made = list[Step]()
    try:
        return _vetoed(image_id, place, made)
    except CloudError as error:
        return failed(image_id, error, made)


def freed(image_id: str, place: Workplace) -> Told:
    """Take every tag of ours off an image, unless a person has decided on it."""
    made = list[Step]()
    try:
        return _freed(image_id, place, made)
    except CloudError as error:
        return failed(image_id, error, made)


def failed(image_id: str, error: CloudError, made: Sequence[Step] = ()) -> Told:
    """An image that could not be dealt with; `made` are the changes that it has already."""
    begun = (
        "; part of it is done, which permits no deletion that was not permitted before: run this again" if made else ""
    )
    return Told(image_id=image_id, word="failed", detail=f"{error}{begun}")


def _vetoed(image_id: str, place: Workplace, made: list[Step]) -> Told:
    image = _known(image_id, place)
    if image is None:
        detail = f"project {place.project_id} knows no such image: check the id, the region and the project"
        return Told(image_id=image_id, word="unknown", detail=detail)
    for _ in range(MOST_PLANS):
        was_marked = any(step.tag.startswith(MARK) for step in made)
        plan = to_veto(image, place.keep_tag, was_marked=was_marked)
        if plan.problem:
            return Told(image_id=image_id, word="not marked", detail=plan.problem, image=image)
        if not plan.steps:
            tags, detail = (
                traces_of(image, place.keep_tag),
                _story(made, place.keep_tag) or _earlier(image, place.keep_tag),
            )
            return Told(image_id=image_id, word="vetoed", detail=detail, image=image, tags=tags)
        image = _changed(image, plan.steps, place, made)
        if image is None:
            message = "it was deleted meanwhile"
            raise Unexpected(message)
    raise _restless()


def _freed(image_id: str, place: Workplace, made: list[Step]) -> Told:
    image = _known(image_id, place)
    for _ in range(MOST_PLANS):
        if image is None:
            return Told(image_id=image_id, word="unmarked", detail="the image is gone")
        plan = to_free(image, place.today)
        if plan.busy:
            raise Busy(plan.busy)
        if not plan.steps:
            return _left(image, plan.stays, made)
        if plan.begins:
            place.changes.check_room(image.tags, ROOM)
        image = _changed(image, plan.steps, place, made)
    raise _restless()


def _left(image: Image, stays: str, made: Sequence[Step]) -> Told:
    """What has become of an image to which nothing is left to do."""
    if stays:
        detail = "; ".join(filter(None, (stays, _activation(made))))
        return Told(image_id=image.id, word="stays", detail=detail, image=image, tags=our_tags(image))
    detail = _story(made) or "no tag of image-reaper is left on it"
    return Told(image_id=image.id, word="unmarked", detail=detail, image=image)


def _known(image_id: str, place: Workplace) -> Image | None:
    """Read an image of our project; None if there is none. Raises CloudError."""
    # Its address would be made of an id that may hold anything.
    if not is_uuid(image_id):
        message = "its id must be a UUID with hyphens: an image with any other can't be named here"
        raise Unexpected(message)
    return _ours(place.cloud.image(image_id), place)


def _ours(image: Image | None, place: Workplace) -> Image | None:
    if image and image.owner != place.project_id:
        message = f"it belongs to project {image.owner}, not to {place.project_id}: nothing was changed"
        raise Unexpected(message)
    return image


def _changed(image: Image, steps: Iterable[Step], place: Workplace, made: list[Step]) -> Image | None:
    """The image as it is once these steps are made; each is noted in `made` as soon as it is."""
    for step in steps:
        take([step], image, place.changes)
        made.append(step)
    return _ours(place.cloud.image(image.id), place)


def _restless() -> CloudError:
    return Unexpected("somebody else changes its tags all the time")


def our_tags(image: Image) -> tuple[str, ...]:
    """The tags on an image that are marks, or stand beside one."""
    tags = read_tags(image)
    known = {*tags.marks, *(each.tag for each in (*tags.signatures, *tags.holds))}
    return tuple(sorted(tag for tag in image.tags if tag in known or tag.casefold().startswith("reaper")))


def _story(made: Sequence[Step], keep_tag: str = "") -> str:
    """What was done to an image, as a sentence; empty if nothing was."""
    taken = [step.tag for step in made if step.verb == "untag" and step.tag.startswith(MARK)]
    days = ", ".join(str(read_day(tag[len(MARK) + 1 :]) or tag) for tag in dict.fromkeys(taken))
    is_kept = Step("tag", keep_tag) in made
    parts = (
        f"it was tagged {keep_tag}, since no policy has signed its mark" if is_kept else "",
        f"its mark until {days} was taken off" if days else "",
        _activation(made),
    )
    return "; ".join(filter(None, parts)) or ("what was left of a mark was taken off" if made else "")


def _activation(made: Sequence[Step]) -> str:
    return "it is active again" if any(step.verb == "activate" for step in made) else ""


def _earlier(image: Image, keep_tag: str) -> str:
    """Why an image needs no veto."""
    veto = veto_in(read_tags(image), image.status)
    return f"it was vetoed before: {veto}" if veto else f"it is not marked, and it is tagged {keep_tag}"
