"""One client in a process of its own: `python -m tests.bench.racer handler 1`, `pool` or `session`.

It reads the ids of images as a JSON list, deletes them, and writes as a JSON object what that took: `seconds` and
`cpu`. The number is of images that are deleted first and not counted, and neither is what comes once: the login, and
what is made when it is first used. With 0, all of that counts, but for the import of the code. All three send the same
requests.
"""

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

from handler import app
from tests.bench.bare import Bare
from tests.conftest import Context


@dataclass(frozen=True)
class Cost:
    """What deletions took a client, in seconds; the CPU is the client's alone."""

    seconds: float
    cpu: float


Client = Callable[[Sequence[str]], None]


def race(name: str, ids: Sequence[str], environment: Mapping[str, str], warm: int = 0) -> Cost:
    """Let one client delete some images, the first of which only warm it up."""
    # Without a proxy, and without a word about one, as on Lambda: requests looks for it at every request.
    own = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(  # noqa: S603 (every word of it is ours)
        [sys.executable, "-m", "tests.bench.racer", name, str(warm)],
        env={**own, **environment},
        input=json.dumps(ids),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Cost(**json.loads(done.stdout))


def handler() -> Client:
    """Every check: servers, record, members, DELETE, journal, metrics."""

    def delete(ids: Sequence[str]) -> None:
        with redirect_stdout(io.StringIO()):
            report: dict[str, Any] = app.lambda_handler({"image_ids": list(ids)}, Context(300))
        assert report["counts"] == {"deleted": len(ids)}

    return delete


def pool() -> Client:
    """As many threads as the handler has, and as many connections."""
    threads = int(os.environ["REAPER_CONCURRENCY"])
    bare = Bare(os.environ, threads)

    def delete(ids: Sequence[str]) -> None:
        bare.get(bare.servers, limit="1000")
        with ThreadPoolExecutor(threads) as executor:
            assert len(list(executor.map(bare.delete, ids))) == len(ids)

    return delete


def session() -> Client:
    """One image after the other: no thread costs anything."""
    bare = Bare(os.environ)

    def delete(ids: Sequence[str]) -> None:
        bare.get(bare.servers, limit="1000")
        for image_id in ids:
            bare.delete(image_id)

    return delete


RACERS: dict[str, Callable[[], Client]] = {"handler": handler, "pool": pool, "session": session}


def main() -> None:
    ids, warm = json.load(sys.stdin), int(sys.argv[2])
    began, cpu = time.perf_counter(), time.process_time()
    client = RACERS[sys.argv[1]]()
    if warm:
        client(ids[:warm])
        began, cpu = time.perf_counter(), time.process_time()
    client(ids[warm:])
    json.dump({"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}, sys.stdout)


if __name__ == "__main__":
    main()
