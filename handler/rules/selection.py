"""A sweep's policy: which images it selects, and which of them stay. Pure.

What is not known selects nothing: an image of unknown age stays, and so does one in no group if the policy keeps some
of each group.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from fnmatch import fnmatchcase
from heapq import heappush, heappushpop

from handler.errors import Unexpected
from handler.model.image import Image
from handler.model.masking import beginning
from handler.model.outcome import Decision, Objection
from handler.model.request import Keep, Select, SweepRequest
from handler.rules.tags import has_tag, tags_with_prefix
from handler.rules.unused import why_not_unused

UNREADABLE = "unexpected"
"""The reason why an image stays that may be selected, if only it could be read."""
GROUPED_BY = {"name": "name", "tag-prefix": "tags"}
"""The field that the groups of an image are taken from; a property can always be read."""

Condition = Callable[[Image, Select, datetime], str]


def decide(images: Iterable[Image], sweep: SweepRequest, now: datetime) -> Iterator[Decision]:
    """Decide for each image whether the policy selects it, and if not, why not.

    Images are read one by one. Only if the policy keeps the newest, those that meet the conditions are held in memory,
    and the newest of each group. A group counts all active images of the project, even those that do not meet the
    conditions.
    """
    newest = _Newest(sweep.keep) if sweep.keep else None
    matched = []
    for image in images:
        if image.unread:
            yield _decision_on_unread(image, sweep, now)
            continue
        groups = newest.add(image, now) if newest else ()
        why_not = objection(image, sweep.select, now)
        if not why_not and newest and not groups:
            why_not = Objection("group", f"in no group by {newest.keep.group_by}")
        decision = Decision(image=image, objection=why_not, groups=groups)
        # Which images are the newest is known after the last one; until then, those that may go are held without their
        # records, which are nearly all of their size.
        if why_not or not newest:
            yield decision
        else:
            matched.append(decision._replace(image=image.without_record()))
    stay = newest.reasons() if newest else {}
    for decision in matched:
        yield decision._replace(objection=stay.get(decision.image.id))


def objection(image: Image, select: Select, now: datetime) -> Objection | None:
    """Return the first condition that does not hold for an image, or None if all of them do."""
    for reason, condition in CONDITIONS.items():
        # Of a field that can't be read, nobody knows whether it meets the condition.
        if reason not in image.unread and (detail := condition(image, select, now)):
            return Objection(reason, detail)
    return None


def _decision_on_unread(image: Image, sweep: SweepRequest, now: datetime) -> Decision:
    """An image that can't be read whole stays: because what can be read is not selected, or else as UNREADABLE.

    It does not count among the newest, so that one more than asked for stays. Raises Unexpected if the policy keeps the
    newest, and nobody knows of which group this image is one.
    """
    detail = "; ".join(f"its {field} can't be read: {beginning(image.record.get(field))!r}" for field in image.unread)
    is_groupless = sweep.keep and GROUPED_BY.get(sweep.keep.group_by.partition(":")[0]) in image.unread
    if sweep.keep and is_groupless and _may_be_newest(image, now):
        message = f"image {image.id} is in a group by {sweep.keep.group_by} that nobody knows: {detail}"
        raise Unexpected(message)
    why_not = objection(image, sweep.select, now) or Objection(UNREADABLE, detail)
    return Decision(image=image.without_record(), objection=why_not)


def groups_of(image: Image, group_by: str) -> tuple[str, ...]:
    """The groups that an image is in; there may be several if images are grouped by tags."""
    return _grouping(group_by)(image)


def _grouping(group_by: str) -> Callable[[Image], tuple[str, ...]]:
    """How groups are found, worked out once and not for each image."""
    kind, _, key = group_by.partition(":")
    if kind == "name":
        return lambda image: (family(image.name),) if image.name else ()
    if kind == "property":
        return lambda image: () if (value := image.record.get(key)) is None else (str(value),)
    return lambda image: tuple(sorted(tags_with_prefix(image, key)))


def family(name: str) -> str:
    """The part of a name up to its last hyphen: what the images of one build job have in common."""
    return name.rpartition("-")[0] or name


def _may_be_newest(image: Image, now: datetime) -> bool:
    """Whether an image can be used, as far as is known, and its age is known."""
    is_usable = image.status == "active" or "status" in image.unread
    return is_usable and image.created_at is not None and image.created_at <= now


class _Newest:
    """The newest images of each group, among those read so far."""

    def __init__(self, keep: Keep) -> None:
        self.keep = keep
        self._groups_of = _grouping(keep.group_by)
        self._groups: dict[str, list[tuple[datetime, str]]] = {}

    def add(self, image: Image, now: datetime) -> tuple[str, ...]:
        """Count an image, if it can be used and its age is known. Returns its groups, whether it counts or not."""
        groups = self._groups_of(image)
        # Anything else would push a usable image out of the newest, and so let it be deleted.
        if image.created_at is None or not _may_be_newest(image, now):
            return groups
        for group in groups:
            heap = self._groups.setdefault(group, [])
            add = heappush if len(heap) < self.keep.newest else heappushpop
            add(heap, (image.created_at, image.id))
        return groups

    def reasons(self) -> dict[str, Objection]:
        """Why each of the newest stays, by its id."""
        among = "the newest" if self.keep.newest == 1 else f"among the {self.keep.newest} newest"
        return {
            image_id: Objection("newest", f"{among} of {group}")
            for group, heap in self._groups.items()
            for _, image_id in heap
        }


def _name(image: Image, select: Select, _now: datetime) -> str:
    if not select.name or fnmatchcase(image.name or "", select.name):
        return ""
    return f"its name does not match {select.name}"


def _family(image: Image, select: Select, _now: datetime) -> str:
    # Compared as a group, and not as the beginning of a name: `ubuntu-*` would select the images of `ubuntu-gpu`.
    if not select.family or (image.name and family(image.name) == select.family):
        return ""
    return f"it is not of the family {select.family}"


def _tags(image: Image, select: Select, _now: datetime) -> str:
    missing = [tag for tag in sorted(select.tags) if not has_tag(image, tag)]
    return f"it lacks the tag {missing[0]}" if missing else ""


def _properties(image: Image, select: Select, _now: datetime) -> str:
    for key, value in select.properties:
        actual = image.record.get(key)
        if actual is None or _spelled(actual) != _spelled(value):
            return f"its {key} is not {value}"
    return ""


def _spelled(value: object) -> str:
    """A value as a request spells it: a boolean as in JSON, `true`, also where IMS has the string `True`."""
    spelled = str(value)
    return spelled.lower() if spelled in {"True", "False"} else spelled


def _status(image: Image, select: Select, _now: datetime) -> str:
    return "" if select.status in {"", image.status} else f"its status is {image.status}"


def _age(image: Image, select: Select, now: datetime) -> str:
    if image.created_at is None:
        return "its age is unknown"
    if image.created_at > now:
        return f"it was created in the future, at {image.created_at.isoformat()}"
    if select.older_than is not None and now - image.created_at <= select.older_than:
        return f"it is younger than asked for: created at {image.created_at.isoformat()}"
    if select.created_before is not None and image.created_at >= select.created_before:
        return f"it was created at {image.created_at.isoformat()}"
    return ""


def _size(image: Image, select: Select, _now: datetime) -> str:
    if select.size_over is None or (image.size is not None and image.size > select.size_over):
        return ""
    return "its size is unknown" if image.size is None else f"its size is {image.size}"


CONDITIONS: dict[str, Condition] = {
    "name": _name,
    "family": _family,
    "tags": _tags,
    "properties": _properties,
    "status": _status,
    "age": _age,
    "size": _size,
    "use": why_not_unused,
}
"""Every condition, by the reason of its objection; the first that does not hold says why an image stays."""
