"""The progress of a run in one line, drawn by tqdm, which knows the width of a terminal and the time that is left."""

from itertools import cycle
from threading import RLock
from typing import TextIO

from tqdm import tqdm

from handler.shell.screen.live.progress import Standing

TURNS = "-\\|/"
"""Shown in turn: that something moves tells a silent cloud from a command that hangs."""
TO_THE_END = "\033[K"
"""Wipes off the rest of a line. Source: ECMA-48, EL."""
NARROWEST = 10
"""Columns that are left at least, for a bar to be drawn in them."""
STOPPING = ("stopping; Ctrl-C once more ends at once", "stopping; Ctrl-C ends at once")


class _Tqdm(tqdm):  # type: ignore[type-arg]  # it goes over nothing
    """Shows the line that it is given."""

    # No thread of its own: who draws is awake anyway.
    monitor_interval = 0
    line = ""

    def __str__(self) -> str:
        return self.line


class Bar:
    """Draws on a terminal. Called by one thread only."""

    def __init__(self, stream: TextIO) -> None:
        # By itself, tqdm makes one for other processes as well.
        _Tqdm.set_lock(RLock())
        self._bar = _Tqdm(
            total=0, file=stream, leave=False, dynamic_ncols=True, mininterval=0, miniters=0, smoothing=0.1
        )
        # In place of tqdm's, which covers an old line with blanks: in a window that has become narrow these would wrap,
        # and keys that the terminal has echoed would stay.
        self._bar.sp = lambda text: stream.write(f"\r{text}{TO_THE_END}")
        self._turns = cycle(TURNS)
        self._is_doing = False

    def draw(self, standing: Standing, seconds: float) -> None:
        """See Drawing."""
        bar = self._bar
        if standing.phase == "doing" and not self._is_doing:
            # What came before says nothing about the time that is left.
            self._is_doing = True
            bar.reset(standing.total)
            bar.n = bar.initial = bar.last_print_n = standing.done
        width = bar.format_dict["ncols"] or 80
        bar.line = self._line(standing, seconds, width)
        if self._is_doing:
            bar.update(standing.done - bar.n)
        else:
            bar.refresh()

    def wipe(self) -> None:
        """See Drawing."""
        self._bar.close()

    def _line(self, standing: Standing, seconds: float, width: int) -> str:
        """The longest line that fits; the shortest is cut off if none does."""
        lines = list(lines_of(standing, seconds, self._left(standing), next(self._turns)))
        for line in lines:
            room = width - len(line.replace("{bar}", ""))
            if room >= (NARROWEST if "{bar}" in line else 0):
                return line.replace("{bar}", self._part(standing, min(room, 2 * NARROWEST)))
        return lines[-1][:width]

    def _part(self, standing: Standing, width: int) -> str:
        ascii_only, total = self._bar.format_dict["ascii"], max(standing.total, 1)
        return tqdm.format_meter(standing.done, total, 0, ncols=width, bar_format="{bar}", ascii=ascii_only)

    def _left(self, standing: Standing) -> float | None:
        """Seconds that are left, if anybody can tell."""
        rate = self._bar.format_dict["rate"]
        return (standing.total - standing.done) / rate if rate else None


def lines_of(standing: Standing, seconds: float, left: float | None, turn: str) -> tuple[str, ...]:
    """What may be shown, from long to short; `{bar}` is where a bar has its place."""
    gone = f"{turn} {clock(seconds)} "
    if standing.is_stopping:
        return tuple(f"{start} {text}" for start, text in zip((gone, turn), STOPPING, strict=True))
    if standing.phase == "connecting":
        return (f"{gone} connecting",)
    if standing.phase == "listing":
        return (f"{gone} looked at {standing.listed:,} images",)
    done = f"done {standing.done:,} of {standing.total:,}"
    about = f"{done}, about {clock(left)} left" if left is not None and standing.done < standing.total else done
    counts = ", ".join(f"{count:,} {name}" for name, count in sorted(standing.counts.items()))
    told = f"{about}: {counts}" if counts else about
    return (f"{gone} |{{bar}}| {told}", f"{gone} {told}", f"{gone} {about}", f"{turn} {about}", f"{turn} {done}")


def clock(seconds: float) -> str:
    """Seconds as people read them: 0:12, 12:00, 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
