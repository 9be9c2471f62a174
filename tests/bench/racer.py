"""One client in a process of its own: `python -m tests.bench.racer handler` or `bare`.

It reads the ids of images as a JSON list, deletes them, and writes as a JSON object what that took, the import of its
code not counted: `seconds` and `cpu`.
"""

import io
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from handler import app
from tests.conftest import Context

SECONDS = 60


def handler(ids: Sequence[str]) -> None:
    """One cold invocation with every check: token, servers, record, members, DELETE, journal, metrics."""
    with redirect_stdout(io.StringIO()):
        report: dict[str, Any] = app.lambda_handler({"image_ids": list(ids)}, Context(300))
    assert report["counts"] == {"deleted": len(ids)}


def bare(ids: Sequence[str]) -> None:
    """A pool that sends the same GETs and DELETEs with a token that it was given, and looks at nothing."""
    images, servers, connections = (os.environ[name] for name in ("IMAGES", "SERVERS", "REAPER_CONCURRENCY"))
    with requests.Session() as session, ThreadPoolExecutor(int(connections)) as pool:
        session.mount("http://", HTTPAdapter(pool_maxsize=int(connections)))
        session.headers.update({"X-Auth-Token": os.environ["TOKEN"], "Accept": "application/json"})

        def delete(image_id: str) -> int:
            image = session.get(f"{images}/{image_id}", timeout=SECONDS).json()
            if image["visibility"] == "shared":
                session.get(f"{images}/{image_id}/members", timeout=SECONDS).json()
            return session.delete(f"{images}/{image_id}", timeout=SECONDS).status_code

        session.get(servers, timeout=SECONDS).json()
        assert set(pool.map(delete, ids)) == {requests.codes.no_content}


RACERS: dict[str, Callable[[Sequence[str]], None]] = {"handler": handler, "bare": bare}


def main() -> None:
    ids = json.load(sys.stdin)
    began, cpu = time.perf_counter(), time.process_time()
    RACERS[sys.argv[1]](ids)
    json.dump({"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}, sys.stdout)


if __name__ == "__main__":
    main()
