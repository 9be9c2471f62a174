# ruff: noqa: N802 (the names are FunctionGraph's)
"""The contexts that FunctionGraph's runtimes give a function, with their known faults."""

import os
import time
from collections.abc import Mapping

REQUEST_ID = "8d5b2f1e-7a8e-4f0e-9e3a-fa163e1b2c3d"


class RuntimeContext:
    """The context as it is documented; `keys` are the agency's, `data` holds the variables, encrypted ones included."""

    def __init__(
        self,
        seconds: float = 60.0,
        *,
        keys: tuple[str, str, str] = ("", "", ""),
        data: Mapping[str, str] | None = None,
        project: str = "",
    ) -> None:
        self.seconds = seconds
        self.keys = keys
        self.data = data or {}
        self.project = project
        self.begun = time.monotonic()

    def getRequestID(self) -> str:
        return REQUEST_ID

    def getProjectID(self) -> str:
        return self.project

    def getUserData(self, key: str) -> str | None:
        return self.data.get(key)

    def getRemainingTimeInMilliSeconds(self) -> float:
        return int(1000 * (self.seconds - time.monotonic() + self.begun))

    def getSecurityAccessKey(self) -> str:
        return self.keys[0]

    def getSecuritySecretKey(self) -> str:
        return self.keys[1]

    def getSecurityToken(self) -> str:
        return self.keys[2]


class MockContext(RuntimeContext):
    """Open Telekom Cloud's mock for developers: it fails if the time-out is a string."""

    def getRemainingTimeInMilliSeconds(self) -> float:
        whole = os.environ["RUNTIME_TIMEOUT"] * 1000
        return whole - 1000 * (time.monotonic() - self.begun)  # type: ignore[operator]  # that is the mistake


class YuanRongContext(RuntimeContext):
    """The open-source counterpart of the runtime: it subtracts milliseconds from a number of seconds."""

    def getRemainingTimeInMilliSeconds(self) -> float:
        return int(self.seconds - 1000 * (time.monotonic() - self.begun))


class BareContext:
    """A context without a single method."""


class BrokenContext:
    """A context whose every method fails."""

    def __getattr__(self, name: str) -> object:
        raise (AttributeError if name.startswith("__") else RuntimeError)(name)


class OddContext:
    """A context all of whose methods return nonsense, except that it has no variables."""

    def __init__(self, nonsense: object) -> None:
        self._nonsense = nonsense

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return (lambda *_: None) if name == "getUserData" else (lambda *_: self._nonsense)
