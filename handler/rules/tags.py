"""The one reading of tags: `key`, `key=value`, and `key.value` on old IMS. Pure.

A tag that protects an image is read generously: without regard to case, to blanks and to signs that nobody sees, with
`_` and every dash for `-`, and with `:` for `=`. A tag that lets one go is read to the letter, but for the sign between
key and value: who asks for `ci=yes` must not get `CI=Yes`.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple
from unicodedata import category, normalize

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


def person_of(image: Image, key: str) -> str:
    """Whom an image names under a key, in a property or in a tag, to the letter; empty if it names nobody."""
    if (named := image.record.get(key)) and isinstance(named, str):
        return named
    tags = (tag[len(key) + 1 :] for tag in sorted(image.tags) if tag.startswith((f"{key}=", f"{key}.")))
    return next(filter(None, tags), "")


def _value_of(tag: str, wanted: frozenset[str]) -> str | None:
    """The value of a tag whose key is spelled in one of these ways; None if it has another key."""
    return next((value for written, value in _parts(_plain(tag)) if wanted & _foldings(written)), None)


def tags_with_prefix(image: Image, prefix: str) -> set[str]:
    """The tags that begin so, written with the sign between key and value that the prefix has, if it has one."""
    key, sign, start = prefix.partition("=" if "=" in prefix else ".")
    if not sign:
        return {tag for tag in image.tags if tag.startswith(prefix)}
    values = (tag[len(key) + 1 :] for tag in image.tags if tag.startswith((f"{key}=", f"{key}.")))
    return {f"{key}{sign}{value}" for value in values if value.startswith(start)}


def _parts(tag: str) -> Iterator[tuple[str, str]]:
    """The ways to split a tag into key and value: a key may hold separators itself."""
    yield tag, ""
    yield from ((tag[:end], tag[end + 1 :]) for end, sign in enumerate(tag) if sign in _SEPARATORS)


@lru_cache(maxsize=256)
def _foldings(text: str) -> frozenset[str]:
    """The spellings that a text stands for where it protects; a blank inside is nothing, or stands for a hyphen."""
    words = _plain(text).casefold().replace("_", "-").replace(".", "=").replace(":", "=").split()
    return frozenset({"".join(words), "-".join(words)})


def _plain(text: str) -> str:
    """The text as a keyboard writes it: pages and word processors put in dashes, wide letters and what nobody sees."""
    if text.isascii():
        return text
    kinds = ((sign, category(sign)) for sign in normalize("NFKC", text))
    return "".join("-" if kind == "Pd" else sign for sign, kind in kinds if kind != "Cf")


def _protection(written: str, key: str, value: str) -> Protection:
    return Protection(written=written, read=f"{key}={value}" if value else key, value=value)
