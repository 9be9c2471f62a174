"""Reads the files that a command names: a request or an event, and a plan. Raises InvalidRequest."""

import sys
from pathlib import Path
from typing import Any

from handler.errors import InvalidRequest
from handler.model.request import DeletionRequest
from handler.sources.parsing import read_json
from handler.sources.plan_file import read_plan
from handler.sources.schema import read_deletion


def read_event_file(path: Path) -> dict[str, Any]:
    """The JSON object in a file."""
    return read_json(_text(_content(path), str(path)), str(path))


def read_standard_input() -> dict[str, Any]:
    """The JSON object on standard input."""
    return read_json(_text(sys.stdin.buffer.read(), "standard input"), "standard input")


def read_plan_file(path: Path) -> tuple[DeletionRequest, ...]:
    """The requests of a plan: of a file with `plans`, or of one deletion request."""
    content = _content(path)
    payload = read_json(_text(content, str(path)), str(path))
    if payload.get("plans") == []:
        return ()
    return read_plan(content, str(path)) if "plans" in payload else (read_deletion(payload),)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        message = f"{path}: {exc.strerror}"
        raise InvalidRequest(message) from exc


def _text(content: bytes, what: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        message = f"{what}: not UTF-8: save it as UTF-8"
        raise InvalidRequest(message) from exc
