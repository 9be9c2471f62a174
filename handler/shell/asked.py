"""What a command asks for: an event, a request made of ids or of options, or a plan. Nothing is carried out here."""

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from handler.errors import InvalidRequest, ReaperError, UnknownEvent
from handler.model.image import is_uuid
from handler.model.message import Message, Received, Waiting
from handler.model.request import DeletionRequest, parse_plan_key
from handler.shell.files.reading import STANDARD_INPUT as TYPED
from handler.shell.files.reading import read_event_file, read_plan_file, read_standard_input
from handler.sources.schema import read_request

CONDITIONS = ("name", "family", "status", "older_than", "created_before", "size_over", "unused_for")
"""The options of a sweep that are conditions of its `select` as they stand."""
LIMITS = ("limit", "limit_percent", "grace")
"""The options that are fields of the sweep as they stand."""
EXAMPLE = "6cad483b-e281-4985-a345-7afef1f3c506"
STANDARD_INPUT = "-"
_OPTIONS: Mapping[str, str] = {
    r"sweep\.select\.tags(\[\d+\])?": "--tag",
    r"sweep\.select\.properties(\.[^:]*)?": "--property",
    r"sweep\.keep\.newest": "--keep",
    r"sweep\.keep\.group_by": "--group-by",
    **{rf"sweep\.select\.{name}": f"--{name.replace('_', '-')}" for name in CONDITIONS},
    **{rf"sweep\.{name}": f"--{name.replace('_', '-')}" for name in LIMITS},
    r"sweep(\.select)?: status": "--status",
    r"sweep(\.select)?: deactivate": "--deactivate",
    r"image_ids(\[\d+\])?": "ids",
    "reason": "--reason",
}
"""The options by the fields of the request that is made of them, as a problem names these."""
_WORDS = {"older_than": "--older-than", "needs grace": "needs --grace", "with select.": "with --"}
"""The same, in the middle of what is wrong."""


def event_of(options: argparse.Namespace) -> dict[str, Any]:
    """The event or the request that a command asks for, as JSON; raises InvalidRequest."""
    if options.sweep:
        return _checked(_sweep(options) | _reason(options))
    if options.approve is not None:
        return _checked(_approval(options.approve) | _reason(options))
    if _are_ids(options.asked):
        return _checked({"image_ids": options.asked} | _reason(options))
    word = options.asked[0]
    return read_standard_input() if word == STANDARD_INPUT else read_event_file(Path(word))


def naming_file(error: ReaperError, options: argparse.Namespace) -> ReaperError:
    """What is wrong, with the name of the file, or of standard input, that a wrong request or event stands in."""
    if not isinstance(error, InvalidRequest | UnknownEvent) or len(options.asked) != 1 or is_uuid(options.asked[0]):
        return error
    name = TYPED if options.asked[0] == STANDARD_INPUT else options.asked[0]
    # What could not be read at all has its name already.
    return error if str(error).startswith(f"{name}: ") else type(error)(f"{name}: {error}")


def plan_of(path: Path) -> Received | None:
    """The requests of a plan, as one event; None if the plan is empty. Raises InvalidRequest."""
    requests = read_plan_file(path)
    return _received(requests) if requests else None


def _received(requests: Sequence[DeletionRequest]) -> Received:
    # One event, so that REAPER_MAX_IMAGES counts for all of the plan.
    return Received(source="direct", messages=tuple(map(Message, requests)), waiting=Waiting.CALLER)


def _are_ids(words: Sequence[str]) -> bool:
    """Whether the words are ids of images; False if they are a file. Raises InvalidRequest if they are neither."""
    if len(words) == 1 and (words[0] == STANDARD_INPUT or _exists(words[0])):
        if is_uuid(words[0]):
            how = f"./{words[0]} is the file; for the image, go to another folder"
            _refuse(f"{words[0]}: a file is called so, and it may be the id of an image: {how}")
        return False
    for word in words:
        if not is_uuid(word):
            _refuse_word(word)
    return True


def _refuse_word(word: str) -> NoReturn:
    if word == STANDARD_INPUT or _exists(word):
        _refuse(f"{word}: a file can't be combined with ids or another file: one at a time")
    if "/" in word or word.endswith(".json"):
        _refuse(f"{word}: no such file or folder")
    by_name = f"for images by their name, --sweep --name '{word}'"
    _refuse(f"{word}: no such file, and no id of an image: an id is a UUID, such as {EXAMPLE}; {by_name}")


def _refuse(message: str) -> NoReturn:
    raise InvalidRequest(message)


def _exists(word: str) -> bool:
    try:
        return Path(word).exists()
    # Too long for a name, or in a folder that can't be looked into: what is wrong is said when it is opened.
    except OSError:
        return True


def _reason(options: argparse.Namespace) -> dict[str, Any]:
    return {"reason": options.reason} if options.reason is not None else {}


def _checked(request: dict[str, Any]) -> dict[str, Any]:
    """A request that is made of options; raises InvalidRequest, which names the options that are wrong."""
    if request.get("sweep", {}).get("select") == {}:
        _refuse("--sweep: would be about every image: say which, such as --name 'ci-*' or --older-than 30d")
    try:
        read_request(request)
    except InvalidRequest as error:
        raise InvalidRequest(_in_options(str(error))) from error
    return request


def _in_options(problems: str) -> str:
    """What is wrong with a request, in the words of the options that it is made of."""
    for field, option in _OPTIONS.items():
        problems = re.sub(rf"(^|; ){field}: ", rf"\g<1>{option}: ", problems)
    for word, option in _WORDS.items():
        problems = problems.replace(word, option)
    return problems


def _approval(key: str) -> dict[str, Any]:
    try:
        return {"approve": {"plan": key, "sha256": parse_plan_key(key).sha256}}
    except ValueError as exc:
        message = f"--approve: {exc}"
        raise InvalidRequest(message) from exc


def _sweep(options: argparse.Namespace) -> dict[str, Any]:
    """The sweep request that the options describe; what they may hold, its schema says."""
    select = _given(options, CONDITIONS)
    if options.tag:
        select["tags"] = options.tag
    if options.property:
        select["properties"] = _pairs(options.property)
    keep = {"newest": options.keep} | _given(options, ("group_by",))
    sweep = {"select": select} | ({"keep": keep} if options.keep is not None else {}) | _given(options, LIMITS)
    return {"sweep": sweep | ({"deactivate": True} if options.deactivate else {})}


def _given(options: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(options, name)) is not None}


def _pairs(texts: Sequence[str]) -> dict[str, str]:
    found = dict[str, str]()
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign or not key:
            _refuse(f"--property: {text}: must be KEY=VALUE")
        # All of them must hold, and no image has two values of one property.
        if key in found:
            _refuse(f"--property: {key}: given twice")
        found[key] = value
    return found
