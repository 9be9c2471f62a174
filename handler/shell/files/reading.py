"""Reads the files that a command names: a request or an event, and a plan. Raises InvalidRequest."""

import codecs
import json
import sys
from pathlib import Path
from typing import Any, BinaryIO

from handler.errors import InvalidRequest
from handler.model.request import DeletionRequest
from handler.shell.files.failures import why
from handler.sources.parsing import read_json
from handler.sources.plan_file import LARGEST, MOST_VALUES, read_plan
from handler.sources.schema import REQUEST_FIELDS, SUBJECTS, read_deletion

STANDARD_INPUT = "standard input"
_MARKS_OF_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_REPORT = frozenset({"ok", "mode", "outcomes"})
"""The fields by which the report that --json prints is known."""


def read_event_file(path: Path) -> dict[str, Any]:
    """The JSON object in a file, which is no plan of ours."""
    payload = read_json(_text(_content(path), str(path)), str(path))
    if not payload.keys() & REQUEST_FIELDS and ("plans" in payload or _is_report(payload)):
        message = f"{path}: {_kind(payload)}: to have it carried out, say --apply {path}"
        raise InvalidRequest(message)
    return payload


def read_standard_input() -> dict[str, Any]:
    """The JSON object on standard input."""
    # Who has not meant to type it would wait for an answer, and so would we.
    if sys.stdin.isatty():
        print("Reading the request from standard input; end with Ctrl-D.", file=sys.stderr, flush=True)
    return read_json(_text(_at_most(sys.stdin.buffer, STANDARD_INPUT), STANDARD_INPUT), STANDARD_INPUT)


def read_plan_file(path: Path) -> tuple[DeletionRequest, ...]:
    """The requests of a plan, none if it is empty.

    It is a file with `plans`, as --plan writes it and as a bucket keeps it, one deletion request, or the report of a
    rehearsal, as --json prints it.
    """
    payload = read_json(_text(_content(path), str(path)), str(path), MOST_VALUES)
    if _is_report(payload):
        payload = _plans_of_report(payload, path)
    if payload == {"plans": []}:
        return ()
    if "plans" in payload:
        # Anew, and in ASCII: an editor may have left a mark at its beginning, and `jq` writes all letters as they are.
        return read_plan(json.dumps(payload).encode(), str(path))
    if not payload.keys() & {"image_ids", "images"}:
        message = f"{path}: {_kind(payload)}, and no plan: rehearse it with --plan FILE, and apply that file"
        raise InvalidRequest(message)
    return (_deletion(payload, path),)


def _deletion(payload: dict[str, Any], path: Path) -> DeletionRequest:
    try:
        return read_deletion(payload)
    except InvalidRequest as error:
        message = f"{path}: {error}"
        raise InvalidRequest(message) from error


def _is_report(payload: dict[str, Any]) -> bool:
    return payload.keys() >= _REPORT


def _plans_of_report(report: dict[str, Any], path: Path) -> dict[str, Any]:
    """What a file with the plans of a report would hold."""
    if report["mode"] != "dry-run":
        message = f"{path}: the report of a run that was no rehearsal, so there is no plan in it"
        raise InvalidRequest(message)
    if report.get("plans_in_log"):
        message = f"{path}: the report has no room for all of its plans: rehearse it again with --plan FILE"
        raise InvalidRequest(message)
    return {"plans": [report["plan"]] if "plan" in report else report.get("plans", [])}


def _kind(payload: dict[str, Any]) -> str:
    """What an object is, as a person would call it."""
    subject = next(iter(sorted(payload.keys() & SUBJECTS)), "")
    kinds = {"sweep": "a sweep", "approve": "an approval of a stored plan"}
    return kinds.get(subject) or ("a plan" if "plans" in payload else "a report" if _is_report(payload) else "an event")


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return _at_most(file, str(path))
    except OSError as exc:
        message = f"{path}: {why(exc)}"
        raise InvalidRequest(message) from exc


def _at_most(file: BinaryIO, what: str) -> bytes:
    # Whatever the file is called, it may be a disk, or have no end.
    content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        message = f"{what}: larger than any request: it has more than {LARGEST // 1_000_000} MB"
        raise InvalidRequest(message)
    return content


def _text(content: bytes, what: str) -> str:
    if content.startswith(_MARKS_OF_UTF_16):
        message = f"{what}: UTF-16, as PowerShell writes it: save it as UTF-8 (Out-File -Encoding utf8)"
        raise InvalidRequest(message)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        message = f"{what}: not UTF-8, from byte {exc.start} on: save it as UTF-8"
        raise InvalidRequest(message) from exc
    if not text.strip():
        message = f"{what}: empty: it must hold a request or an event, as JSON"
        raise InvalidRequest(message)
    return text
