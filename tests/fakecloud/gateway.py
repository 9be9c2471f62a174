"""A gateway with a limit, in front of a cloud. What it turns away costs nothing of the limit and never gets there."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from tests.fakecloud.api import Answers, Reply, Request, json_reply

LOGIN = ("/identity", "/iam", "/_state")
"""Where there is no limit: what is asked once in a run, and by tests."""


class Limit(Protocol):
    """How many requests may pass."""

    def admits(self, now: float) -> bool:
        """Whether a request passes at a moment, which then counts."""


@dataclass
class TokenBucket:
    """`per_second` on the average, and up to `burst` at once after a rest."""

    per_second: float
    burst: float
    _tokens: float = -1.0
    _at: float = 0.0

    def admits(self, now: float) -> bool:
        """Whether there is a token left."""
        filled = self.burst if self._tokens < 0 else self._tokens + (now - self._at) * self.per_second
        self._tokens, self._at = min(filled, self.burst), now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


@dataclass
class FixedWindow:
    """So many in each second of the clock."""

    per_second: float
    _window: int = 0
    _passed: int = 0

    def admits(self, now: float) -> bool:
        """Whether this second has room."""
        if int(now) != self._window:
            self._window, self._passed = int(now), 0
        if self._passed >= self.per_second:
            return False
        self._passed += 1
        return True


@dataclass
class SlidingLog:
    """So many in any second."""

    per_second: float
    _passed: deque[float] = field(default_factory=deque)

    def admits(self, now: float) -> bool:
        """Whether the second before has room."""
        while self._passed and self._passed[0] <= now - 1:
            self._passed.popleft()
        if len(self._passed) >= self.per_second:
            return False
        self._passed.append(now)
        return True


Kind = Literal["bucket", "small-bucket", "window", "log"]
LIMITS: Mapping[Kind, Callable[[float], Limit]] = {
    "bucket": lambda per_second: TokenBucket(per_second, per_second),
    "small-bucket": lambda per_second: TokenBucket(per_second, 10),
    "window": FixedWindow,
    "log": SlidingLog,
}
"""The limits that gateways have: nginx and Envoy have buckets, Kong and APISIX windows, HAProxy something of both."""


class Gateway:
    """Answers for a cloud, and itself where the limit is reached: with `status`, and with Retry-After if given.

    The body is that of the gateway of Open Telekom Cloud and Huawei Cloud.
    """

    def __init__(self, cloud: Answers, limit: Limit, status: int = 429, retry_after: str | None = None) -> None:
        self.turned_away = 0
        self._cloud = cloud
        self._limit = limit
        self._status = status
        self._headers = {} if retry_after is None else {"Retry-After": retry_after}
        self._lock = threading.Lock()

    def handle(self, request: Request) -> Reply:
        """Let a request pass, or turn it away."""
        if request.path.startswith(LOGIN) or self._admits():
            return self._cloud.handle(request)
        body = {
            "error_msg": "The throttling threshold has been reached: policy user over ratelimit,limit:XX,time:1 second",
            "error_code": "APIGW.0308" if self._status == 429 else "APIGW.0605",
        }
        return json_reply(body, self._status, self._headers)

    def _admits(self) -> bool:
        with self._lock:
            admitted = self._limit.admits(time.monotonic())
            self.turned_away += not admitted
        return admitted
