"""Whether an address is one of this machine. Pure."""

from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit


def is_this_machine(address: str) -> bool:
    """Whether an HTTP or HTTPS address is one of this machine."""
    try:
        parts = urlsplit(address)
        return parts.scheme in {"http", "https"} and _is_loopback(parts.hostname or "")
    except ValueError:
        return False


@lru_cache(maxsize=64)  # asked at every request
def _is_loopback(host: str) -> bool:
    """Whether a name or an address is that of this machine; raises ValueError for any other name."""
    if host == "localhost":
        return True
    found = ip_address(host)
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)
