"""A Neutron that has nothing: Nova asks for the ports of the servers that it lists. Run by gunicorn.

It may as well be a Cinder that has nothing.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

LISTS = frozenset({"ports", "security_groups", "extensions", "volumes"})


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    path = environ["PATH_INFO"].rstrip("/").removesuffix("/detail")
    name = path.rpartition("/")[2].removesuffix(".json").replace("-", "_")
    body = json.dumps({name: []} if name in LISTS else {}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
