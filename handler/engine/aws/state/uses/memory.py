"""The memory of uses: what was in use at each look, in items of the state table that all who look alike share.

    used/<scope>/<hex digit>   sixteen: the ids that begin with this digit, and since when no use of them is missing
    watched/<scope>            the moment of the last look of which all is written down

The scope is a project, and what a function looks at there: one that looks at less can't say that nothing was in use.

A look reads all of them, adds what is in use to the sixteen, and writes `watched` last: one that dies in between has
written down uses and nothing else. After a gap all sixteen begin anew. One that was lost, or can't be read, begins anew
by itself; that stands in the item, so that it can't pass for one in which nothing was in use.
"""

import base64
import os
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple

from handler.engine.aws.access import AwsAccess
from handler.engine.aws.calls import Session, aws_session, call
from handler.engine.aws.state.allowance import REFUSED
from handler.engine.aws.state.budget import UPDATE_ITEM
from handler.engine.aws.state.uses.packing import DIGITS, MOST_PACKED, Page, by_digit, merged, pack, unpack
from handler.engine.aws.state.uses.reading import Item, number_in, read_items
from handler.errors import AwsFault, BudgetUnknown
from handler.model.history import History

LONGEST_GAP = timedelta(days=2)
"""The time between two looks after which nobody knows what was in use in between."""
SLACK = timedelta(hours=1)
"""How far clocks, and the schedules of sweeps, may be off: so much is no gap, and no look of the future."""
KEPT = timedelta(days=7)
"""For how long after a look an item is kept; once there was a gap, nobody needs it any more."""
LATEST = 2**33
"""Seconds since 1970, in the year 2242: a moment after that was not written by us."""
TRIES = 5
"""How often an item is written, if others write it at the same time."""


class _Written(NamedTuple):
    """What stands in one of the sixteen items; moments are in seconds since 1970."""

    page: Page
    since: float
    expires_at: float


@dataclass(eq=False)
class Memory:
    """What was in use in one scope. `table` is a name, or an ARN whose region wins; a run looks as of its `now`."""

    table: str
    access: AwsAccess
    scope: str
    now: datetime
    _session: Session = field(default_factory=aws_session, init=False, repr=False)

    def remember(self, ids: Collection[str]) -> History:
        """Note the ids, in small letters, of all that is in use, and return what is known of their use.

        Raises BudgetUnknown if not all of it could be read, or written down.
        """
        try:
            return self._remembered(ids)
        except (AwsFault, OverflowError) as exc:
            message = f"what is in use could not be remembered: {exc}"
            raise BudgetUnknown(message) from exc

    def _remembered(self, ids: Collection[str]) -> History:
        watched, pages = f"watched/{self.scope}", by_digit(ids)
        found = self._read(watched, *map(self._key, DIGITS))
        look = _Look(self.now, is_gap=_is_gap(found.get(watched), self.now))
        written = [self._note(digit, pages[digit], found.get(self._key(digit)), look) for digit in DIGITS]
        # Last: from now on, the sixteen count as complete up to this moment.
        self._note_look(watched, look)
        return History(
            since=datetime.fromtimestamp(max(each.since for each in written), UTC),
            last={image_id: day for each in written for image_id, day in each.page.items()},
            in_use=frozenset(ids),
        )

    def _note(self, digit: str, in_use: Collection[str], item: Item | None, look: "_Look") -> _Written:
        """Add what is in use to an item, unless it stands there already."""
        key = self._key(digit)
        for _ in range(TRIES):
            before = _written_in(item, digit, look.moment)
            after = look.noted(before, in_use)
            if after == before or self._write(key, after, item):
                return after
            # Another look was first. Its uses must not be lost, and neither must ours.
            item = self._read(key).get(key)
        message = f"others have written {key} {TRIES} times in between"
        raise AwsFault(message)

    def _write(self, key: str, written: _Written, before: Item | None) -> bool:
        """Write an item; returns False if it is no longer as it was before."""
        packed = pack(written.page)
        if len(packed) > MOST_PACKED:
            message = (
                f"{len(written.page)} ids of {key} were in use within a year, which are more than an item can hold"
            )
            raise AwsFault(message)
        values = {
            "images": {"B": base64.b64encode(packed).decode()},
            "since": {"N": repr(written.since)},
            "expires_at": {"N": f"{written.expires_at:.0f}"},
            "version": {"S": os.urandom(16).hex()},
        }
        version = (before or {}).get("version")
        condition = "#version = :before" if version else "attribute_not_exists(#version)"
        return self._update(key, values, condition, {":before": version} if version else {})

    def _note_look(self, key: str, look: "_Look") -> None:
        values = {"last": {"N": repr(look.moment.timestamp())}, "expires_at": {"N": f"{look.expires_at:.0f}"}}
        # Refused if a later look was noted in between. Beyond a gap, whatever stands there counts for nothing.
        self._update(key, values, "" if look.is_gap else "#last < :last")

    def _update(self, key: str, values: Item, condition: str, compared: Item | None = None) -> bool:
        """Set attributes of an item; returns False if the condition does not hold."""
        # With names of their own: most of ours are words of DynamoDB's as well.
        update = {
            "TableName": self.table,
            "Key": {"id": {"S": key}},
            "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in values),
            "ExpressionAttributeNames": {f"#{name}": name for name in values},
            "ExpressionAttributeValues": {f":{name}": value for name, value in values.items()} | dict(compared or {}),
            "ReturnConsumedCapacity": "TOTAL",
        }
        if condition:
            update["ConditionExpression"] = condition
        access = self.access.in_region_of(self.table)
        try:
            answer = call("dynamodb", access, UPDATE_ITEM, update, "1.0", session=self._session)
        except AwsFault as exc:
            if exc.code == REFUSED:
                return False
            raise
        # A 200 is not enough: it may come from a proxy.
        if not isinstance(answer.get("ConsumedCapacity"), dict):
            message = "dynamodb answered without saying what it has written"
            raise AwsFault(message)
        return True

    def _read(self, *keys: str) -> dict[str, Item]:
        return read_items(self.table, self.access, keys, self._session)

    def _key(self, digit: str) -> str:
        return f"used/{self.scope}/{digit}"


