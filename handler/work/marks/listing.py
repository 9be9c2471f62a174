"""The images that bear a tag of ours, and what their tags say in words."""

from contextlib import closing
from datetime import date, timedelta
from typing import NamedTuple

from handler.cloud.calls import Cloud
from handler.cloud.paging import read_anew
from handler.model.image import Image
from handler.rules.marks import NO_TAGS, MarkTags, read_tags, veto_in


class Marked(NamedTuple):
    """An image, without its record, and our tags on it."""

    image: Image
    tags: MarkTags

    @property
    def policies(self) -> tuple[str, ...]:
        """The fingerprints of the policies that have signed a mark, or are about to."""
        return tuple(sorted({each.signer for each in (*self.tags.signatures, *self.tags.holds)}))

    @property
    def is_by_hand(self) -> bool:
        """Whether somebody has set the mark by hand: no policy claims it."""
        return bool(self.tags.days) and not self.policies

    @property
    def is_vetoed(self) -> bool:
        """Whether somebody has objected; a mark without a readable day is no less a mark."""
        return None not in self.tags.days and bool(veto_in(self.tags, self.image.status))

    @property
    def is_deactivated(self) -> bool:
        """Whether a sweep has deactivated the image, and it still is."""
        return self.tags.is_switched and self.image.status == "deactivated"

    def state(self, today: date) -> str:
        """What the tags say on a day, in words."""
        tags = self.tags
        if None in tags.days:
            return "mark without a readable day"
        if veto := veto_in(tags, self.image.status):
            return f"vetoed: {veto}"
        if tags.holds and not tags.signatures:
            is_held = any(each.is_held(today) for each in tags.drafts)
            return "being marked, or set free" if is_held else "not in force: a run has died"
        if tags.last_day is None:
            return "no mark, but it was deactivated by one"
        if today <= tags.last_day:
            return f"waits until {tags.last_day}"
        return f"due since {tags.last_day + timedelta(days=1)}"


class Listing(NamedTuple):
    """All images of the project that bear a tag of ours, and those whose tags can't be read: they may be marked."""

    marked: tuple[Marked, ...]
    unreadable: tuple[Image, ...] = ()


def listed(cloud: Cloud) -> Listing:
    """List the images that bear a tag of ours, by name; raises CloudError if not all images could be listed."""
    return read_anew(lambda: _read(cloud))


def _read(cloud: Cloud) -> Listing:
    marked, unreadable = list[Marked](), list[Image]()
    # Closed by us, even after an error, whose traceback would keep it open: no thread may go on reading ahead.
    with closing(cloud.images()) as images:
        for image in images:
            tags = read_tags(image)
            if "tags" in image.unread:
                unreadable.append(image.without_record())
            elif tags != NO_TAGS:
                marked.append(Marked(image.without_record(), tags))
    marked.sort(key=lambda each: (each.image.name or "", each.image.id))
    return Listing(tuple(marked), tuple(unreadable))
