"""The signature of a request: SDK-HMAC-SHA256, as the gateways of both clouds check it. Pure.

Source: "API Request Signing Guide" of Huawei Cloud, and its Python SDK (`huaweicloudsdkcore/signer`).
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

ALGORITHM = "SDK-HMAC-SHA256"
_EMPTY = hashlib.sha256(b"").hexdigest()
_PLAIN = re.compile(r"[A-Za-z0-9_.~/-]*").fullmatch
"""A path that is signed as it is."""


def canonical_query(query: str) -> str:
    """A query in the one spelling that is signed: each name and value encoded once, in order.

    It means the same as the given one, and must be sent in its place: a gateway checks what it receives.
    """
    parts = (part.partition("=") for part in query.split("&") if part)
    pairs = sorted((_spelled(name), _spelled(value)) for name, _, value in parts)
    return "&".join(f"{name}={value}" for name, value in pairs)


def canonical_request(method: str, path: str, query: str, headers: Mapping[str, str], content: str) -> str:
    """The text of a request that is signed. `query` must be canonical, and every one of `headers` is signed.

    The names of the headers must be in lower case. `content` is the hash of the body.
    """
    names = sorted(headers)
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in names)
    return "\n".join((method, _path(path), query, lines, ";".join(names), content))


def content_hash(body: bytes) -> str:
    """The SHA-256 hash of a body, in hexadecimal digits. The body may be empty."""
    return hashlib.sha256(body).hexdigest() if body else _EMPTY


def signature(secret_key: str, date: str, canonical: str) -> str:
    """The signature of a canonical request at a date, which is its header X-Sdk-Date."""
    text = f"{ALGORITHM}\n{date}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    return hmac.digest(secret_key.encode(), text.encode(), "sha256").hex()


def authorization(access_key: str, names: str, signed: str) -> str:
    """The header that carries a signature; `names` are those of the signed headers, with semicolons."""
    return f"{ALGORITHM} Access={access_key}, SignedHeaders={names}, Signature={signed}"


def _path(path: str) -> str:
    """A path as it is signed: each part decoded and encoded once, and a slash at the end that is not sent."""
    if not _PLAIN(path):
        path = "/".join(quote(part, safe="") for part in unquote_to_bytes(path).split(b"/"))
    return path if path.endswith("/") else f"{path}/"


@lru_cache(maxsize=256)  # the same few names and values come again and again
def _spelled(part: str) -> str:
    # requests encodes a space as a plus, and a plus as %2B.
    return quote(unquote_to_bytes(part.replace("+", " ")), safe="")
