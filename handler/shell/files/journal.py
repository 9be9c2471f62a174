"""Where the log of a run goes: to nobody, to standard error, and, if it is armed, to the file of its journal."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TextIO

METRICS = '{"_aws"'
"""How a line with metrics begins, which no journal keeps."""
OTHERWISE = Path("image-reaper.journal.jsonl")
"""The journal of a run that reads no file."""


def journal_beside(path: Path | None) -> Path:
    """Where the journal of an armed run lies, unless it is told: beside the plan or the request that it reads."""
    return path.with_name(f"{path.stem}.journal.jsonl") if path else OTHERWISE


class Log(io.TextIOBase):
    """Takes the lines of the log in place of standard output, as the function writes them."""

    def __init__(self, journal: TextIO | None, shown: TextIO | None) -> None:
        self._journal = journal
        self._shown = shown

    def write(self, text: str) -> int:
        """Write lines; raises OSError if the journal can't take them."""
        if self._journal and not text.startswith(METRICS) and text.strip():
            self._journal.write(text)
            self._journal.flush()
        if self._shown:
            self._shown.write(text)
        return len(text)


@contextmanager
def logging_to(journal: Path | None, *, shown: bool) -> Iterator[None]:
    """Have the log written to a journal, if there is one, and to standard error, if it is to be shown."""
    file = journal.open("a", encoding="utf-8") if journal else None
    try:
        with redirect_stdout(Log(file, sys.stderr if shown else None)):
            yield
    finally:
        if file:
            file.close()
