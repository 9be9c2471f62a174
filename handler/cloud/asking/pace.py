"""The pace of a run: when its threads may ask each service. A limit that one of them meets slows all of them."""

from threading import Lock

from handler.clock import Deadline
from handler.cloud.asking.rate import Rate
from handler.errors import CloudError, Throttled

SOON = 1.0
"""Seconds for which nobody is held back: the least that a gateway can name, and most of them count by the second."""


class Pace:
    """Gives the requests of all threads of a run slots at one service. Safe for threads.

    A DELETE that follows its GET must not wait for a slot. It is only charged, and makes the next slots later.
    """

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._rate = Rate()
        self._held_until = float("-inf")
        self._why: CloudError = Throttled("too many requests")
        self._first_in_line = Lock()
        self._lock = Lock()

    def wait(self, *, charged: bool = True) -> None:
        """Wait for a slot, and charge it, unless the caller charges it when its request is sent.

        Raises the error of the last throttled answer if the slot would come after the deadline, and the error that
        ended the run.
        """
        # One thread waits for the next slot, all others for that thread.
        with self._first_in_line:
            waited_until = float("-inf")
            # Again if the slot has become later in the meantime.
            while (due := self._due()) > max(waited_until, now := self._deadline.now()):
                self._deadline.check()
                # If the wait is too long, its error names the time until this slot, not what the cloud asked for.
                self._deadline.pause(due - now, self._why.anew(retry_after=due - now))
                waited_until = due
            if charged:
                self.charge()

    def charge(self) -> None:
        """Count a request that is sent now, whether or not it had a slot."""
        with self._lock:
            self._rate.charge(self._deadline.now())

    def accepted(self) -> None:
        """Note an answer that does not ask for fewer requests."""
        with self._lock:
            self._rate.accepted(self._deadline.now())

    def throttled(self, sent_at: float, error: CloudError) -> None:
        """Note an answer that asks for fewer requests, to a request that was sent at `sent_at`."""
        now, seconds = self._deadline.now(), error.retry_after or 0.0
        with self._lock:
            self._rate.throttled(sent_at, now)
            self._why = error
            # A time beyond the deadline may be meant for one image: that one fails, and the others go on.
            if SOON < seconds < self._deadline.left():
                self._held_until = max(self._held_until, now + seconds)

    def _due(self) -> float:
        with self._lock:
            return max(self._rate.next_at, self._held_until)


class Paces:
    """The pace of each service, by the address up to the first part of its path. Safe for threads."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._paces: dict[str, Pace] = {}
        self._lock = Lock()

    def of(self, url: str) -> Pace:
        """The pace of the service at an address."""
        service = "/".join(url.split("?", 1)[0].split("/", 4)[:4])
        with self._lock:
            return self._paces.setdefault(service, Pace(self._deadline))
