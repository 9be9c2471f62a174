"""A process that has loaded all libraries, and forks for each run of pytest: most trials take less time than loading.

It is started in a copy of the tree, as a script, so that nothing of ours is loaded: that happens in each fork anew. It
reads lines of JSON, `{"arguments": [...], "environment": {...}, "printed": "<path>"}`, and answers each with the exit
code of pytest, or the number of the signal that has ended it below zero.
"""

import importlib
import json
import os
import signal
import sys
import time
import warnings
from contextlib import suppress
from pathlib import Path

MOST_SECONDS = 1800
"""For one run of the tests."""


def loaded_by(arguments: list[str]) -> list[str]:
    """The modules that pytest loads for a run, less ours."""
    listed = Path("loaded.json").absolute()
    if not _ended(_forked([*arguments, "--collect-only"], listed.with_suffix(".txt"), listed)):
        names: list[str] = json.loads(listed.read_text(encoding="utf-8"))
        return names
    sys.exit(listed.with_suffix(".txt").read_text(encoding="utf-8"))


def load(names: list[str]) -> None:
    """Load libraries. Some parts of them can't be loaded by themselves; these are loaded by those that use them."""
    for name in names:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                importlib.import_module(name)
            except (ImportError, AttributeError, KeyError, ValueError):
                sys.modules.pop(name, None)


def _forked(arguments: list[str], printed: Path, listed: Path | None = None) -> int:
    """Run pytest in a process of its own; returns its id."""
    process = os.fork()
    if process:
        return process
    code = 70
    try:
        os.setpgid(0, 0)
        # A mutant of the same length, made in the same second, would be taken for the one before.
        sys.dont_write_bytecode = listed is None
        file = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(file, 1)
        os.dup2(file, 2)
        import pytest  # noqa: PLC0415 (not before the fork that finds out what it loads)

        code = int(pytest.main(arguments))
        if listed:
            names = [name for name in sys.modules if name.partition(".")[0] not in {"__main__", "handler", "tests"}]
            listed.write_text(json.dumps(names), encoding="utf-8")
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _ended(process: int) -> int:
    """Wait for a run; what it leaves behind, and what takes too long, is ended."""
    end = time.monotonic() + MOST_SECONDS
    found, status = os.waitpid(process, os.WNOHANG)
    while not found and time.monotonic() < end:
        time.sleep(0.02)
        found, status = os.waitpid(process, os.WNOHANG)
    with suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)
    if not found:
        os.waitpid(process, 0)
        return -signal.SIGALRM
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.path[0] = str(Path.cwd())
    load(loaded_by(sys.argv[1:]))
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        os.environ.update(asked["environment"])
        print(_ended(_forked(asked["arguments"], Path(asked["printed"]))), flush=True)
