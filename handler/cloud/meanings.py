"""What the cloud's answers mean: one parser for the error bodies of six services, one table for their meaning. Pure.

Sources: ECS "Returned Values for General Requests" and its error codes, IMS error codes, API gateway error codes,
Glance `api/v2/images.py`, Nova `api/openstack/compute/images.py`, Keystone; and what the real services answered.
"""

import html
import re
from collections.abc import Callable, Mapping
from enum import Enum, auto
from functools import cache, lru_cache
from typing import NamedTuple

from handler.cloud.fields import read_refusal


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
    """What an answer means, and what it said: status, vendor code (`IMG.0027`), and the sentence for a person.

    The sentence is one short line without markup and without secrets. `request_id` is the cloud's name for the request,
    by which its support finds it. What the cloud did not say is empty.
    """

    meaning: Meaning
    status: int
    code: str = ""
    message: str = ""
    request_id: str = ""

    def __str__(self) -> str:
        """One line that says what the cloud said."""
        request = f"(request {self.request_id})" if self.request_id else ""
        return " ".join(part for part in (f"HTTP {self.status}", self.code, self.message, request) if part)


class Row(NamedTuple):
    """A row of the table. It matches an answer that fits everything that the row names.

    In `codes`, `IMG.*` stands for every code of a service, `-` for JSON without a vendor code, as Glance and Nova write
    it, and `~` for any other text. Words are in lower case, as the sentence is read then, and decide only together with
    a status and a code: anybody may say "in use".
    """

    meaning: Meaning
    statuses: str = ""
    codes: str = ""
    words: str = ""


_START = r"^((400 bad request|404 not found) )?"
"""The beginning of a sentence. A page begins with its status."""
_IMAGES = "- ~ IMG.* Ecs.*"
"""The codes with which a sentence may speak of an image: those of the image service and of Nova, or none."""

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
    # The backup of a full-ECS image, which was to go with it.
    Row(Meaning.DENIED, codes="IMG.0133 IMG.0165"),
    Row(Meaning.UNAVAILABLE, codes="IMG.0032 IMG.0188"),
    Row(Meaning.DENIED, codes="Ecs.0003 Ecs.0023 Ecs.0110 Common.0018 Pdp.0001"),
    Row(Meaning.DENIED, codes="APIGW.0302 APIGW.0304 APIGW.0306 APIGW.0310"),
    Row(Meaning.DENIED, codes="APIGW.0401 APIGW.0402 APIGW.0404 APIGW.0801 APIGW.0802"),
    Row(Meaning.UNAVAILABLE, codes="IMG.0014 IMG.0046 IMG.0061 IMG.0064 IMG.0065"),
    # "A system exception occurred. Try again later."
    Row(Meaning.UNAVAILABLE, codes="Ecs.0002 Ecs.0004 Ecs.0007 Ecs.0008 Ecs.0208 Ecs.0210 Ecs.0304 Ecs.0310 Ecs.1000"),
    Row(Meaning.UNAVAILABLE, codes="Ecs.1001 Ecs.1002 Ecs.1100 Ecs.1200 Ecs.1201 Ecs.1300 Common.0001 Common.0020"),
    Row(Meaning.UNAVAILABLE, codes="APIGW.0601 APIGW.0605 APIGW.0606 APIGW.0608 APIGW.0609 APIGW.0610 APIGW.0611"),
    Row(Meaning.UNAVAILABLE, codes="APIGW.0612 APIGW.0613 APIGW.0705"),
    Row(Meaning.UNAVAILABLE, statuses="502 504", codes="APIGW.0201"),
    Row(Meaning.UNEXPECTED, codes="APIGW.0101 APIGW.0103 APIGW.0104 APIGW.0105 APIGW.0106 APIGW.0201"),
    Row(Meaning.UNEXPECTED, codes="APIGW.0501 APIGW.0502 APIGW.0602 APIGW.0607"),
    Row(Meaning.UNEXPECTED, codes="IMG.0001 IMG.0007 IMG.0015 IMG.0016 IMG.0017 IMG.0031 IMG.0035 IMG.0066 IMG.0084"),
    Row(Meaning.UNEXPECTED, codes="IMG.0105 IMG.0115 IMG.0116 IMG.0154 IMG.0155 IMG.0156"),
    # One code of ECS stands for several sentences, and other clouds of the same make have codes of their own.
    Row(Meaning.UNAVAILABLE, statuses="400 500 501", codes="Ecs.* Common.* EVS.*", words=r"try again .{0,16}\blater"),
    # Words, where the status alone could mean two things. A 404 must name the image: gateways and Nova answer 404 to a
    # wrong host, path or version as well, and there nothing says that the image is gone.
    Row(Meaning.GONE, statuses="400 404", codes=_IMAGES, words=_START + r"failed to find image \S{36}( |\.|$)"),
    Row(Meaning.GONE, statuses="400 404", codes=_IMAGES, words=_START + r"no image found with id \S{36}( |\.|$)"),
    Row(Meaning.GONE, statuses="404", codes=_IMAGES, words=_START + r"image \S{36} (not|could not be) found\.?$"),
    # Nova names no id. A page that says so may be about a picture.
    Row(Meaning.GONE, statuses="404", codes="- IMG.* Ecs.*", words=r"^image not found\.?$"),
    # Of several DELETEs of one image at once, Glance answers some with this 400.
    Row(Meaning.GONE, statuses="400", codes="- ~", words=r"image status transition from (deleted|pending_delete) "),
    Row(Meaning.NOT_READY, statuses="400", codes="- ~", words=r"image status transition from "),
    Row(Meaning.DENIED, statuses="400", codes="- Ecs.*", words=r"url's project_id .* doesn't match"),
    Row(Meaning.PROTECTED, statuses="403", codes=_IMAGES, words=r"image \S{36} is protected and cannot be deleted"),
    Row(Meaning.NOT_OWNER, statuses="403", codes=_IMAGES, words=r"you do not own this image"),
    # The store could not remove the file. The image is as it was, and can be deleted once the store works again.
    Row(Meaning.UNAVAILABLE, statuses="403", codes="- ~", words=r"you cannot delete file"),
    Row(
        Meaning.IN_USE,
        statuses="409",
        codes=_IMAGES,
        words=r"image (\S{36} )?((could not|cannot) be deleted because it )?(is in use|has (a )?snapshot)",
    ),
    Row(Meaning.IN_USE, statuses="500", codes="-", words=r"unexpected api error.*nova\.exception\.imagedeleteconflict"),
    Row(Meaning.UNEXPECTED, statuses="413", codes="- ~", words=r"exceeded on the number of allowed image tags"),
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

