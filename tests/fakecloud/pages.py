"""Pages as Nova and Cinder cut them: `limit` and `marker`."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from tests.fakecloud.errors import BadRequest


class HasId(Protocol):
    """A record with an id."""

    id: str


Record = TypeVar("Record", bound=HasId)


def cut_page(records: Sequence[Record], query: Mapping[str, str], page_size: int) -> tuple[list[Record], bool]:
    """The page that a query asks for, and whether it is full (a next one is named then, though it may be empty)."""
    limit = query.get("limit", str(page_size))
    if not limit.isdecimal():
        message = f"Invalid input for query parameters limit. Value: {limit}."
        raise BadRequest(message)
    size = min(int(limit), page_size)
    start = _after(records, query["marker"]) if query.get("marker") else 0
    page = list(records[start : start + size])
    return page, bool(page) and len(page) == size


def _after(records: Sequence[HasId], marker: str) -> int:
    for place, record in enumerate(records, start=1):
        if record.id == marker:
            return place
    message = f"marker [{marker}] not found"
    raise BadRequest(message)
