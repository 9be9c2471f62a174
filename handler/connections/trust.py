"""Whom connections trust: the authorities of a file are read once, and not for each connection."""

import ssl
from functools import lru_cache
from pathlib import Path

from requests.adapters import DEFAULT_CA_BUNDLE_PATH
from urllib3.util.ssl_ import create_urllib3_context


def trusting(verify: object) -> dict[str, object]:
    """How to trust the authorities of a file, or the public ones; empty for anything else."""
    name = DEFAULT_CA_BUNDLE_PATH if verify is True else verify
    file = Path(name) if isinstance(name, str) else None
    if file is None or not file.is_file():
        return {}
    # It may be replaced while the function is warm.
    return {"ssl_context": _context(file, file.stat().st_mtime_ns)}


@lru_cache(maxsize=4)
def _context(file: Path, _changed_at: int) -> ssl.SSLContext:
    # One for all connections: reading the file takes longer than most calls.
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    context.load_verify_locations(file)
    return context