_LONGEST_TEXT = 20_000
"""Characters of a sentence that are looked at. The patterns for markup would take too long over millions."""
_LONGEST_MESSAGE = 300
_LONGEST_CODE = 60
_MARKUP = re.compile(r"<(title|style|script)\b.*?</\1>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_BREAK = re.compile(r"<br */?>")
"""The only markup that Glance puts into JSON. Anything else in angle brackets is text: `<class '...'>`."""
_REQUEST_IDS = ("x-openstack-request-id", "x-request-id", "x-compute-request-id")
NO_HEADERS: Mapping[str, str] = {}


def read_answer(
    status: int, body: str, headers: Mapping[str, str] = NO_HEADERS, scrub: Callable[[str], str] = str
) -> Answer:
    """Read a body: JSON from any of the services, a web page, or plain text. `scrub` takes secrets out of a text."""
    refusal = read_refusal(body)
    code, text, markup = (_code(refusal[0]), refusal[1], _BREAK) if refusal else ("", body, _MARKUP)
    return Answer(
        # Understood before anything is taken out of it: a password may be a word of the sentence that decides.
        meaning=_meaning_of(status, code or ("-" if refusal else "~"), _sentence(text, markup), not body.strip()),
        status=status,
        # Scrubbed before it is folded and cut: half a secret, or one without its blanks, would not be recognised.
        code=_code(scrub(refusal[0]) if refusal and isinstance(refusal[0], str) else None),
        message=_sentence(scrub(text), markup)[:_LONGEST_MESSAGE],
        request_id=request_id_of(headers, scrub),
    )


def request_id_of(headers: Mapping[str, str], scrub: Callable[[str], str]) -> str:
    """The cloud's name for a request, in case its support is asked; empty if it gave none."""
    return scrub(next((value for name in _REQUEST_IDS if (value := headers.get(name))), ""))[:_LONGEST_CODE]


def row_for(status: int, code: str, sentence: str) -> Row | None:
    """Find the row of the table that decides, or None."""
    folded = sentence.lower()
    return next((row for row in TABLE if _matches(row, status, code, folded)), None)


@lru_cache(maxsize=32)
def _meaning_of(status: int, code: str, sentence: str, is_empty: bool) -> Meaning:  # noqa: FBT001 (lru_cache)
    row = row_for(status, code, sentence)
    if row is None:
        return Meaning.UNEXPECTED
    # A success that comes with words may be a page of a proxy: only a GET can confirm it.
    if row.meaning is Meaning.DONE and not is_empty:
        return Meaning.UNCONFIRMED
    return row.meaning


def _matches(row: Row, status: int, code: str, sentence: str) -> bool:
    statuses, codes, words = _conditions(row)
    family = code.rpartition(".")[0] + ".*"
    return (
        (not statuses or status in statuses)
        and (not codes or code in codes or family in codes)
        and (words is None or words.search(sentence) is not None)
    )


@cache
def _conditions(row: Row) -> tuple[frozenset[int], frozenset[str], re.Pattern[str] | None]:
    words = re.compile(row.words) if row.words else None
    return frozenset(map(int, row.statuses.split())), frozenset(row.codes.split()), words


def _code(code: str | int | None) -> str:
    """Keep `IMG.0027`; drop the native `404` and `404 Not Found`. Dedicated gateways write APIG for APIGW."""
    if not isinstance(code, str) or re.match(r"\s*(\d{3}\b|$)", code):
        return ""
    # Any other text is kept in parentheses: it says that neither Glance nor Nova has written the answer.
    is_vendors = re.fullmatch(r"[A-Za-z]+\.\d+", code)
    return re.sub(r"^APIG\.", "APIGW.", code) if is_vendors else f"({' '.join(code.split())})"[:_LONGEST_CODE]


def _sentence(text: str, markup: re.Pattern[str]) -> str:
    """The text as one line, without markup and HTML entities."""
    return " ".join(html.unescape(markup.sub(" ", text[:_LONGEST_TEXT])).split())
