"""The open-source counterpart of FunctionGraph's runtime around the packages of the zip, as a process of ours."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Self, cast

from tests.fakecloud.records import DEMO

ROOT = Path(__file__).parents[2]
ZIP = ROOT / "dist/image-reaper-functiongraph.zip"
ENVIRONMENTS = ROOT / ".venv-functiongraph"
TWINS = ENVIRONMENTS / "twins"
VERSIONS = sorted(path.parent.name for path in ENVIRONMENTS.glob("3.*/ready"))
"""The Pythons that the open runtime is here for."""
BOUND = ("setpriv", "--pdeathsig", "KILL")
"""Ends a process with the one that started it, however that one ended."""
SUCCESS, FAILURE, TOO_LARGE, NOT_INITIALISED = "0", "4001", "4004", "4201"
"""What the runtime says of a call, and of an initializer that fails."""
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Done:
    """What one step came to."""

    seconds: float
    cpu: float
    value: dict[str, Any]

    @property
    def code(self) -> str:
        """What the runtime says of a call."""
        return str(self.value["innerCode"])

    @property
    def body(self) -> Any:  # noqa: ANN401 (any JSON)
        """What the function returned, or the runtime's words for its failure."""
        return self.value["body"]


@dataclass(frozen=True)
class Function:
    """A function as it was created: its packages, and its variables, those in clear and those that are encrypted."""

    package: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    encrypted: Mapping[str, str] = field(default_factory=dict)
    timeout: int = 30
    handler: str = "index.handler"
    initializer: str = "index.initializer"

    @property
    def meta(self) -> dict[str, Any]:
        """What the runtime is told about it."""
        return {
            "funcMetaData": {
                "tenantId": DEMO,
                "service": "default",
                "func_name": "image-reaper",
                "version": "latest",
                "timeout": self.timeout,
                "handler": self.handler,
            },
            "resourceMetaData": {"cpu": 400, "memory": 256},
            "extendedMetaData": {
                "initializer": {"initializer_handler": self.initializer, "initializer_timeout": self.timeout},
                "pre_stop": {"pre_stop_handler": "none", "pre_stop_timeout": 10},
            },
        }

    @property
    def environment(self) -> dict[str, str]:
        """What the runtime's process is given."""
        data = {
            "environment": json.dumps(dict(self.variables)),
            "encrypted_user_data": json.dumps(dict(self.encrypted)),
        }
        return {
            "PATH": os.environ["PATH"],
            "PYTHONDONTWRITEBYTECODE": "1",  # only /tmp can be written to there
            "ENV_DELEGATE_DOWNLOAD": str(self.package),
            "ENV_DELEGATE_DECRYPT": json.dumps(data),
        }


@dataclass
class Runtime:
    """One environment of a function, under one Python."""

    version: str
    function: Function
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    _process: "subprocess.Popen[str] | None" = None

    def __enter__(self) -> Self:
        command = [
            *BOUND,
            str(ENVIRONMENTS / self.version / "bin/python"),
            "-P",
            str(Path(__file__).parent / "inside.py"),
        ]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 (every word of it is ours)
                command,
                env={**self.function.environment, **self.environment},
                cwd=self.log.parent,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        return self

    def __exit__(self, *_exc: object) -> None:
        process, self._process = self._process, None
        if process:
            process.kill()
            process.communicate()

    def find(self, path: Sequence[Path] = (), imported: Sequence[str] = (), insisted: Path | None = None) -> Self:
        """Put folders first on the path, let the runtime use some packages, and insist on those of a folder."""
        self._do("find", path=[str(place) for place in path], imported=list(imported), insisted=str(insisted or ""))
        return self

    def load(self) -> Done:
        """Load the function."""
        return self._do("load", handler=self.function.handler, initializer=self.function.initializer)

    def initialise(self) -> Done:
        """Initialise the function."""
        return self._do("initialise", meta=self.function.meta)

    def call(self, event: object, header: Mapping[str, str] = NOTHING) -> Done:
        """Call the function; the header may hold the keys of its agency."""
        return self._do("call", event=event, header=dict(header), meta=self.function.meta)

    def places_of(self, names: Sequence[str]) -> dict[str, str]:
        """Where modules were loaded from, of those that were."""
        return cast("dict[str, str]", self._do("loaded", names=list(names)).value)

    def ask(self, url: str) -> dict[str, Any]:
        """What the runtime's own requests, if it uses that, gets from an address."""
        return self._do("ask", url=url).value

    def is_same(self, name: str) -> bool:
        """Whether a module that the runtime uses is still the one of that name."""
        return bool(self._do("is_same", name=name).value)

    @property
    def printed(self) -> str:
        """What the function and its runtime wrote."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def _do(self, name: str, /, **arguments: object) -> Done:
        assert self._process
        requests, answers = cast("IO[str]", self._process.stdin), cast("IO[str]", self._process.stdout)
        print(json.dumps({"do": name, **arguments}), file=requests, flush=True)
        line = answers.readline()
        if not line:
            self._process.wait()
            message = f"the runtime has ended: {self.printed[-2000:]}"
            raise ChildProcessError(message)
        return Done(**json.loads(line))


def unpacked(version: str, folder: Path) -> Path:
    """The packages for a Python: what is in the zip, or for another than the zip is for, what is made for it."""
    if version != "3.12":
        return ROOT / f"build/functiongraph-{version}/package"
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(ZIP), str(folder)], check=True)  # noqa: S603 (our own words)
    return folder
