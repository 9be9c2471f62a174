"""What the cloud's answers mean: one parser for the error bodies of six services, one table for their meaning. Pure.

Sources: ECS "Returned Values for General Requests" and its error codes, IMS error codes, API gateway error codes,
Glance `api/v2/images.py`, Nova `api/openstack/compute/images.py`, Keystone; and what the real services answered.
"""

import html
import json
import re
from collections.abc import Iterator
from enum import Enum, auto
from functools import cache, lru_cache
from typing import Any, NamedTuple


class Meaning(Enum):
    """What an answer says about the image, or about the request."""

    DONE = auto()
    UNCONFIRMED = auto()
    """Accepted, or a success with a body that we do not know: a GET must confirm it."""
    GONE = auto()
    """There is no such image. The answer to a wrong address, host or API version never means this."""
    PROTECTED = auto()
    IN_USE = auto()
    PUBLIC = auto()
    NOT_OWNER = auto()
    NOT_READY = auto()
    UNAUTHENTICATED = auto()
    """The token is not accepted: a new one may be."""
    DENIED = auto()
    THROTTLED = auto()
    UNAVAILABLE = auto()
    BACKUP_LEFT = auto()
    UNEXPECTED = auto()


class Answer(NamedTuple):
    """Status, vendor code (`IMG.0027`; empty if there is none) and the sentence for a person, without markup."""

    status: int
    code: str = ""
    message: str = ""
    empty: bool = True

    def __str__(self) -> str:
        """One line that says what the cloud said."""
        return " ".join(part for part in (f"HTTP {self.status}", self.code, self.message) if part)


class Row(NamedTuple):
    """A row of the table. It matches an answer that fits everything that the row names."""

    meaning: Meaning
    statuses: str = ""
    codes: str = ""
    words: str = ""


TABLE = (
    # Vendor codes say more than the status that they come with.
    Row(Meaning.GONE, statuses="400 404", codes="IMG.0027 IMG.0086 IMG.0121 IMG.0144 Ecs.0031"),
    Row(Meaning.PROTECTED, codes="IMG.0028"),
    Row(Meaning.PUBLIC, codes="IMG.0083 IMG.0094"),
    Row(Meaning.NOT_OWNER, codes="IMG.0047 IMG.0092 IMG.0106"),
    Row(Meaning.NOT_READY, codes="IMG.0090 IMG.0148 Ecs.0032"),
    Row(Meaning.BACKUP_LEFT, codes="IMG.0176"),
    Row(Meaning.THROTTLED, codes="IMG.0060 IMG.0187 Common.0024 Common.1503 APIGW.0308 IAM.0012"),
    Row(Meaning.UNAUTHENTICATED, codes="IMG.0030 IMG.0087 Common.0013"),
    Row(Meaning.UNAUTHENTICATED, codes="APIGW.0301 APIGW.0303 APIGW.0305 APIGW.0307 APIGW.0311"),
    Row(Meaning.DENIED, codes="IMG.0026 IMG.0067 IMG.0108 IMG.0145 IMG.0161 IMG.0238 IMG.0239 IMG.0241 IMG.0242"),
    Row(Meaning.DENIED, codes="Ecs.0003 Ecs.0023 Ecs.0110 Common.0018 Pdp.0001"),
    Row(Meaning.DENIED, codes="APIGW.0302 APIGW.0304 APIGW.0306 APIGW.0310"),
    Row(Meaning.DENIED, codes="APIGW.0401 APIGW.0402 APIGW.0404 APIGW.0801 APIGW.0802"),
    Row(Meaning.UNAVAILABLE, codes="IMG.0014 IMG.0046 IMG.0061 IMG.0064 IMG.0065"),
    Row(Meaning.UNAVAILABLE, codes="Ecs.0304 Ecs.1000 Ecs.1001 Ecs.1002 Common.0001"),
    Row(Meaning.UNAVAILABLE, codes="APIGW.0601 APIGW.0605 APIGW.0606 APIGW.0608 APIGW.0609 APIGW.0610 APIGW.0611"),
    Row(Meaning.UNAVAILABLE, codes="APIGW.0612 APIGW.0613 APIGW.0705"),
    Row(Meaning.UNAVAILABLE, statuses="502 504", codes="APIGW.0201"),
    Row(Meaning.UNEXPECTED, codes="APIGW.0101 APIGW.0103 APIGW.0104 APIGW.0105 APIGW.0106 APIGW.0201"),
    Row(Meaning.UNEXPECTED, codes="APIGW.0501 APIGW.0502 APIGW.0602 APIGW.0607"),
    Row(Meaning.UNEXPECTED, codes="IMG.0001 IMG.0007 IMG.0015 IMG.0016 IMG.0017 IMG.0031 IMG.0035 IMG.0066 IMG.0084"),
    Row(Meaning.UNEXPECTED, codes="IMG.0105 IMG.0115 IMG.0116 IMG.0154 IMG.0155 IMG.0156"),
    # Words, where the status alone could mean two things. A 404 must name the image: gateways and Nova answer 404 to a
    # wrong host, path or version as well, and there nothing says that the image is gone.
    Row(Meaning.GONE, statuses="400 404", words=r"failed to find image|no image found with id"),
    Row(Meaning.GONE, statuses="404", words=r"^(404 not found )?image (\S{36} )?not found\.?$"),
    # Of several DELETEs of one image at once, Glance answers some with this 400.
    Row(Meaning.GONE, statuses="400", words=r"status transition from (deleted|pending_delete) "),
    Row(Meaning.NOT_READY, statuses="400", words=r"status transition from "),
    Row(Meaning.DENIED, statuses="400", words=r"url's project_id .* doesn't match"),
    Row(Meaning.PROTECTED, statuses="403", words=r"is protected and cannot be deleted"),
    Row(Meaning.NOT_OWNER, statuses="403", words=r"you do not own this image"),
    # The store could not remove the file. The image is as it was, and can be deleted once the store works again.
    Row(Meaning.UNAVAILABLE, statuses="403", words=r"you cannot delete file"),
    Row(Meaning.IN_USE, statuses="409", words=r"in use|snapshot"),
    Row(Meaning.IN_USE, statuses="500", words=r"imagedeleteconflict"),
    # The status, where nothing else is known.
    Row(Meaning.DONE, statuses="200 204"),
    Row(Meaning.UNCONFIRMED, statuses="201 202"),
    # Glance answers 401 also while Keystone or its own database is down.
    Row(Meaning.UNAUTHENTICATED, statuses="401"),
    Row(Meaning.DENIED, statuses="403"),
    Row(Meaning.THROTTLED, statuses="413 429"),
    Row(Meaning.UNAVAILABLE, statuses="408 409 500 502 503 504"),
    Row(Meaning.UNEXPECTED, statuses="300 400 404 405 406 407 414 415 494 501"),
)
"""Tried from the top; the first row that matches decides. An answer that no row matches is UNEXPECTED."""

