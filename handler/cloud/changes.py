"""Changes to an image that can be taken back: its tags, and whether it is active."""

import math
import re
from collections.abc import Callable, Collection, Mapping
from copy import copy
from typing import Any
from urllib.parse import quote

from handler.cloud.dialects import TagLimits
from handler.cloud.fields import texts
from handler.cloud.transport import Transport
from handler.errors import TurnedDown, Unexpected


class Changes:
    """Changes images through `images`, an address such as `https://glance/v2/images`. Methods may raise CloudError.

    In the tags of Glance's own calls, IMS takes only letters, digits, `_` and `-`. For tags with a key and a value it
    has calls of its own, under `keyed`, an address such as `https://ims/v2/{project_id}/images`. Sources: Glance API
    v2, "Image tags"; IMS API reference, "Adding a tag to an image", "Deleting a tag from an image". A tag that
    breaks `limits` is turned down here, before anything is sent to the cloud.
    """

    def __init__(self, transport: Transport, images: str, keyed: str = "", limits: TagLimits | None = None) -> None:
        self._transport = transport
        self._images = images
        self._keyed = keyed
        self._limits = limits
        self._hold: Callable[[], float] = lambda: math.inf

    def while_held(self, hold: Callable[[], float]) -> "Changes":
        """The same, but nothing is sent after the moment that `hold` returns, or once it raises CloudError."""
        held = copy(self)
        held._hold = hold  # noqa: SLF001 (it is one of us)
        return held

    def check_room(self, tags: Collection[str], more: int) -> None:
        """Raise Unexpected if an image with these tags has no room for so many `more`."""
        if self._limits and len(tags) + more > self._limits.most:
            message = (
                f"an image may have {self._limits.most} tags, and this one has {len(tags)}: marking it, or taking its "
                f"mark off, needs room for {more} more: take some tags off"
            )
            raise Unexpected(message)

    def add_tag(self, image_id: str, tag: str) -> None:
        """Add a tag to an image; an image that already has it stays as it is."""
        if self._keyed:
            key, _, value = tag.partition("=")
            self._check(key, value)
            self._change("POST", f"{self._keyed}/{image_id}/tags", {"tag": {"key": key, "value": value}})
        else:
            self._change("PUT", self._place(image_id, tag))

    def remove_tag(self, image_id: str, tag: str) -> None:
        """Take a tag off an image; an image that does not have it stays as it is."""
        key = re.split("[=.]", tag)[0]  # old IMS writes key.value
        place = f"{self._keyed}/{image_id}/tags/{key}" if self._keyed else self._place(image_id, tag)
        try:
            self._change("DELETE", place)
        except TurnedDown:
            # The tag may be off by now: by us, if an answer was lost, or by the owner. But a wrong address and an image
            # that is gone are answered alike: only the image can tell.
            if not self._lacks(image_id, tag, key):
                raise

    def set_active(self, image_id: str, *, active: bool) -> None:
        """Make the data of an image available again, or unavailable. Glance only."""
        self._change("POST", f"{self._images}/{image_id}/actions/{'re' if active else 'de'}activate")

    def _change(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> None:
        self._transport.change(method, url, body, self._hold)

    def _check(self, key: str, value: str) -> None:
        if self._limits is None:
            return
        letters = self._limits.letters
        for part, longest in ((key, self._limits.longest_key), (value, self._limits.longest_value)):
            if len(part) > longest or not re.fullmatch(f"[{letters}]*", part):
                message = f"{part!r} can't be part of a tag here: use at most {longest} characters of {letters}"
                raise Unexpected(message)

    def _lacks(self, image_id: str, tag: str, key: str) -> bool:
        """Whether the image is there, and does not have the tag."""
        record = self._transport.read(f"{self._images}/{image_id}")
        if record is None:
            return False
        found = texts(record, "tags")
        return not any(re.split("[=.]", each)[0] == key for each in found) if self._keyed else tag not in found

    def _place(self, image_id: str, tag: str) -> str:
        """The address of a tag in Glance's API."""
        # A tag may hold slashes: not quoted, it could spell the address of a tag of another image.
        return f"{self._images}/{image_id}/tags/{quote(tag, safe='')}"
