"""A sweep's policy: which images it selects, which of them stay, and when a marked one is due. Pure.

Nothing is selected by what is not known: an image of unknown age, or in no group where groups are asked for, stays.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase
from heapq import heappush, heappushpop

from handler.model import Decision, Image, Keep, Refusal, Select, SweepRequest

MARK = "reaper-delete-after"
"""The tag of an image that waits for its deletion; its value is the last day on which it stays."""
SWEEP = "reaper-sweep"
"""The tag that says which sweep has marked the image. Without a mark beside it, somebody took the mark off."""
DEACTIVATING, DEACTIVATED = "reaper-deactivating", "reaper-deactivated"
"""The tags of an image that is about to be deactivated since it is marked, and of one that was."""
FORGOTTEN = timedelta(days=31)
"""How long after its last day a mark counts as forgotten by the sweep that set it, so that any sweep takes it off."""

Condition = Callable[[Image, Select, datetime], str]


def decide(images: Iterable[Image], sweep: SweepRequest, now: datetime) -> Iterator[Decision]:
    """Say of each image whether the policy selects it, and why not.

    Images come one by one; only those that the conditions hold for are remembered, and the newest of each group. A
    group counts all images of the project that are active, also those that the conditions do not hold for.
    """
    newest = _Newest(sweep.keep) if sweep.keep else None
    matched = []
    for image in images:
        if newest:
            newest.add(image, now)
        why_not = objection(image, sweep.select, now)
        if why_not:
            yield Decision(image, why_not)
        elif newest and not groups_of(image, newest.keep.group_by):
            yield Decision(image, Refusal("group", f"in no group by {newest.keep.group_by}"))
        else:
            matched.append(image.without_record())
    stay = newest.reasons() if newest else {}
    for image in matched:
        yield Decision(image, stay.get(image.id))


def objection(image: Image, select: Select, now: datetime) -> Refusal | None:
    """Say which condition does not hold for an image, or None if all of them do."""
    for reason, condition in CONDITIONS.items():
        if detail := condition(image, select, now):
            return Refusal(reason, detail)
    return None


def groups_of(image: Image, group_by: str) -> tuple[str, ...]:
    """The groups that an image is in: by tags, there may be several."""
    kind, _, key = group_by.partition(":")
    if kind == "name":
        return (family(image.name),) if image.name else ()
    if kind == "property":
        value = image.record.get(key)
        return () if value is None else (str(value),)
    return tuple(sorted(tag for tag in image.tags if tag.startswith(key)))


def family(name: str) -> str:
    """The part of a name up to its last hyphen: what the images of one build job have in common."""
    return name.rpartition("-")[0] or name


def refusal(image: Image, sweep: SweepRequest, now: datetime) -> Refusal | None:
    """Say why a sweep leaves an image alone that it had selected: it has changed, or somebody wants it to stay."""
    if why_not := objection(image, sweep.select, now):
        return Refusal("changed", f"no longer selected: {why_not.detail}")
    return veto(image) if sweep.grace else None


def veto(image: Image) -> Refusal | None:
    """Say how somebody has let us know that a marked image shall stay, or None if nobody has."""
    days = _days(image)
    if not days and signatures_of(image):
        return Refusal("kept", "its mark was taken off")
    if None in days:
        return Refusal("kept", f"its mark {MARK} has no date that can be read")
    if days and DEACTIVATED in image.tags and image.status == "active":
        return Refusal("kept", "it was activated again")
    return None


def stays_until(image: Image) -> date | None:
    """The last day on which a marked image stays; None if it is not marked, or if the mark can't be read."""
    days = [day for day in _days(image) if day]
    return max(days, default=None)


def is_due(image: Image, sweep: SweepRequest, now: datetime) -> bool:
    """Whether an image that is selected may go now: there is no grace, or the day of its mark has passed."""
    last = stays_until(image)
    return not sweep.grace or (None not in _days(image) and last is not None and now.date() > last)