_LONGEST_BODY = 20_000
_LONGEST_MESSAGE = 300
_MARKUP = re.compile(r"<(title|style|script)\b.*?</\1>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_BREAK = re.compile(r"<br */?>")
"""The only markup that Glance puts into JSON. Anything else in angle brackets is text: `<class '...'>`."""
_CODE_KEYS = ("error_code", "errorCode", "code")
_MESSAGE_KEYS = ("error_msg", "errorMsg", "message")


def row_for(answer: Answer) -> Row | None:
    """Find the row of the table that decides, or None."""
    return next((row for row in TABLE if _matches(row, answer)), None)


@lru_cache(maxsize=32)
def meaning_of(answer: Answer) -> Meaning:
    """Return what an answer means."""
    row = row_for(answer)
    if row is None:
        return Meaning.UNEXPECTED
    # A success that comes with words may be a page of a proxy: only a GET can confirm it.
    if row.meaning is Meaning.DONE and not answer.empty:
        return Meaning.UNCONFIRMED
    return row.meaning


def read_answer(status: int, body: str) -> Answer:
    """Read an error body: JSON from any of the services, a web page, or plain text."""
    text = body[:_LONGEST_BODY]
    payload = _json(text)
    for level in _levels(payload):
        code, message = _first(level, _CODE_KEYS), _first(level, _MESSAGE_KEYS)
        if code is not None or message is not None:
            return Answer(
                status, code=_vendor_code(code), message=_folded(_BREAK.sub(" ", str(message or ""))), empty=False
            )
    return Answer(status, message=_folded(_MARKUP.sub(" ", text)), empty=not body.strip())


def _matches(row: Row, answer: Answer) -> bool:
    statuses, codes, words = _conditions(row)
    return (
        (not statuses or answer.status in statuses)
        and (not codes or answer.code in codes)
        and (words is None or words.search(answer.message) is not None)
    )


@cache
def _conditions(row: Row) -> tuple[frozenset[int], frozenset[str], re.Pattern[str] | None]:
    words = re.compile(row.words, re.IGNORECASE) if row.words else None
    return frozenset(map(int, row.statuses.split())), frozenset(row.codes.split()), words


def _json(text: str) -> Any:  # noqa: ANN401 (JSON may be anything)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _levels(payload: object) -> Iterator[dict[str, Any]]:
    """The object itself, and the objects directly in it: `{"error": {...}}`, `{"itemNotFound": {...}}`."""
    if isinstance(payload, dict):
        yield payload
        yield from (value for value in payload.values() if isinstance(value, dict))


def _first(level: dict[str, Any], keys: tuple[str, ...]) -> str | int | None:
    found = (level[key] for key in keys if isinstance(level.get(key), str | int))
    return next(found, None)


def _vendor_code(code: str | int | None) -> str:
    """Keep `IMG.0027`; drop the native `404` and `404 Not Found`. Dedicated gateways write APIG for APIGW."""
    text = str(code or "")
    if re.fullmatch(r"[A-Za-z]+\.\d+", text) is None:
        return ""
    return re.sub(r"^APIG\.", "APIGW.", text)


def _folded(text: str) -> str:
    """One line without HTML entities, cut to a length that suits a log line."""
    return " ".join(html.unescape(text).split())[:_LONGEST_MESSAGE]
