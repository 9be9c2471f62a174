"""The command for tests: in this process, which is quick, or in one of its own, as a shell starts it."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import pytest

ROOT = Path(__file__).parents[1]

T = TypeVar("T")
Ended = subprocess.CompletedProcess[str]
Command = Callable[..., Ended]


def variables(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process, with that by which coverage finds it."""
    measured = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    return {"PATH": "/usr/bin:/bin", "PYTHONIOENCODING": "utf-8", **measured, **settings}


def shell(*arguments: str, **settings: str) -> Ended:
    """Run the command in a process, and in a folder, of its own: an armed one leaves its journal there."""
    with TemporaryDirectory() as folder:
        return script('$IR "$@"', Path(folder), *arguments, **settings)


def script(words: str, folder: Path, *arguments: str, **settings: str) -> Ended:
    """Run a script of bash, in which $IR is the command and $1, $2, ... are the arguments."""
    command = ["/bin/bash", "-c", words, "bash", *arguments]
    environment = variables({"IR": f"{sys.executable} -m handler", "PYTHONPATH": str(ROOT), **settings})
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False, timeout=60)  # noqa: S603 (ours)
    return _ended(command, ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def here(
    arguments: tuple[str, ...], patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **settings: str
) -> Ended:
    """Run the command in this process."""
    # Not at the top: the artifact, on which some tests run, has no shell.
    from handler.shell.command import main  # noqa: PLC0415 (see above)

    capsys.readouterr()
    with patch.context() as patched:
        for name, value in settings.items():
            patched.setenv(name, value)
        try:
            code = main(arguments)
        # argparse ends the program itself.
        except SystemExit as exc:
            code = int(exc.code or 0)
    printed = capsys.readouterr()
    return _ended([*arguments], code, printed.out, printed.err)


def _ended(command: list[str], code: int, out: str, err: str) -> Ended:
    assert "Traceback" not in out + err
    return subprocess.CompletedProcess(command, code, out, err)


def with_room_for(size: int, work: Callable[[], T]) -> T:
    """Do something while no file may be larger, as if the disk were full then."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        return work()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
