"""How wide a text is on a screen, and how it is made to fit. Pure."""

import unicodedata
from collections.abc import Iterator
from functools import lru_cache

ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


def shown_width(text: str) -> int:
    """The columns that a text takes: two for a wide character, none for one that is drawn over the one before it."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def padded(text: str, width: int, *, right: bool = False) -> str:
    """The text with blanks after it, or before it, up to a width."""
    if text.isascii():
        return text.rjust(width) if right else text.ljust(width)
    blanks = " " * (width - shown_width(text))
    return blanks + text if right else text + blanks


def cut(text: str, width: int) -> str:
    """The text, or as much of its beginning and its end as fits with an ellipsis between them."""
    # Names of a series differ at their ends.
    if shown_width(text) <= width:
        return text
    head = _first_of(text, (width - 1) // 2)
    tail = _first_of(text[::-1], width - 1 - shown_width(head))[::-1]
    # A mark that is drawn over the character before it would be drawn over the ellipsis.
    while tail and not _columns(tail[0]):
        tail = tail[1:]
    return head + ELLIPSIS + tail


def _first_of(text: str, width: int) -> str:
    """As much of the beginning of a text as fits."""
    kept = 0
    for character in text:
        width -= _columns(character)
        if width < 0:
            break
        kept += 1
    return text[:kept]


def wrapped(text: str, width: int | None, indent: str = "", *, first: str = "") -> Iterator[str]:
    """The lines of a text that is broken at blanks: one after `first`, the others after `indent`; None is any width.

    A word that is longer than a line stays whole, so that an address or a path can be copied.
    """
    before, line = first, ""
    for word in text.split(" "):
        if width and line and shown_width(f"{before}{line} {word}") > width:
            yield before + line
            before, line = indent, word
        else:
            line = f"{line} {word}" if line else word
    yield before + line


@lru_cache(maxsize=4096)
def _columns(character: str) -> int:
    # The vowels and the last consonants of Korean are drawn into the syllable that has begun.
    if unicodedata.category(character) in {"Mn", "Me", "Cf"} or "\u1160" <= character <= "\u11ff":
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"F", "W"} else 1
