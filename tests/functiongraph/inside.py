"""One environment of the function in the open-source counterpart of its runtime: a script for the Python of that one.

It reads one JSON object a line, does what its `do` names, and writes one line of JSON for each: the seconds that it
took, and the answer. Whatever the function and its runtime print goes to standard error.
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from yr.code_manager import CodeManager
from yr.executor import faas_executor

PREFIX = b"0" * 16
"""What stands before the JSON of every argument and of every answer of this runtime."""


class Argument:
    """One argument of a call, as the runtime takes it."""

    def __init__(self, value: object) -> None:
        self._bytes = PREFIX + json.dumps(value).encode()

    def to_pybytes(self) -> bytes:
        """The argument as bytes."""
        return self._bytes


USED: dict[str, ModuleType] = {}
"""What the runtime has imported itself, and goes on using."""


class Insistent:
    """A finder that stands before the path, and finds what is in a folder."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        """Find a module; the method that a finder must have."""
        return PathFinder.find_spec(name, [self._folder])


def find(path: list[str], imported: list[str], insisted: str) -> None:
    """What the runtime does before it loads a function: it has a path, and packages of its own that it uses."""
    # As its main program does, which is not imported since it connects to a cluster.
    sys.path.insert(1, os.environ["ENV_DELEGATE_DOWNLOAD"])
    sys.path[:0] = path
    USED.update({name: importlib.import_module(name) for name in imported})
    if insisted:
        sys.meta_path.insert(0, Insistent(insisted))


def load(handler: str, initializer: str) -> dict[str, Any]:
    """Load the function."""
    error = CodeManager().load_functions([initializer, handler])
    return {"code": error.error_code.value, "body": error.msg}


def initialise(meta: dict[str, Any]) -> dict[str, Any]:
    """Tell the runtime about the function, and call its initializer."""
    try:
        return answer(faas_executor.faas_init_handler([Argument(meta)]))
    except RuntimeError as exc:
        return dict(json.loads(str(exc)))


def call(event: object, header: dict[str, str], meta: dict[str, Any]) -> dict[str, Any]:
    """Call the function with an event."""
    return answer(faas_executor.faas_call_handler([Argument(meta), Argument({"header": header, "body": event})]))


def loaded(names: list[str]) -> dict[str, str]:
    """Where modules were loaded from."""
    return {name: str(sys.modules[name].__file__) for name in names if name in sys.modules}


def ask(url: str) -> dict[str, Any]:
    """What the runtime's own requests gets from an address."""
    requests = USED["requests"]
    return {"status": requests.get(url, timeout=30).status_code, "version": requests.__version__}


def is_same(name: str) -> bool:
    """Whether a module that the runtime uses is still the one of that name."""
    return sys.modules.get(name) is USED[name]


def answer(text: str) -> dict[str, Any]:
    """The JSON of an answer, without what only the rest of the runtime would fill in."""
    told: dict[str, Any] = json.loads(text.encode()[len(PREFIX) :])
    return {key: told[key] for key in ("body", "innerCode", "message", "errorCode") if key in told}


COMMANDS: dict[str, Callable[..., object]] = {
    command.__name__: command for command in (find, load, initialise, call, loaded, ask, is_same)
}


def main() -> None:
    """Serve until there is nothing more to read."""
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        for line in sys.stdin:
            command = json.loads(line)
            start, cpu = time.perf_counter(), time.process_time()
            value = COMMANDS[command.pop("do")](**command)
            done = {"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu, "value": value}
            print(json.dumps(done), file=answers, flush=True)


if __name__ == "__main__":
    main()
