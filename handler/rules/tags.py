"""The one reading of tags: `key`, `key=value`, and `key.value` on old IMS. Pure.

A tag that protects an image is read generously: without regard to case and blanks, with `_` for `-`, and with `:` for
`=`. A tag that lets one go is read to the letter, but for the sign between key and value: who asks for `ci=yes` must
not get `CI=Yes`.
"""

from collections.abc import Iterator
from typing import NamedTuple

from handler.model.image import Image

_SEPARATORS = "=.:"


class Protection(NamedTuple):
    """A tag or property that protects an image: as it is `written`, and as it is `read`; `value` may be empty."""

    written: str
    read: str
    value: str

    def __str__(self) -> str:
        """What was read, and from what if that differs."""
        return f"marked {self.read}" if self.written == self.read else f"{self.written!r} is read as {self.read}"


def protections(image: Image, key: str) -> Iterator[Protection]:
    """What an image says under a key, in its tags and in the names of its properties."""
    wanted = _foldings(key)
    for tag in sorted(image.tags):
        if (value := _value_of(tag, wanted)) is not None:
            yield _protection(tag, key, value)
    for name in sorted(image.properties):
        if wanted & _foldings(name):
            value = str(image.record[name])
            yield _protection(f"{name}={value}", key, value)


def is_of_key(tag: str, key: str) -> bool:
    """Whether a tag has a key, in whatever spelling."""
    return _value_of(tag, _foldings(key)) is not None


def has_tag(image: Image, asked: str) -> bool:
    """Whether an image has the very tag that is asked for, in one of its spellings."""
    # Split where the value begins: at the first `=`, or at the first dot where there is none.
    key, _, value = asked.partition("=" if "=" in asked else ".")
    spellings = {f"{key}={value}", f"{key}.{value}"} if value else {key, f"{key}=", f"{key}."}
    return not image.tags.isdisjoint(spellings)


def _value_of(tag: str, wanted: frozenset[str]) -> str | None:
    """The value of a tag whose key is spelled in one of these ways; None if it has another key."""
    return next((value for written, value in _parts(tag) if wanted & _foldings(written)), None)


def _parts(tag: str) -> Iterator[tuple[str, str]]:
    """The ways to split a tag into key and value: a key may hold separators itself."""
    yield tag, ""
    yield from ((tag[:end], tag[end + 1 :]) for end, sign in enumerate(tag) if sign in _SEPARATORS)


def _foldings(text: str) -> frozenset[str]:
    """The spellings that a text stands for where it protects; a blank inside is nothing, or stands for a hyphen."""
    words = text.casefold().replace("_", "-").replace(".", "=").replace(":", "=").split()
    return frozenset({"".join(words), "-".join(words)})


def _protection(written: str, key: str, value: str) -> Protection:
    return Protection(written=written, read=f"{key}={value}" if value else key, value=value)
