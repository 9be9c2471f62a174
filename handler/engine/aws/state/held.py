"""What only one run may have at a time: an item of the state table that a run holds for a minute, and renews."""

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any, NamedTuple

from handler.engine.aws.access import AwsAccess
from handler.engine.aws.calls import Session, aws_session, call
from handler.engine.aws.state.budget import UPDATE_ITEM
from handler.engine.aws.state.items import Attributes, mapping, number, text, update
from handler.errors import AwsFault, BudgetUnknown, Busy, CloudError
from handler.model.masking import beginning

LIFE = 60
"""Seconds for which an item is held from its last renewal on; then another run may take it."""
GOOD_FOR = LIFE - 10.0
"""Seconds after the start of a renewal in which changes may be sent. The rest is for their way.

It is for clocks that differ as well: whether a hold has ended, each run tells by its own clock, as it stands where the
run is. Lambda keeps its clocks by NTP.
"""
RENEW_AFTER = LIFE / 3
"""Seconds after the start of a renewal after which the next one is tried, before anybody has to wait for that."""
REFUSED = "ConditionalCheckFailedException"
TAKE = "SET #holder = :me, #lease_until = :until, #expires_at = :expires"
FREE = "(attribute_not_exists(#holder) OR #lease_until < :now OR #holder = :me)"
"""Whether it may be taken. By us as well: the answer to the first try may have been lost."""
RENEW = "SET #lease_until = :until, #expires_at = :expires"
GIVE_BACK = "REMOVE #holder SET #lease_until = :zero"
OURS = "#holder = :me AND #fence = :fence"
NO_ITEM = "dynamodb answered without the item"
LONGEST = 100
"""Characters that are shown of the name of a holder."""


class Taken(NamedTuple):
    """The item as it is by now, and whether it is ours."""

    item: Attributes
    is_ours: bool


