"""The journal: the whole record of an image stands in the log before its DELETE comes in, and it is true."""

import json
from collections import defaultdict
from collections.abc import Mapping

from tests.chaos.history import Image, Request
from tests.chaos.observer.case import Case, Line
from tests.chaos.observer.reading import Json


def check_journal(case: Case, sent: Request, record: Image) -> None:
    """Say what is wrong with the journal of one DELETE."""
    told = [line for line in case.lines if _is_of(line, record.id)]
    early = records_in([line for line in told if line.end <= sent.printed])
    if not early:
        case.say("journal late" if told else "journal", "its record was not in the log before its DELETE", record.id)
        return
    wrong = [_differences(one, record) for one in early]
    if all(wrong):
        case.say("journal", f"the log says otherwise of {', '.join(wrong[-1])}", record.id)


def _is_of(line: Line, image_id: str) -> bool:
    return line.said.get("message") == "image.deleting" and line.said.get("image_id") == image_id


def records_in(lines: list[Line]) -> list[Mapping[str, Json]]:
    """The records in these lines, put together where one is written in parts."""
    found: list[Mapping[str, Json]] = []
    parts: dict[str, dict[int, str]] = defaultdict(dict)
    for said in (line.said for line in lines):
        if isinstance(said.get("image"), dict):
            found.append(said["image"])
        elif "part" in said:
            pieces = parts[said["sha256"]]
            pieces[said["part"]] = said["image"]
            if len(pieces) == said["parts"]:
                found.append(json.loads("".join(pieces[number] for number in sorted(pieces))))
    return found


def _differences(told: Mapping[str, Json], record: Image) -> list[str]:
    """The fields that the log does not tell as they are."""
    keys = ("name", "owner", "status", "created_at", "visibility", "checksum")
    true = dict(record.properties) | {key: getattr(record, key) for key in keys}
    wrong = [key for key, value in true.items() if not _is_same(told.get(key), value)]
    # It is whole only with what is false or empty as well.
    wrong += [key for key in ("protected", "tags") if key not in told]
    size = told.get("__image_size", told.get("size"))
    wrong += [] if str(size or 0) == str(record.size or 0) else ["size"]
    tags = told.get("tags")
    masked = isinstance(tags, list) and any("***" in str(tag) for tag in tags)
    return wrong + ([] if masked or sorted(tags or ()) == sorted(record.tags) else ["tags"])


def _is_same(told: Json, true: Json) -> bool:
    # IMS writes what looks like a boolean as text, and secrets are masked.
    return told == true or "***" in str(told) or (isinstance(true, bool) and told == str(true).lower())
