"""A function in a process that gets a share of a core, as Lambda gives one to little memory.

Lambda gives a function of 512 MB 29 % of a core. Source: AWS Lambda developer guide, "Configuring function memory": one
whole core for 1,769 MB.

`python -m tests.bench.held` reads an event as a JSON list of an object and the seconds that are granted, says `ready`,
has the event handled, and writes how that ended.
"""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

from handler import app
from tests.conftest import Context

SHARE = 0.29
PERIOD = 0.1
"""Seconds after which the share is given anew."""


@dataclass(frozen=True)
class End:
    """How an invocation ended: seconds that it had left, the messages that it returned, and how much memory it had."""

    left: float
    returned: list[str]
    peak: int
    counts: Mapping[str, int]


def invoke_held(event: Mapping[str, Any], seconds: float, environment: Mapping[str, str], share: float = SHARE) -> End:
    """Have an event handled by a process of its own that gets a share of a core."""
    command, asked = [sys.executable, "-m", "tests.bench.held"], json.dumps([event, seconds])
    with subprocess.Popen(  # noqa: S603 (our own command)
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    ) as child:
        assert child.stdin
        assert child.stdout
        child.stdin.write(f"{asked}\n")
        child.stdin.flush()
        assert child.stdout.readline() == "ready\n"
        over = Event()
        holder = Thread(target=_hold, args=(child.pid, share, over))
        holder.start()
        told = child.stdout.readline()
        over.set()
        holder.join()
        child.send_signal(signal.SIGCONT)
        child.kill()  # as Lambda does not wait for threads either
    return End(**json.loads(told))


def _hold(pid: int, share: float, over: Event) -> None:
    while not over.is_set():
        os.kill(pid, signal.SIGSTOP)
        time.sleep(PERIOD * (1 - share))
        os.kill(pid, signal.SIGCONT)
        over.wait(PERIOD * share)


class _Log(io.TextIOBase):
    """Standard output, of which only the counts are kept: the journal of thousands of images is long."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def write(self, text: str) -> int:
        if '"run.finished"' in text:
            self.counts = json.loads(text)["counts"]
        return len(text)


def main() -> None:
    event, seconds = json.loads(sys.stdin.readline())
    print("ready", flush=True)
    log = _Log()
    context = Context(seconds)
    with redirect_stdout(log):
        answer = app.lambda_handler(event, context)
    left = context.seconds_left()
    peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024
    returned = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
    print(json.dumps({"left": left, "returned": returned, "peak": peak, "counts": log.counts}), flush=True)


if __name__ == "__main__":
    main()
