"""The network between the function and the cloud: the authorities of the cloud's certificates, and the proxy."""

import binascii
import re
import ssl
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from handler.errors import InvalidSettings

BUNDLE = "CA_BUNDLE"
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_KINDS = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----")
_ESCAPED = re.compile(r"\\[nrt]")
"""A line break that was escaped once too often."""
_PROXIES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
"""The variables that name the proxy of https addresses. The first one that is set decides."""
_PROXY = re.compile(r"https?://[^\s/?#]+/?", re.IGNORECASE)


# Once: the settings are read in every invocation, and a dozen certificates take as long as a request.
@lru_cache(maxsize=1)
def read_bundle(text: str) -> str:
    """Read the certificates of a PEM text, also of one whose line breaks were lost or escaped; returns them as PEM.

    What stands around them is left out. Raises ValueError, which shows nothing of the text.
    """
    kinds = _KINDS.findall(text)
    if any("PRIVATE KEY" in kind for kind in kinds):
        message = "holds a private key, which does not belong there: leave it out, and replace that key"
        raise ValueError(message)
    found = _CERTIFICATE.findall(text)
    if not found:
        message = "holds no certificate: give the text of the PEM file, which has -----BEGIN CERTIFICATE----- in it"
        raise ValueError(message)
    if len(found) != len(kinds):
        message = f"has {len(found)} whole certificates, and begins {len(kinds)}: copy the PEM file again"
        raise ValueError(message)
    return "".join(_whole(number, body) for number, body in enumerate(found, start=1))


def _whole(number: int, body: str) -> str:
    """One certificate as PEM; raises ValueError if OpenSSL can't read it."""
    try:
        pem = ssl.DER_cert_to_PEM_cert(binascii.a2b_base64(_ESCAPED.sub("", body)))
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    # Both are kinds of ValueError or OSError, whose texts may show what could not be read.
    except (ValueError, ssl.SSLError):
        message = f"its certificate {number} can't be read: copy the PEM file again"
        raise ValueError(message) from None
    return pem


def check_proxy(given: Mapping[str, str]) -> None:
    """Refuse a proxy that could not be used; raises InvalidSettings, which shows nothing of its address.

    requests would accept an address without a scheme, and fail on any other one only in the middle of a run.
    """
    for name in list(filter(given.get, _PROXIES))[:1]:
        if not _is_proxy(given[name]):
            message = (
                f"{name}: must be the address of a proxy, such as http://proxy.example.com:3128: it begins with "
                "http:// or https:// and has no path. A user and a password consist of characters of Latin-1, of which "
                "all but letters and digits are encoded (@ is %40)"
            )
            raise InvalidSettings(message)


def _is_proxy(address: str) -> bool:
    try:
        parts = urlsplit(address)
        usable = bool(parts.hostname) and parts.port != 0
        # As requests sends them. What can't be sent so, its error would show, and nobody scrubs that.
        for secret in (parts.username, parts.password):
            unquote(secret or "").encode("latin-1")
    except ValueError:
        return False
    return usable and _PROXY.fullmatch(address) is not None