@dataclass(eq=False)
class HeldItem:
    """An item that only one run holds at a time. Safe for threads.

    `key` is its key, `event` the id of the event whose run wants it, which others are told; `what` says in a few words
    what it means if another run holds it. Every run that takes it gets a higher `fence`, by which its later writes are
    known. `kept` is for how long DynamoDB keeps the item after its last renewal; it is the same item for all who read
    it until then, whoever holds it. `now` is the clock of the run, `wall` gives the seconds since 1970. `table` is a
    name, or an ARN whose region wins.
    """

    key: str
    event: str
    what: str
    kept: timedelta
    table: str
    access: AwsAccess
    now: Callable[[], float]
    wall: Callable[[], float] = lambda: time.time()  # noqa: PLW0108 (the simulated world has another)
    _holder: str = field(init=False)
    _fence: int = field(default=0, init=False)
    _renewed_at: float = field(default=-math.inf, init=False)
    """When the last renewal began that succeeded."""
    _ended_by: CloudError | None = field(default=None, init=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)
    _session: Session = field(default_factory=aws_session, init=False, repr=False)

    def __post_init__(self) -> None:
        # Not the event's own id: a repetition must not pass for the run that was killed.
        self._holder = f"{self.event}/{os.urandom(16).hex()}"

    def take(self, change: str = TAKE, condition: str = FREE) -> Taken:
        """Take the item, if nobody else holds it; raises BudgetUnknown if nobody can tell."""
        with self._lock:
            began_at = self.now()
            taken = self._sent(f"{change} ADD #fence :one", condition, {})
            if taken.is_ours:
                self._check(taken.item, fence := number(taken.item, "fence"))
                self._fence, self._renewed_at, self._ended_by = fence, began_at, None
        return taken

    def hold(self) -> float:
        """The moment until which changes may be sent; renews the hold if it is time for that.

        A hold that has lapsed is renewed as well, unless another run has taken the item: then it raises Busy. Raises
        BudgetUnknown if it could not be renewed for GOOD_FOR seconds. Either ends the run, and stays.
        """
        # As in `StopFlag`: one thread renews, and the others go on for as long as the last renewal is good.
        if self._age() > RENEW_AFTER and self._lock.acquire(blocking=self._age() > GOOD_FOR):
            try:
                self._renew_again()
            finally:
                self._lock.release()
        return self._renewed_at + GOOD_FOR

    def write(self, change: str, values: Attributes) -> None:
        """Change the item, and renew the hold; raises Busy if another run has it by now, or BudgetUnknown."""
        with self._lock:
            self._renew(f"{RENEW}, {change}", values)

    def give_back(self, change: str, values: Attributes) -> Taken | None:
        """Change the item for the last time, and let others take it; None if that was done before.

        Raises BudgetUnknown if nobody can tell.
        """
        with self._lock:
            if not self._fence:
                return None
            # First, so that nothing goes on as if it were held.
            self._end(Busy(self.what))
            # The item stays: a fence that began anew would be that of an earlier run.
            given = self._sent(f"{GIVE_BACK}{change}", OURS, values)
            if given.is_ours and number(given.item, "fence") != self._fence:
                raise self._unknown(NO_ITEM)
            self._fence = 0
            return given

    def busy(self, item: Attributes) -> Busy:
        """The error where another run holds the item."""
        message = f"{self.what}{_held_by(item)}"
        return Busy(message, retry_after=LIFE)

    def _renew_again(self) -> None:
        if self._ended_by is not None:
            raise self._ended_by.anew(ends_run=True)
        # Another thread may just have renewed it.
        if self._age() <= RENEW_AFTER:
            return
        try:
            self._renew(RENEW, {})
        except BudgetUnknown as error:
            # The last renewal is still good for some time, and the table may answer by then.
            if self._age() > GOOD_FOR:
                self._end(error)
                raise

    def _renew(self, change: str, values: Attributes) -> None:
        # It counts from its start: the table may have written at once.
        began_at = self.now()
        renewed = self._sent(change, OURS, values)
        if not renewed.is_ours:
            # Ours has lapsed, or a person has removed the item.
            message = f"{self.what}, and has taken over from this one{_held_by(renewed.item)}"
            lost = Busy(message, retry_after=LIFE, ends_run=True)
            self._end(lost)
            raise lost
        self._check(renewed.item, self._fence)
        self._renewed_at = began_at

    def _end(self, error: CloudError) -> None:
        self._ended_by = error
        self._renewed_at = -math.inf

    def _sent(self, change: str, condition: str, values: Attributes) -> Taken:
        """Change the item under a condition; returns it as it is then, ours or not."""
        access = self.access.in_region_of(self.table)
        body = update(self.table, self.key, change, condition, self._known() | dict(values))
        try:
            answer = call("dynamodb", access, UPDATE_ITEM, body, "1.0", session=self._session)
        except AwsFault as exc:
            if exc.code == REFUSED:
                return Taken(item=mapping(exc.answer.get("Item")), is_ours=False)
            raise self._unknown(str(exc)) from exc
        return Taken(item=mapping(answer.get("Attributes")), is_ours=True)

    def _known(self) -> dict[str, Any]:
        """All values that the expressions above may name."""
        now = int(self.wall())
        return {
            ":me": {"S": self._holder},
            ":fence": {"N": str(self._fence)},
            ":now": {"N": str(now)},
            ":until": {"N": str(now + LIFE)},
            ":expires": {"N": str(now + int(self.kept.total_seconds()))},
            ":one": {"N": "1"},
            ":zero": {"N": "0"},
        }

    def _check(self, item: Attributes, fence: int) -> None:
        """Raise BudgetUnknown unless the item is ours, with this fence."""
        # A 200 is not enough: it may come from a proxy. Only our own name shows that the table has heard us.
        if text(item, "holder") != self._holder or fence <= 0 or number(item, "fence") != fence:
            raise self._unknown(NO_ITEM)

    def _unknown(self, why: str) -> BudgetUnknown:
        return BudgetUnknown(f"nobody could tell whether {self.what}: {why}", ends_run=True)

    def _age(self) -> float:
        return self.now() - self._renewed_at


def _held_by(item: Attributes) -> str:
    """Who holds an item, and until when, after a colon; empty if it does not say that."""
    holder = beginning(text(item, "holder").rpartition("/")[0], LONGEST)
    try:
        until = datetime.fromtimestamp(number(item, "lease_until"), UTC)
    except (OSError, OverflowError, ValueError):
        return f": run {holder}"
    return f": run {holder}, until {until:%Y-%m-%d %H:%M:%S} UTC unless it goes on" if holder else ""