def acts_on(image: Image, sweep: SweepRequest, now: datetime) -> bool:
    """Whether a sweep deletes or marks an image that is selected: neither while it waits, nor after a veto."""
    waits = stays_until(image) is not None and not is_due(image, sweep, now)
    return not sweep.grace or not (waits or veto(image))


def has_lapsed(image: Image, sweep: SweepRequest, now: datetime) -> bool:
    """Whether an image that is not selected bears a mark of this sweep, of nobody, or one that its sweep forgot."""
    if not sweep.grace or not is_marked(image):
        return False
    last = stays_until(image)
    forgotten = last is not None and now.date() - last > FORGOTTEN
    return forgotten or _values(image, SWEEP) in ([], [identity(sweep)])


def is_marked(image: Image) -> bool:
    """Whether an image bears a mark that is to be taken off when the image stays."""
    return bool(marks_of(image)) or not image.tags.isdisjoint({DEACTIVATING, DEACTIVATED})


def marks_of(image: Image) -> list[str]:
    """The tags that mark an image, in full."""
    return [tag for tag in sorted(image.tags) if _value(tag, MARK) is not None]


def signatures_of(image: Image) -> list[str]:
    """The tags by which sweeps have signed their marks, in full."""
    return [tag for tag in sorted(image.tags) if _value(tag, SWEEP) is not None]


def identity(sweep: SweepRequest) -> str:
    """What tells a policy from others: eight hexadecimal digits made from what it selects and keeps."""
    select = sweep.select
    said = (
        *(select.name, sorted(select.tags), sorted(select.properties), select.status),
        *(select.older_than, select.created_before, select.size_over, sweep.keep),
    )
    return hashlib.sha256(repr(said).encode(errors="replace")).hexdigest()[:8]


class _Newest:
    """The newest images of each group, as they come."""

    def __init__(self, keep: Keep) -> None:
        self.keep = keep
        self._groups: dict[str, list[tuple[datetime, str]]] = {}

    def add(self, image: Image, now: datetime) -> None:
        """Take note of an image, if it can be used and its age is known."""
        if image.status != "active" or image.created_at is None or image.created_at > now:
            return
        for group in groups_of(image, self.keep.group_by):
            heap = self._groups.setdefault(group, [])
            add = heappush if len(heap) < self.keep.newest else heappushpop
            add(heap, (image.created_at, image.id))

    def reasons(self) -> dict[str, Refusal]:
        """Why each of the newest stays."""
        return {
            image_id: Refusal("newest", f"among the {self.keep.newest} newest of {group}")
            for group, heap in self._groups.items()
            for _, image_id in heap
        }


def _name(image: Image, select: Select, _now: datetime) -> str:
    if not select.name or fnmatchcase(image.name or "", select.name):
        return ""
    return f"its name does not match {select.name}"


def _tags(image: Image, select: Select, _now: datetime) -> str:
    missing = sorted(select.tags - image.tags)
    return f"it lacks the tag {missing[0]}" if missing else ""


def _properties(image: Image, select: Select, _now: datetime) -> str:
    for key, value in select.properties:
        actual = image.record.get(key)
        if actual is None or str(actual) != value:
            return f"its {key} is not {value}"
    return ""


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
    "tags": _tags,
    "properties": _properties,
    "status": _status,
    "age": _age,
    "size": _size,
}
"""Every condition, under the name that its objection has; the first to object says why an image stays."""


def _days(image: Image) -> list[date | None]:
    """The days of the marks of an image; None for a mark whose date can't be read."""
    return [_day(value) for value in _values(image, MARK)]


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _values(image: Image, key: str) -> list[str]:
    return [value for tag in sorted(image.tags) if (value := _value(tag, key)) is not None]


def _value(tag: str, key: str) -> str | None:
    """The value of a tag of this key: written `key=value`, `key.value` on old IMS, or without any."""
    if tag == key:
        return ""
    return tag[len(key) + 1 :] if tag.startswith((f"{key}=", f"{key}.")) else None
