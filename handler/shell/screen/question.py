"""The question before images are deleted, and its answer. Only a person at a terminal is asked."""

import sys

from handler.errors import InvalidSettings
from handler.report.report import Report


def is_at_terminal() -> bool:
    """Whether a person is there, who could be asked."""
    return any(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def is_confirmed(_report: Report) -> bool:
    """Ask whether what was rehearsed may be done; raises InvalidSettings if no answer can be read."""
    if not sys.stdin.isatty():
        message = "nobody can be asked, since standard input is no terminal: --yes goes ahead without a question"
        raise InvalidSettings(message)
    print("Type yes to go ahead: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip() == "yes"
