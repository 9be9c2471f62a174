"""Every life of a mark is explored; and each old fault, put back, is found again.

The rules need no cloud for this, so it stands among the unit tests: `make test-fast` explores a part of it.
"""

import pytest
from hypothesis import settings

from tests.unit.protocol import Dialect, Exploration, Policy

SHORT, LONG, SAME = Policy("A", 1), Policy("B", 3), Policy("B", 1)
NOTICE, LONG_NOTICE = Policy("A", 1, deactivate=True), Policy("B", 3, deactivate=True)
AT_ONCE = Policy("B")
CASTS: dict[str, tuple[tuple[Policy, Policy], Dialect, int, int]] = {
    "two with grace": ((SHORT, LONG), "set", 1, 2),
    "two with grace, keyed": ((SHORT, LONG), "keyed", 1, 2),
    "two with the same grace": ((SHORT, SAME), "set", 1, 1),
    "two with the same grace, keyed": ((SHORT, SAME), "keyed", 1, 1),
    "one without grace": ((SHORT, AT_ONCE), "set", 3, 2),
    "one without grace, keyed": ((SHORT, AT_ONCE), "keyed", 3, 2),
    "one deactivates": ((NOTICE, LONG), "set", 1, 1),
    "both deactivate": ((NOTICE, LONG_NOTICE), "set", 1, 1),
    "one deactivates, one without grace": ((NOTICE, AT_ONCE), "set", 2, 1),
}
"""Policies, tags, and how often the owner acts and a run fails."""
MOST = 4_000 * settings().max_examples
"""Worlds of one cast: all of them, but for the quick profile."""


@pytest.mark.parametrize("cast", CASTS.values(), ids=CASTS)
def test_no_image_goes_before_every_day_that_was_promised_and_no_veto_is_lost_or_made_up(
    cast: tuple[tuple[Policy, Policy], Dialect, int, int],
) -> None:
    policies, dialect, acts, faults = cast
    exploration = Exploration(policies, dialect, acts=acts, faults=faults)
    assert exploration.explore(MOST) > 1000
    assert exploration.deleted_by == {"A", "B"}
