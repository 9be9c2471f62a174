"""AWS's own runtime around the built artifact: its emulator, and its client for Python, as processes of ours."""

import json
import os
import platform
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import requests

from tests.openstack.process import Port

ROOT = Path(__file__).parent.parent.parent


def only(pattern: str) -> Path:
    """What fits a pattern in the project's folder."""
    for path in ROOT.glob(pattern):
        return path
    message = f"there is no {pattern}: `make test-lambda` makes it"
    raise FileNotFoundError(message)


ARCH = "arm64" if platform.machine() == "aarch64" else platform.machine()
CLIENT = only(".venv-lambda/lib/python*/site-packages")
VERSION = CLIENT.parent.name.removeprefix("python")
PACKAGE = ROOT / f"build/{ARCH}-{VERSION}/package"
EMULATOR = only(f".venv-sam/lib/python*/site-packages/samcli/local/rapid/aws-lambda-rie-{ARCH}")
INTERPRETER = (ROOT / ".venv-lambda/bin/python").resolve()  # the environment itself would bring its packages in
BOUND = ("setpriv", "--pdeathsig", "KILL")
"""Ends a process with the one that started it, however that one ended."""
PATIENCE = 60.0


@dataclass(frozen=True)
class Answer:
    """What the caller of the function got."""

    status: int
    text: str

    @property
    def value(self) -> dict[str, Any]:
        """The JSON of it."""
        value: dict[str, Any] = json.loads(self.text)
        return value


class Runtime:
    """One environment of the function; its process is started by the first invocation."""

    def __init__(
        self, environment: Mapping[str, str], log: Path, *, timeout: int = 30, package: Path | None = None
    ) -> None:
        self._log = log
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{package or PACKAGE}:{CLIENT}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",  # awslambdaric writes its JSON otherwise before 3.12
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout),
            **environment,
        }
        self._ports = (Port(), Port())
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        outside, inside = (f"127.0.0.1:{port.number}" for port in self._ports)
        emulator = (str(EMULATOR), "--runtime-interface-emulator-address", outside, "--runtime-api-address", inside)
        client = (str(INTERPRETER), "-S", "-P", "-m", "awslambdaric", "handler.app.lambda_handler")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 (every word of it is ours)
                [*BOUND, *emulator, *BOUND, *client],
                env=self._environment,
                cwd=self._log.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        _await_port(self._ports[0].number, self._process)
        return self

    def __exit__(self, *_exc: object) -> None:
        process, self._process = self._process, None
        if process:
            process.kill()
            process.wait()
        for port in self._ports:
            port.release()

    def invoke(self, event: object) -> Answer:
        """Invoke the function, and wait for the answer."""
        address = f"http://127.0.0.1:{self._ports[0].number}/2015-03-31/functions/function/invocations"
        response = requests.post(address, data=json.dumps(event), timeout=PATIENCE)
        return Answer(response.status_code, response.content.decode())

    @property
    def emulator(self) -> int:
        """The process of the emulator."""
        assert self._process
        return self._process.pid

    @property
    def pid(self) -> int:
        """The process of the function."""
        return children(self.emulator)[0]

    def signal(self, what: signal.Signals) -> None:
        """Do this to the process of the function."""
        os.kill(self.pid, what)

    @property
    def printed(self) -> str:
        """What the function and its runtime wrote."""
        return self._log.read_text(encoding="utf-8", errors="replace")


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    lists = (path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return [int(child) for text in lists for child in text.split()]


def await_end(pid: int) -> bool:
    """Whether a process ends before our patience does."""
    end = time.monotonic() + PATIENCE
    while is_running(pid) and time.monotonic() < end:
        time.sleep(0.01)  # nobody tells of the end of another's child
    return not is_running(pid)


def is_running(pid: int) -> bool:
    """Whether a process runs: one that its parent has not asked about yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _await_port(number: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", number), 1).close()
        except ConnectionRefusedError:
            time.sleep(0.01)  # the emulator does not tell when it listens
        else:
            return
    message = "the emulator did not start"
    raise ChildProcessError(message)
