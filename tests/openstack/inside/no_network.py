"""A Neutron that has nothing: Nova asks for the ports of the servers that it lists. Run by gunicorn."""

import json
from collections.abc import Callable, Iterable
from typing import Any

LISTS = frozenset({"ports", "security_groups", "extensions"})


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    name = environ["PATH_INFO"].rstrip("/").rpartition("/")[2].removesuffix(".json").replace("-", "_")
    body = json.dumps({name: []} if name in LISTS else {}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
