"""The other clients, in a process of their own environment: loaded once, since each takes a second to load."""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

PYTHON = Path(__file__).parents[2] / ".venv-clients/bin/python"
SERVE = Path(__file__).parent / "inside/serve.py"


@dataclass(frozen=True)
class Told:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 (JSON may be anything)
        """What it printed, as JSON."""
        assert self.code == 0, self
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        """The cells of the table that it printed, without the head."""
        assert self.code == 0, self
        lines = [line for line in self.out.splitlines() if line.startswith("|")]
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines][1:]


class Programs:
    """Runs commands one after the other, while a `with` lasts. None of them sees the user's home directory."""

    def __init__(self) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="image-reaper-clients-")
        own = {"PATH": os.environ["PATH"], "HOME": self._home.name, "COLUMNS": "250", "LC_ALL": "C.UTF-8"}
        self._process = subprocess.Popen(  # noqa: S603 (a program of ours)
            [PYTHON, SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=own, cwd=self._home.name
        )

    def run(self, client: str, *words: str, environment: Mapping[str, str]) -> Told:
        """Run a command: `openstack` and `glance` take words as in a shell; for the others, see `serve.py`."""
        order = {"client": client, "words": words, "environment": dict(environment)}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return Told(**json.loads(self._process.stdout.readline()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._process.communicate()
        self._home.cleanup()
