"""The condition that nothing has used an image for a while. Pure.

An image counts as unused only for as long as sweeps have looked, and for none of the days on which one saw it in use.
"""

from datetime import UTC, datetime, time, timedelta

from handler.model.history import History
from handler.model.image import Image, is_uuid
from handler.model.request import Select


def why_not_unused(image: Image, select: Select, now: datetime) -> str:
    """Why an image was not unused for as long as a policy asks; empty if it was, or if the policy does not ask."""
    if select.unused_for is None:
        return ""
    start, history = now - select.unused_for.age, select.unused_for.history
    # Only UUIDs are remembered.
    if history is None or not all(map(is_uuid, image.known_as)):
        return "its use is unknown"
    return _use_after(start, image, history) or _gap_after(start, image, history)


def why_unknown(state_table: str, in_use_check: str) -> str:
    """What the settings lack for this condition, in words for the operator; empty if they lack nothing."""
    if not state_table:
        return "needs REAPER_STATE_TABLE, a table of AWS that keeps what was in use"
    return "needs REAPER_IN_USE_CHECK=on" if in_use_check == "off" else ""


def _use_after(start: datetime, image: Image, history: History) -> str:
    """How an image was in use after a moment; empty if nobody has seen that."""
    if any(key in history.in_use for key in image.known_as):
        return "it is in use"
    day = history.last_day(image.known_as)
    # To the end of that day: of its hours, nothing is remembered.
    if day is None or datetime.combine(day + timedelta(days=1), time(), UTC) <= start:
        return ""
    return f"it was in use on {day}"


def _gap_after(start: datetime, image: Image, history: History) -> str:
    """Why nobody can tell whether an image was in use after a moment; empty if somebody can."""
    if history.since > start:
        return f"its use is unknown before {history.since.astimezone(UTC).date()}"
    if image.created_at is None:
        return "its age is unknown"
    return f"it was created at {image.created_at.isoformat()}" if image.created_at >= start else ""
