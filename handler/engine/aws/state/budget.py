"""The budget: how many images all invocations together may delete in one window of time, counted in DynamoDB."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from handler.engine.aws.access import AwsAccess
from handler.engine.aws.calls import Session, aws_session, call
from handler.errors import AwsFault, BudgetSpent, BudgetUnknown

KEPT = 3
"""How many windows a count is kept for, from the start of its own; then DynamoDB may remove it."""
UPDATE_ITEM = "DynamoDB_20120810.UpdateItem"


@dataclass(eq=False)
class Budget:
    """At most `limit` deletions in one window, by all who share table, scope and length of window. Safe for threads.

    Windows are fixed: they follow each other without a gap from 1970-01-01 00:00 UTC. So up to twice the limit may be
    deleted within the length of one window, if that time lies across two. A run stays in the window of its `now`. The
    key of the table is the string `id`; its time to live may be set on `expires_at`. `table` is a name, or an ARN whose
    region wins.
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
        """Count one deletion before it is made; raises BudgetSpent, or BudgetUnknown if it could not be counted.

        Once it has raised, it always raises, without asking again. If an answer is lost, one deletion may count twice.
        """
        # Not asked again: with a table that stays silent, a thousand images would wait for a thousand time-outs.
        if self._ended_by is not None:
            raise self._ended_by.anew()
        try:
            self._count()
        except BudgetSpent as error:
            self._ended_by = error
            raise

    def _count(self) -> None:
        """Have the table count one more, if there is room for it."""
        # The condition below would let one through, since it always has room for a count that is not there yet.
        if self.limit <= 0:
            raise self._spent()
        # One conditional write, which DynamoDB keeps in order for all writers. If the count were read first and written
        # afterwards, two runs could both take the last deletion.
        access = self.access.in_region_of(self.table)
        try:
            answer = call("dynamodb", access, UPDATE_ITEM, self._update(), "1.0", session=self._session)
        except AwsFault as exc:
            if exc.code == "ConditionalCheckFailedException":
                raise self._spent() from exc
            message = f"the deletion could not be counted: {exc}"
            raise BudgetUnknown(message) from exc
        # A 200 is not enough: it may come from a proxy. Only the new count shows that the table has counted.
        if not 0 < _used(answer) <= self.limit:
            message = "the deletion could not be counted: dynamodb answered without the new count"
            raise BudgetUnknown(message)

    def _update(self) -> dict[str, Any]:
        """The body of the request. Source: Amazon DynamoDB API reference, UpdateItem."""
        start, seconds = self._start(), self._seconds()
        return {
            "TableName": self.table,
            # With the length of the window: a budget for a day and one for a week must not count into each other.
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
        message = f"the budget of {self.limit} deletions is used up until {end:%Y-%m-%d %H:%M} UTC"
        return BudgetSpent(message, retry_after=(end - self.now).total_seconds())


def _used(answer: dict[str, Any]) -> int:
    """The new count; 0 if the answer does not show one."""
    try:
        return int(answer["Attributes"]["used"]["N"])
    except (KeyError, TypeError, ValueError):
        return 0
