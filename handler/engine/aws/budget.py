"""The budget: the deletions that all invocations together may make in one window of time, counted in DynamoDB."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from handler.engine.aws.access import AwsAccess
from handler.engine.aws.calls import Session, aws_session, call
from handler.errors import AwsFault, BudgetSpent, BudgetUnknown

KEPT = 3
"""Windows, from the start of its own, after which DynamoDB may remove a count."""
UPDATE_ITEM = "DynamoDB_20120810.UpdateItem"


@dataclass(eq=False)
class Budget:
    """At most `limit` deletions in one window, over everybody with the same table, scope and window. Safe for threads.

    Windows are fixed: they follow each other without a gap, counted from 1970-01-01 00:00 UTC, so that two that adjoin
    may hold up to twice the limit within the time of one. A run stays in the window of its `now`. The key of the table
    is the string `id`; its time to live may be set on `expires_at`. `table` is a name, or an ARN whose region wins.
    """

    limit: int
    window: timedelta
    table: str
    access: AwsAccess
    scope: str
    now: datetime
    _ended_by: BudgetSpent | None = field(default=None, init=False)
    _session: Session = field(default_factory=aws_session, init=False, repr=False)

    def take(self) -> None:
        """Count one deletion before it is made; raises BudgetSpent, or BudgetUnknown where it could not be counted.

        Once it has raised, it always does, and asks no more. A deletion whose answer got lost may count twice.
        """
        if self._ended_by is not None:
            raise self._ended_by.anew()
        try:
            self._count()
        except BudgetSpent as error:
            self._ended_by = error
            raise

    def _count(self) -> None:
        """Let the table count one more if there is room for it: a condition that DynamoDB keeps for all at once."""
        if self.limit <= 0:  # the table would let one through: a count that is not there yet has room
            raise self._spent()
        access = self.access.in_region_of(self.table)
        try:
            answer = call("dynamodb", access, UPDATE_ITEM, self._update(), "1.0", session=self._session)
        except AwsFault as exc:
            if exc.code == "ConditionalCheckFailedException":
                raise self._spent() from exc
            message = f"the deletion could not be counted: {exc}"
            raise BudgetUnknown(message) from exc
        if not 0 < _used(answer) <= self.limit:
            message = "the deletion could not be counted: dynamodb answered without the new count"
            raise BudgetUnknown(message)

    def _update(self) -> dict[str, Any]:
        """The request. Source: Amazon DynamoDB API reference, UpdateItem."""
        start, seconds = self._start(), self._seconds()
        return {
            "TableName": self.table,
            "Key": {"id": {"S": f"{self.scope}/{seconds}/{start}"}},
            "UpdateExpression": "ADD #used :one SET #expires = :expires",
            "ConditionExpression": "attribute_not_exists(#used) OR #used < :limit",
            "ExpressionAttributeNames": {"#used": "used", "#expires": "expires_at"},
            "ExpressionAttributeValues": {
                ":one": {"N": "1"},
                ":limit": {"N": str(self.limit)},
                ":expires": {"N": str(start + KEPT * seconds)},
            },
            "ReturnValues": "UPDATED_NEW",
        }

    def _seconds(self) -> int:
        return self.window // timedelta(seconds=1)

    def _start(self) -> int:
        """The start of the window, in seconds since 1970."""
        return int(self.now.timestamp()) // self._seconds() * self._seconds()

    def _spent(self) -> BudgetSpent:
        end = datetime.fromtimestamp(self._start(), UTC) + self.window
        return BudgetSpent(f"the budget of {self.limit} deletions is used up until {end:%Y-%m-%d %H:%M} UTC")


def _used(answer: dict[str, Any]) -> int:
    """The new count, 0 if there is none."""
    try:
        return int(answer["Attributes"]["used"]["N"])
    except (KeyError, TypeError, ValueError):
        return 0
