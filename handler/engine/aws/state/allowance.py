"""The allowance: how many images one event may delete, its repetitions included, counted in DynamoDB."""

import os
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from handler.engine.aws.access import AwsAccess
from handler.engine.aws.calls import call
from handler.engine.aws.state.budget import UPDATE_ITEM
from handler.errors import AwsFault, BudgetSpent, BudgetUnknown, CloudError, OverLimit

KEPT = timedelta(days=3)
"""How long an item is kept; Lambda repeats an event for six hours at most."""
REFUSED = "ConditionalCheckFailedException"


@dataclass(eq=False)
class Allowance:
    """At most `most` images of one event, whichever of its runs deletes them. Safe for threads.

    `event` is the id that all runs of an event share. Images are counted, not DELETEs: one that an earlier run has
    counted, and that is still there, is free. A run takes the whole allowance in one write before its first deletion,
    and puts back with `settle` what it has not used; if it is killed, all counts as used. `table` is a name, or an ARN
    whose region wins.
    """

    event: str
    most: int
    table: str
    access: AwsAccess
    now: datetime
    # Not the event's own id: a repetition must not pass for the run that was killed.
    _run: str = field(default_factory=lambda: os.urandom(16).hex(), init=False)
    _ended_by: CloudError | None = field(default=None, init=False)
    _counted: set[str] | None = field(default=None, init=False)
    _new: set[str] = field(default_factory=set, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def take(self, image_id: str) -> None:
        """Count an image before it is deleted; raises OverLimit, or BudgetUnknown if it can't be counted."""
        with self._lock:
            if self._ended_by is not None:
                raise self._ended_by.anew()
            counted = self._counted = self._begun() if self._counted is None else self._counted
            if image_id in counted:
                return
            if len(counted) >= self.most:
                message = f"more than {self.most} images of one event, its repetitions included"
                raise OverLimit(message)
            counted.add(image_id)
            self._new.add(image_id)

    def settle(self) -> str:
        """Put back what this run has not used, once it has ended; returns why that failed, empty if it did not."""
        # Without the lock, which a thread may hold that still waits for the table. Then the run has deleted nothing;
        # if the table has heard it after all, the allowance stays used up.
        if self._counted is None:
            return ""
        with self._lock:
            update = self._settlement(sorted(self._new))
        try:
            call("dynamodb", self.access.in_region_of(self.table), UPDATE_ITEM, update, "1.0")
        except AwsFault as exc:
            # It was put back already: the answer to the first try was lost.
            return "" if exc.code == REFUSED else str(exc)
        return ""

    def _begun(self) -> set[str]:
        """Take the allowance; returns the images that earlier runs have counted."""
        try:
            return self._asked()
        except (BudgetSpent, OverLimit) as error:
            # Not asked again, as in `Budget`.
            self._ended_by = error
            raise

    def _asked(self) -> set[str]:
        try:
            answer = call("dynamodb", self.access.in_region_of(self.table), UPDATE_ITEM, self._taking(), "1.0")
        except AwsFault as exc:
            if exc.code == REFUSED:
                message = "another run of this event is under way, or has died: all that it may delete counts as used"
                raise OverLimit(message) from exc
            message = f"the deletions of the event could not be counted: {exc}"
            raise BudgetUnknown(message) from exc
        return self._counted_in(answer)

    def _counted_in(self, answer: dict[str, Any]) -> set[str]:
        # A 200 is not enough: it may come from a proxy. Only our own name shows that the table has heard us.
        try:
            item = answer["Attributes"]
            images = item.get("images", {"SS": []})["SS"]
            if item["run"]["S"] == self._run and isinstance(images, list):
                return set(images)
        except (AttributeError, KeyError, TypeError):
            pass
        message = "the deletions of the event could not be counted: dynamodb answered without its item"
        raise BudgetUnknown(message)

    def _taking(self) -> dict[str, Any]:
        """The body of the request that takes all. Source: Amazon DynamoDB API reference, UpdateItem."""
        return {
            **self._item(),
            "UpdateExpression": "SET #run = :run, #expires = :expires",
            # Ours passes as well: the answer to the first try may have been lost.
            "ConditionExpression": "attribute_not_exists(#run) OR #run = :run",
            "ExpressionAttributeNames": {"#run": "run", "#expires": "expires_at"},
            "ExpressionAttributeValues": {
                ":run": {"S": self._run},
                ":expires": {"N": str(int((self.now + KEPT).timestamp()))},
            },
            "ReturnValues": "ALL_NEW",
        }

    def _settlement(self, images: list[str]) -> dict[str, Any]:
        """The body of the request that says what was used; carried out twice, it changes nothing."""
        added: dict[str, Any] = {":images": {"SS": images}} if images else {}
        return {
            **self._item(),
            "UpdateExpression": "ADD #images :images REMOVE #run" if images else "REMOVE #run",
            "ConditionExpression": "#run = :run",
            "ExpressionAttributeNames": {"#run": "run"} | ({"#images": "images"} if images else {}),
            "ExpressionAttributeValues": {":run": {"S": self._run}, **added},
        }

    def _item(self) -> dict[str, Any]:
        return {"TableName": self.table, "Key": {"id": {"S": f"event/{self.event}"}}}
