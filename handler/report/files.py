"""The files that a run leaves in the bucket: their names, and what they hold. Pure: values to bytes."""

import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from threading import Lock
from typing import Any, NamedTuple

from handler.model.image import Image
from handler.model.masking import masked, masked_all
from handler.model.outcome import Survey
from handler.model.request import SweepRequest
from handler.report.report import Report

JSON, LINES, HTML = "application/json", "application/x-ndjson", "text/html; charset=utf-8"
LARGEST_JOURNAL = 8_000_000
"""Bytes of one file of the journal; a run with more of it leaves several."""
_LONGEST_PART = 128
"""Characters of a part of a key. Source: Amazon S3 user guide, "Object key naming guidelines": 1,024 in all."""


class File(NamedTuple):
    """A file: its name inside the folder of its run, and what it holds."""

    name: str
    content: bytes
    content_type: str


def folder_of(project_id: str, request_id: str, now: datetime) -> str:
    """The folder of a run that began at `now`, with a slash at its end."""
    return f"runs/{now.astimezone(UTC):%Y-%m-%d}/{_part(project_id)}/{_part(request_id)}/"


def _part(text: str) -> str:
    """A text as a part of a key: never empty, and never one that a path would resolve."""
    return re.sub("[^A-Za-z0-9_-]", "-", text)[:_LONGEST_PART] or "unknown"


def report_file(report: Report) -> File:
    """The report, also where it is too long for an answer."""
    return File(name="report.json", content=_as_json(report.answer(whole=True)), content_type=JSON)


def plan_file(plans: Sequence[Mapping[str, Any]]) -> File:
    """All plans of a run. The name holds the digest of the file: the key alone says what was reviewed."""
    content = _as_json({"plans": masked_all(plans)})
    return File(name=f"plan-{sha256(content).hexdigest()}.json", content=content, content_type=JSON)


def digest_of(plan: File) -> str:
    """The digest in the name of a plan's file, in hexadecimal digits."""
    return plan.name.removeprefix("plan-").removesuffix(".json")


def page_file(page: str, plan: File | None) -> File:
    """The page for a reviewer, with the beginning of the digest of its plan in its name."""
    # A repetition has the same request id, and may have another plan: whoever was told of a page must not find another
    # one there, and approve what he has not seen.
    name = f"page-{digest_of(plan)[:8]}.html" if plan else "page.html"
    # A name may hold half a character (a lone surrogate), which UTF-8 can't encode.
    return File(name=name, content=page.encode(errors="replace"), content_type=HTML)


def begun_file(request_id: str, project_id: str, sweeps: Sequence[Mapping[str, Any]]) -> File:
    """What armed sweeps were about to do, before they did any of it."""
    told = {"request_id": request_id, "project_id": project_id, "sweeps": sweeps}
    return File(name="begun.json", content=_as_json(masked_all(told)), content_type=JSON)


def begun(request: SweepRequest, survey: Survey, moment: datetime) -> dict[str, Any]:
    """What one armed sweep is about to do, as it knows at a moment."""
    return {
        "at": moment.astimezone(UTC).isoformat(timespec="seconds"),
        "reason": request.reason,
        "looked_at": survey.looked_at,
        "selected": survey.selected_in_all,
        "stay": dict(survey.stay),
        "images": list(map(_named, survey.selected)),
        "no_longer_selected": list(map(_named, survey.deselected)),
    }


def _named(image: Image) -> dict[str, str | None]:
    return {"id": image.id, "name": masked(image.name) if image.name else None}


def _as_json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


class _Block:
    """Lines of the journal for one file, compressed: a run may delete ten thousand images, whose records are alike."""

    def __init__(self) -> None:
        self.length = 0
        self._packer = zlib.compressobj(level=1)
        self._packed: list[bytes] = []

    def add(self, text: bytes) -> None:
        self.length += len(text)
        self._packed.append(self._packer.compress(text))

    def file(self) -> File:
        content = zlib.decompress(b"".join([*self._packed, self._packer.flush()]))
        # By what it holds: whoever repeats the run adds a file, and takes none away.
        return File(name=f"journal-{sha256(content).hexdigest()[:8]}.jsonl", content=content, content_type=LINES)


class Journal:
    """The lines that a run has written before its deletions, for files of their own. Safe for threads."""

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._lock = Lock()

    def add(self, lines: Iterable[str]) -> None:
        """Keep lines that were written."""
        text = "".join(f"{line}\n" for line in lines).encode("ascii")
        with self._lock:
            if not self._blocks or self._blocks[-1].length >= LARGEST_JOURNAL:
                self._blocks.append(_Block())
            self._blocks[-1].add(text)

    def files(self) -> Iterator[File]:
        """The files, in the order in which they were written; none if there are no lines. They are given out once."""
        with self._lock:
            blocks, self._blocks = self._blocks, []
        return (block.file() for block in blocks)
