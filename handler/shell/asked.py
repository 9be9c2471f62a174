"""What a command asks for: an event, a request made of ids or of options, or a plan. Nothing is carried out here."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from handler.errors import InvalidRequest
from handler.model.image import is_uuid
from handler.model.message import Message, Received, Waiting
from handler.model.request import DeletionRequest, parse_plan_key
from handler.shell.files.reading import read_event_file, read_plan_file, read_standard_input

CONDITIONS = ("name", "family", "status", "older_than", "created_before", "size_over", "unused_for")
"""The options of a sweep that are conditions of its `select` as they stand."""
LIMITS = ("limit", "limit_percent", "grace")
"""The options that are fields of the sweep as they stand."""


def event_of(options: argparse.Namespace) -> dict[str, Any]:
    """The event or the request that a command asks for, as JSON; raises InvalidRequest."""
    if options.sweep:
        return _with_reason(_sweep(options), options)
    if options.approve is not None:
        return _with_reason(_approval(options.approve), options)
    ids = [word for word in options.asked if is_uuid(word)]
    if ids:
        _refuse_others(options.asked, ids)
        return _with_reason({"image_ids": ids}, options)
    if len(options.asked) > 1:
        message = f"{options.asked[1]}: one file at a time, and no other word is the id of an image"
        raise InvalidRequest(message)
    return read_standard_input() if options.asked == ["-"] else read_event_file(Path(options.asked[0]))


def plan_of(path: Path) -> Received | None:
    """The requests of a plan, as one event; None if the plan is empty. Raises InvalidRequest."""
    requests = read_plan_file(path)
    return _received(requests) if requests else None


def _received(requests: Sequence[DeletionRequest]) -> Received:
    # One event, so that REAPER_MAX_IMAGES counts for all of the plan.
    return Received(source="direct", messages=tuple(map(Message, requests)), waiting=Waiting.CALLER)


def _with_reason(request: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    return request | ({"reason": options.reason} if options.reason is not None else {})


def _refuse_others(words: Sequence[str], ids: Sequence[str]) -> None:
    if others := [word for word in words if word not in ids]:
        message = f"{others[0]}: not the id of an image: an id is a UUID with hyphens, such as {ids[0]}"
        raise InvalidRequest(message)


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
        select["properties"] = dict(map(_pair, options.property))
    keep = {"newest": options.keep} | _given(options, ("group_by",))
    sweep = {"select": select} | ({"keep": keep} if options.keep is not None else {}) | _given(options, LIMITS)
    return {"sweep": sweep | ({"deactivate": True} if options.deactivate else {})}


def _given(options: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(options, name)) is not None}


def _pair(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign:
        message = f"--property: {text}: must be KEY=VALUE"
        raise InvalidRequest(message)
    return key, value
