"""SDK-HMAC-SHA256, recomputed from a request as it came in. Shares no line with the handler's own.

Written from the description of the algorithm in Huawei Cloud's "API Request Signing Guide".
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from tests.fakecloud.api import Request

ALGORITHM = "SDK-HMAC-SHA256"
DATE, TOKEN, PROJECT, HASH = "X-Sdk-Date", "X-Security-Token", "X-Project-Id", "X-Sdk-Content-Sha256"
FORM = re.compile(r"SDK-HMAC-SHA256 Access=([^,\s]*), ?SignedHeaders=([^,\s]*), ?Signature=([0-9a-f]{64})")
UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")


@dataclass(frozen=True)
class Signed:
    """What the Authorization header of a request says."""

    access: str
    names: tuple[str, ...]
    signature: str

    @classmethod
    def of(cls, request: Request) -> Self | None:
        """Read the header; None if it can't be read."""
        found = FORM.fullmatch(request.headers.get("Authorization", "").strip())
        return cls(found[1], tuple(found[2].split(";")), found[3]) if found else None

    def is_by(self, secret: str, request: Request) -> bool:
        """Whether the signature is that of this secret under this request."""
        digest = hashlib.sha256(canonical(request, self.names).encode()).hexdigest()
        told = "\n".join([ALGORITHM, request.headers.get(DATE, ""), digest])
        made = hmac.new(secret.encode(), told.encode(), hashlib.sha256).hexdigest()
        return hmac.compare_digest(made, self.signature)

    def covers(self, request: Request) -> bool:
        """Whether host and date are signed, and whatever else is signed was sent."""
        return {"host", "x-sdk-date"} <= set(self.names) and all(name in request.headers for name in self.names)


def is_signed(request: Request) -> bool:
    """Whether a request claims to be signed."""
    return request.headers.get("Authorization", "").startswith(ALGORITHM)


def canonical(request: Request, names: tuple[str, ...]) -> str:
    """The request in the one spelling that is signed."""
    heads = "".join(f"{name}:{request.headers.get(name, '').strip()}\n" for name in names)
    told = request.headers.get(HASH, "") if HASH.lower() in names else ""
    body = told or hashlib.sha256(request.body).hexdigest()
    path = _path(request.sent_path or request.path)
    return "\n".join([request.method, path, _query(request.query), heads, ";".join(names), body])


def signed_at(request: Request) -> datetime | None:
    """The time at which a request says that it was signed; None if it is not written in the one valid form."""
    try:
        return datetime.strptime(request.headers.get(DATE, ""), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def _path(path: str) -> str:
    """Each segment decoded once and encoded once, with a slash at the end."""
    segments = _decoded(path).split(b"/")
    spelled = "/".join(_encoded(segment) for segment in segments)
    return spelled if spelled.endswith("/") else spelled + "/"


def _query(query: str) -> str:
    """Each parameter decoded once and encoded once, in order of names, and of values where a name comes twice."""
    pairs = []
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        pairs.append((_encoded(_decoded(name)), _encoded(_decoded(value))))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _decoded(text: str) -> bytes:
    """The bytes that a string stands for. A plus is a plus: a space must be written `%20`, as it is signed."""
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), text.encode("latin-1"))


def _encoded(raw: bytes) -> str:
    return "".join(chr(byte) if byte in UNRESERVED else f"%{byte:02X}" for byte in raw)
