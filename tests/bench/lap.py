"""One cold environment of the function: a script for the function's own Python, which finds nothing but an artifact.

It reads a JSON list of events, has `handler.app.lambda_handler` handle one after the other, and writes as a JSON list
what each answered and what the process had cost by then: CPU seconds since its start, and bytes of memory at most.
"""

import contextlib
import io
import json
import sys
import time
from pathlib import Path
from typing import Any

SECONDS = 300.0


class Context:
    """Lambda's context, as far as the function needs it."""

    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"

    def __init__(self) -> None:
        self._end = time.monotonic() + SECONDS

    def get_remaining_time_in_millis(self) -> int:
        return int((self._end - time.monotonic()) * 1000)


def peak() -> int:
    """Bytes; `getrusage` would also count what the parent had when it started this process."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024


def lap(event: object) -> dict[str, Any]:
    from handler.app import lambda_handler  # noqa: PLC0415 (the import is what a cold start is)

    with contextlib.redirect_stdout(io.StringIO()):
        answer = lambda_handler(event, Context())
    return {"cpu": time.process_time(), "peak": peak(), "answer": answer}


if __name__ == "__main__":
    json.dump([lap(event) for event in json.load(sys.stdin)], sys.stdout)