class _Look(NamedTuple):
    """One look, and whether there was none for too long before it."""

    moment: datetime
    is_gap: bool

    @property
    def expires_at(self) -> float:
        """When what is written now may be removed: the same all day long, so that little has to be written anew."""
        midnight = datetime.combine(self.moment.astimezone(UTC).date(), time(), UTC)
        return (midnight + KEPT).timestamp()

    def noted(self, before: _Written | None, in_use: Collection[str]) -> _Written:
        """What has to be written down after what was written down before; None was lost, or can't be read."""
        now = self.moment.timestamp()
        since = before.since if before else now
        return _Written(
            page=merged(before.page if before else {}, in_use, self.moment.astimezone(UTC).date()),
            since=max(since, now) if self.is_gap else since,
            expires_at=self.expires_at,
        )


def _is_gap(watched: Item | None, moment: datetime) -> bool:
    """Whether the last look is too long ago, or unknown; one of the future shows that a clock was wrong."""
    last = number_in(watched, "last")
    if last is None or _is_over(watched, moment):
        return True
    return not -SLACK.total_seconds() <= moment.timestamp() - last <= (LONGEST_GAP + SLACK).total_seconds()


def _written_in(item: Item | None, digit: str, moment: datetime) -> _Written | None:
    """What stands in an item; None if it is not there, can't be read, or has only not been removed yet."""
    since, expires_at = number_in(item, "since"), number_in(item, "expires_at")
    if item is None or since is None or expires_at is None or _is_over(item, moment) or not 0 < since < LATEST:
        return None
    try:
        page = unpack(base64.b64decode(item["images"]["B"], validate=True), digit)
    except (KeyError, TypeError, ValueError):
        return None
    return _Written(page=page, since=since, expires_at=expires_at)


def _is_over(item: Item | None, moment: datetime) -> bool:
    """Whether an item has expired. DynamoDB removes it within days, and gives it out until then."""
    expires_at = number_in(item, "expires_at")
    return expires_at is None or expires_at <= moment.timestamp()
