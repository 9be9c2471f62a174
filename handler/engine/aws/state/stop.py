"""The stop flag: an item of the state table that ends all deletions, those of runs under way as well."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from handler.engine.aws.access import AwsAccess
from handler.engine.aws.calls import Session, aws_session, call
from handler.engine.aws.state.items import mapping, text
from handler.errors import AwsFault, BudgetUnknown, Paused
from handler.model.masking import beginning

GET_ITEM = "DynamoDB_20120810.GetItem"
NAME = "stop"
"""The key of the item."""
GOOD_FOR = 4.5
"""Seconds after the start of a reading in which a DELETE may be sent. Five are promised; the rest is for its way."""
LOOK_AFTER = 2.0
"""Seconds after the start of a reading after which the flag is read anew, before anybody has to wait for that."""
TELLING = ("by", "why")
"""The attributes in which an operator may say more; they become part of the error."""
LONGEST = 100
"""Characters that are shown of each of them."""


@dataclass(eq=False)
class StopFlag:
    """The stop flag, as one run reads it. Safe for threads.

    `now` is the clock of the run. `table` is a name, or an ARN whose region wins.
    """

    table: str
    access: AwsAccess
    now: Callable[[], float]
    _read_at: float = field(default=-math.inf, init=False)
    """When the last reading began that found no flag."""
    _ended_by: BudgetUnknown | None = field(default=None, init=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)
    _session: Session = field(default_factory=aws_session, init=False, repr=False)

    def heed(self) -> float:
        """The moment until which deletions may go on; raises Paused if the flag is there.

        Raises BudgetUnknown if nobody could tell for GOOD_FOR seconds, and from then on without asking again.
        """
        # One thread reads. The others go on with what was read before, for as long as it is good, and then wait here.
        if self._age() > LOOK_AFTER and self._lock.acquire(blocking=self._age() > GOOD_FOR):
            try:
                self._look_again()
            finally:
                self._lock.release()
        return self._read_at + GOOD_FOR

    def _look_again(self) -> None:
        # As in `Budget`: with a table that stays silent, each image would wait for a time-out.
        if self._ended_by is not None:
            raise self._ended_by.anew(ends_run=True)
        # Another thread may just have read it.
        if self._age() <= LOOK_AFTER:
            return
        try:
            self._read()
        except BudgetUnknown as error:
            # What was read before is still good for some time, and the table may answer by then.
            if self._age() > GOOD_FOR:
                self._ended_by = error
                raise

    def _read(self) -> None:
        # The reading counts from its start: the flag may be set at once after the table has looked.
        began_at = self.now()
        try:
            answer = call(
                "dynamodb", self.access.in_region_of(self.table), GET_ITEM, self._asked(), "1.0", session=self._session
            )
        except AwsFault as exc:
            raise _unknown(str(exc)) from exc
        if "Item" in answer:
            message = f'deletions are stopped by the item "{NAME}" of table {self.table}{_told(answer["Item"])}'
            raise Paused(message)
        # A 200 is not enough: it may come from a proxy. Without an item, only this shows that the table was read.
        if not isinstance(answer.get("ConsumedCapacity"), dict):
            message = "dynamodb answered without saying what it has read"
            raise _unknown(message)
        self._read_at = began_at

    def _asked(self) -> dict[str, Any]:
        """The body of the request. Source: Amazon DynamoDB API reference, GetItem."""
        return {
            "TableName": self.table,
            "Key": {"id": {"S": NAME}},
            "ConsistentRead": True,
            "ReturnConsumedCapacity": "TOTAL",
        }

    def _age(self) -> float:
        return self.now() - self._read_at


def _unknown(why: str) -> BudgetUnknown:
    return BudgetUnknown(f"nobody could tell whether deletions are stopped: {why}", ends_run=True)


def _told(item: object) -> str:
    """What the operator says in the item, each part after a comma."""
    texts = ((name, text(mapping(item), name)) for name in TELLING)
    return "".join(f", {name}: {' '.join(beginning(said, LONGEST).split())}" for name, said in texts if said)
