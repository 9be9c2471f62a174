"""How the time that something takes grows with its input: a ratio within one run, whatever the machine is."""

import time
from collections.abc import Callable


def grows_as_its_input(work: Callable[[int], object], length: int) -> bool:
    """Whether `work` takes no more time than its input explains; it gets the length of that input.

    For four times the length, it may take ten times as long. A square would take sixteen times.
    """

    def seconds(of: int) -> float:
        start = time.process_time()
        work(of)
        return time.process_time() - start

    return min(seconds(4 * length) for _ in range(3)) < 10 * min(seconds(length) for _ in range(3)) + 0.05
