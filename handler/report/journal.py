"""The journal: the record of an image, as the lines that are written before the image is deleted. Pure.

And what every line of the log must be: ASCII, and no longer than the log takes.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from handler.model.request import Job

LONGEST_LINE = 200_000
"""Bytes. CloudWatch Logs takes events of 256 KB. Source: CloudWatch Logs user guide, "Quotas"."""
_LONGEST_PIECE = 90_000
"""Characters, each of which takes up to two bytes once it stands in a line."""
_CERTAIN_TO_FIT = LONGEST_LINE // 20
"""Characters of all texts in a line that certainly fits: in ASCII, one character may take twelve bytes."""
_LONGEST_TEXT = 1_000
"""Characters of a text in a line that might not fit."""
MOST_IN_LINE = 4_000
"""Ids of images in one line of the log."""
LEVEL = "FATAL"
"""The highest level that Lambda's log filter knows. At any other, an application log level could drop the line.

Source: AWS Lambda developer guide, "Log-level filtering": a level that it does not know counts as INFO.
"""


def parts(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A record that is too long for one line, in numbered parts.

    The texts `image` of all parts, one after the other, are the record as JSON. `sha256` is the digest of that: it
    tells the parts of one record from those of another, and that none is missing.
    """
    text = as_ascii(record)
    pieces = [text[start : start + _LONGEST_PIECE] for start in range(0, len(text), _LONGEST_PIECE)]
    digest = sha256(text.encode()).hexdigest()
    for number, piece in enumerate(pieces, 1):
        yield {"part": number, "parts": len(pieces), "sha256": digest, "image": piece}


def as_ascii(value: object) -> str:
    """A value as JSON. The names of images may hold what standard output can't encode: ASCII always gets through."""
    return json.dumps(value, default=str, separators=(",", ":"))


def fitting(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields of a line, with their texts cut where the line might be too long: a cloud may say anything."""
    texts = {key: value for key, value in fields.items() if isinstance(value, str)}
    if sum(map(len, texts.values())) <= _CERTAIN_TO_FIT:
        return fields
    return {**fields, **{key: text[:_LONGEST_TEXT] for key, text in texts.items()}}


def by_message(jobs: Sequence[Job]) -> Iterator[tuple[tuple[str, str], list[str]]]:
    """The ids of images, by their message and the reason of its request; as many at once as fit into a line."""
    asked: dict[tuple[str, str], list[str]] = {}
    for job in jobs:
        asked.setdefault((job.message_id, job.request.reason), []).append(job.target.image_id)
    for key, image_ids in asked.items():
        for start in range(0, len(image_ids), MOST_IN_LINE):
            yield key, image_ids[start : start + MOST_IN_LINE]
