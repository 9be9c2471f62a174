"""What may have been meant by a name that nobody knows."""

from collections.abc import Iterable
from difflib import get_close_matches

_LONGEST = 40
"""Characters of a name that is looked up: no name that is known has more, and comparing long ones takes seconds."""
_ALIKE = 0.7
"""How much of two names must be the same, from 0 to 1: `nmae` and `name` have 0.75, `force` and `reason` 0.36."""


def near(name: str, known: Iterable[str], alike: float = _ALIKE) -> str:
    """The known name that looks most like this one; empty if none does. Case, hyphens and underscores don't count."""
    if len(name) > _LONGEST:
        return ""
    folded = {_folded(one): one for one in known}
    found = get_close_matches(_folded(name), folded, n=1, cutoff=alike)
    return folded[found[0]] if found else ""


def did_you_mean(name: str, known: Iterable[str], prefix: str = "") -> str:
    """What is to be added to the words about an unknown name; empty if no known name looks like it.

    A `prefix` that all of them have is not compared: it would make any two of them look alike.
    """
    bare = [one.removeprefix(prefix) for one in known if one.startswith(prefix)]
    found = near(name.removeprefix(prefix), bare)
    return f"; did you mean {prefix}{found}?" if found else ""


def _folded(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())
