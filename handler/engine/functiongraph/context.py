"""FunctionGraph's context, which differs from runtime to runtime: any method may be missing, raise, or be wrong.

Two runtimes are known to get the remaining time wrong. The mock of Open Telekom Cloud raises TypeError if the time-out
is a string. YuanRong subtracts milliseconds from a number of seconds: with a time-out of 30 seconds, it says at the
start that 30 milliseconds are left.

Sources: FunctionGraph developer guide, "Context methods"; opentelekomcloud-community,
otc-functiongraph-python-runtime; openyuanrong, runtime.
"""

import uuid
from collections.abc import Callable, Mapping

from handler.clock import uptime
from handler.errors import InvalidSettings

FAULTS = (ArithmeticError, AssertionError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)
"""What a method of the context may raise."""
SHORTEST = 3.0
"""Seconds that a function has if nothing says how many: the shortest time-out that FunctionGraph allows."""
LONGEST = 259_200.0
"""Seconds: the longest time-out that FunctionGraph allows."""
_TRIES = 3


def told(context: object, method: str, *arguments: object) -> object:
    """What a method of the context says; None if there is no such method, or it fails."""
    try:
        return getattr(context, method)(*arguments)
    except FAULTS:
        return None


def project_of(context: object, environment: Mapping[str, str]) -> str:
    """The project that the function runs in, empty if nothing names one; raises InvalidSettings if two are named."""
    said = told(context, "getProjectID")
    found = {name for name in (environment.get("RUNTIME_PROJECT_ID"), said) if isinstance(name, str) and name}
    if len(found) > 1:
        message = f"RUNTIME_PROJECT_ID: the runtime names two projects, {' and '.join(sorted(found))}"
        raise InvalidSettings(message)
    return found.pop() if found else ""


class InvocationContext:
    """What a run is told of its invocation: the id, and the time left, which is counted from when this is made."""

    def __init__(self, context: object, environment: Mapping[str, str], now: Callable[[], float] = uptime) -> None:
        self._now = now
        self._end = now() + _granted(context, environment)
        said = told(context, "getRequestID")
        self.aws_request_id = said if isinstance(said, str) and said else str(uuid.uuid4())

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the runtime ends the invocation."""
        return max(0, int((self._end - self._now()) * 1000))


def _granted(context: object, environment: Mapping[str, str]) -> float:
    """Seconds that an invocation has, from its start on."""
    timeout = _seconds(environment.get("RUNTIME_TIMEOUT"), 1)
    remaining = _seconds(told(context, "getRemainingTimeInMilliSeconds"), 1000)
    if timeout is None:
        return remaining or SHORTEST
    # The runtime is asked once, at the start. What the wrong ones say is a thousandth of the time-out, or less; and no
    # more can be left than the time-out.
    is_plausible = remaining is not None and timeout / 100 <= remaining <= timeout
    return remaining if remaining is not None and is_plausible else timeout


def _seconds(value: object, unit: float) -> float | None:
    """A duration in seconds; `value` is a number, or a string of one, and `unit` of its units make a second.

    None if it is neither, or not a duration that a function can have.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = float(value) / unit
    except (OverflowError, ValueError):
        return None
    return seconds if 0 < seconds <= LONGEST else None


class Agency:
    """The keys of the function's agency, as the context of the present invocation has them. None of them is kept."""

    def __init__(self) -> None:
        self._context: object = None

    def enter(self, context: object) -> None:
        """Begin an invocation."""
        self._context = context

    def read_keys(self) -> tuple[str, str, str]:
        """The access key, the secret key and the security token that are valid now; empty strings if there are none."""
        found = self._asked()
        for _ in range(_TRIES):
            # The runtime replaces them from time to time, maybe between two of the three questions.
            before, found = found, self._asked()
            if before == found:
                break
        return found

    def _asked(self) -> tuple[str, str, str]:
        methods = ("getSecurityAccessKey", "getSecuritySecretKey", "getSecurityToken")
        access_key, secret_key, token = (_text(told(self._context, method)) for method in methods)
        return access_key, secret_key, token


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
