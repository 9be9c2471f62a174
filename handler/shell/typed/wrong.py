"""What is said of an option that is unknown, or that argparse can't read. Pure, and loaded only then."""

import argparse
from collections.abc import Iterable

from handler.sources.problems.near import did_you_mean

_ARMS = "what passes every check is deleted if REAPER_MODE=delete is set"
_REHEARSES = "leave it out: everything is a rehearsal unless REAPER_MODE=delete is set"
_MEANT = {
    **dict.fromkeys(("dryrun", "whatif", "simulate", "check", "n"), _REHEARSES),
    **dict.fromkeys(("delete", "execute", "doit", "confirm", "noconfirm", "nodryrun"), _ARMS),
    **dict.fromkeys(("force", "f"), f"no check can be left out; {_ARMS}"),
}
"""What is said of options that other programs have, by their letters."""


def unknown_option(word: str, known: Iterable[str]) -> str:
    """What is said of a word that is none of the `known` options; it shows no value that is given with it."""
    option = word.partition("=")[0]
    if not option.startswith("-"):
        return f"{option}: neither an option nor something to do"
    letters = "".join(filter(str.isalnum, option)).lower()
    said = f"; {_MEANT[letters]}" if letters in _MEANT else did_you_mean(option, known)
    return f"{option}: unknown option{said}"


def unreadable_option(error: argparse.ArgumentError) -> str:
    """What is said of an option that argparse can't read."""
    option = str(error.argument_name).split("/")[-1]
    if error.message.startswith("expected "):
        if option == "--apply":
            return f"--apply: needs a plan, as in --apply=PLAN; {_ARMS}"
        return f"{option}: needs a value, as in {option}=VALUE"
    # As in --sweep=yes.
    if error.message.startswith("ignored explicit argument"):
        return f"{option}: takes no value"
    return f"{option}: {error.message}"
