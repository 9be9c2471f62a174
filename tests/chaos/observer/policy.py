"""A second reading of a policy: what it selects, what it keeps, and how much it may change at once.

A sweep reads the list of the images while others change it. What is said here of its end is true whichever of the
versions it has read: `may_select` is generous, `surely` is not.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import NamedTuple

from tests.chaos.history import Image
from tests.chaos.observer import marks
from tests.chaos.observer.reading import UNTOLD, Json, is_tagged, moment_of, said
from tests.chaos.observer.settings import seconds

Versions = list[Image | None]
Newer = Mapping[str, list[tuple[datetime, str]]]


def key_of(sweep: Mapping[str, Json]) -> str:
    """What makes a policy the same one: what it selects and keeps, not how it is spelled."""
    select = {key: value for key, value in sweep["select"].items() if value is not None}
    for key, read in (
        ("older_than", seconds),
        ("unused_for", seconds),
        ("created_before", lambda text: str(moment_of(text))),
        ("tags", sorted),
    ):
        if key in select:
            select[key] = read(select[key])
    keep = sweep.get("keep")
    return json.dumps([select, keep and {"group_by": "name"} | keep], sort_keys=True, default=str)


def fits(image: Image, select: Mapping[str, Json], now: datetime, *, unknown: bool) -> bool:
    """Whether every condition holds; `unknown` is said of what the history does not know."""
    created = moment_of(image.created_at)
    given = {key: value for key, value in select.items() if value is not None}
    if created is None or created > now:
        return False
    return (
        _fits_by_name(image, given)
        and all(is_tagged(image.tags, tag) for tag in given.get("tags", ()))
        and all(_says(image, key, value, unknown=unknown) for key, value in given.get("properties", {}).items())
        and given.get("status", image.status) == image.status
        and _fits_by_age(created, given, now)
        and ("size_over" not in given or (image.size is not None and image.size > given["size_over"]))
        # What sweeps have seen in use is in no history.
        and ("unused_for" not in given or unknown)
    )


def _fits_by_name(image: Image, select: Mapping[str, Json]) -> bool:
    name = image.name or ""
    return fnmatchcase(name, select.get("name", "*")) and select.get("family") in (None, *_family(name))


def _fits_by_age(created: datetime, select: Mapping[str, Json], now: datetime) -> bool:
    if "older_than" in select and now - created <= timedelta(seconds=seconds(select["older_than"])):
        return False
    before = moment_of(select["created_before"]) if "created_before" in select else None
    return before is None or created < before


def _says(image: Image, key: str, value: str, *, unknown: bool) -> bool:
    if key not in image.properties and UNTOLD.fullmatch(key):
        return unknown
    return said(image, key) == value


def _family(name: str) -> list[str]:
    return [name.rpartition("-")[0] or name] if name else []


def groups_of(image: Image, keep: Mapping[str, Json]) -> list[str]:
    """The groups that an image is in."""
    kind, _, key = keep.get("group_by", "name").partition(":")
    if kind == "name":
        return _family(image.name or "")
    if kind == "property":
        value = said(image, key)
        return [] if value is None else [value.lower()]
    start, sign, rest = key.partition("=" if "=" in key else ".")
    if not sign:
        return [tag for tag in image.tags if tag.startswith(key)]
    values = (tag[len(start) + 1 :] for tag in image.tags if tag.startswith((f"{start}=", f"{start}.")))
    return [f"{start}={value}" for value in values if value.startswith(rest)]


class Survey(NamedTuple):
    """All images of the project while a sweep read its list, each with its versions; and the latest time it may be.

    `may_count` are those that may have been seen as new ones of a group, `must_count` those that must have been.
    """

    sweep: Mapping[str, Json]
    images: Mapping[str, Versions]
    now: datetime
    early: datetime
    may_count: Newer
    must_count: Newer

    def may_select(self, image_id: str) -> bool:
        """Whether a right sweep may have selected an image."""
        return any(self._selects(image, self.may_count, self.now, unknown=True) for image in self._seen(image_id))

    def surely_selects(self, image_id: str) -> bool:
        """Whether a right sweep must have selected an image."""
        seen = self.images.get(image_id) or [None]
        return None not in seen and all(
            image is not None and image.alive and self._selects(image, self.must_count, self.early, unknown=False)
            for image in seen
        )

    def _seen(self, image_id: str) -> list[Image]:
        return [image for image in self.images.get(image_id, ()) if image and image.alive]

    def _selects(self, image: Image, counted: Newer, now: datetime, *, unknown: bool) -> bool:
        keep = self.sweep.get("keep")
        if not fits(image, self.sweep["select"], now, unknown=unknown):
            return False
        if not keep:
            return True
        groups, created = groups_of(image, keep), moment_of(image.created_at)
        # Only what is active stays as one of the newest.
        if image.status != "active":
            return bool(groups)
        newer = [sum(one > (created, image.id) for one in counted.get(group, ())) for group in groups]
        return bool(groups) and min(newer) >= keep["newest"]

    @property
    def selected(self) -> set[str]:
        """The images that a right sweep must have selected."""
        return {image_id for image_id in self.images if self.surely_selects(image_id)}

    def most(self) -> int:
        """The most images that it may have looked at."""
        return sum(bool(self._seen(image_id)) for image_id in self.images)

    def is_surely_over(self, grace: int) -> bool:
        """Whether a cap must have held it back, whatever it has seen."""
        changing = sum(self._surely_changes(image_id, grace) for image_id in self.selected)
        limit, percent = self.sweep.get("limit", 25), self.sweep.get("limit_percent", 50)
        return bool(changing > limit or changing * 100 > percent * self.most())

    def _surely_changes(self, image_id: str, grace: int) -> bool:
        seen = self._seen(image_id)
        if grace:
            return not any(map(marks.is_touched, seen))
        return not any(marks.why_not_due(image, "", 0, self.early, {}) for image in seen)


def survey_of(
    sweep: Mapping[str, Json], images: Iterable[tuple[str, Versions]], project: str, times: tuple[datetime, datetime]
) -> Survey:
    """Look at all images of a project; `times` are the earliest and the latest time that it may be."""
    ours = {
        image_id: [image if image and image.alive and image.owner == project else None for image in versions]
        for image_id, versions in images
    }
    ours = {image_id: versions for image_id, versions in ours.items() if any(versions)}
    early, late = times
    may, must = defaultdict(list), defaultdict(list)
    for versions in ours.values() if sweep.get("keep") else ():
        found = [_counts(image, sweep["keep"], late) for image in versions]
        for one in set().union(*found):
            may[one[0]].append(one[1:])
        for one in set.intersection(*(_counts(image, sweep["keep"], early) for image in versions)):
            must[one[0]].append(one[1:])
    return Survey(sweep, ours, late, early, may, must)


def _counts(image: Image | None, keep: Mapping[str, Json], now: datetime) -> set[tuple[str, datetime, str]]:
    """As what an image counts among the new ones of a group."""
    created = moment_of(image.created_at) if image else None
    if image is None or image.status != "active" or created is None or created > now:
        return set()
    return {(group, created, image.id) for group in groups_of(image, keep)}
