"""The budget: in each window of time, all invocations together delete no more than it allows."""

from collections import defaultdict
from collections.abc import Iterator

from tests.chaos.history import History
from tests.chaos.observer.case import Violation, image_in
from tests.chaos.observer.index import index_of
from tests.chaos.observer.settings import settings_of

Window = tuple[int, int]


def check_budget(history: History) -> Iterator[Violation]:
    """Count the deletions of each window, by the clock of the function when an invocation began."""
    index, spent, most = index_of(history), defaultdict[Window, int](int), defaultdict[Window, int](int)
    for invocation in history.invocations:
        budget = settings_of(invocation.settings, history.project).budget
        if budget is None:
            continue
        limit, length = budget
        now = int(invocation.begun.time.timestamp() + invocation.skew)
        window = (length, now // length)
        # Each counts, also one that failed.
        sent = {image_in(one) for one in index.requests[invocation.number] if one.method == "DELETE"} - {""}
        spent[window] += len(sent)
        most[window] = max(most[window], limit)
        if sent and spent[window] > most[window]:
            text = f"{spent[window]} deletions in a window of {length} seconds, and {most[window]} are allowed"
            yield Violation("budget", invocation.number, "", text)
