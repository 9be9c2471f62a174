"""The table: what became of each image, as lines of text. Pure."""

from datetime import datetime

from handler.report.report import Report
from handler.shell.screen.terminal import Screen, printable

COLOURS = {"deleted": 32, "would_delete": 36, "already_gone": 90, "marked": 35, "refused": 33, "failed": 31}


def table(report: Report, _now: datetime, screen: Screen) -> str:
    """What happened, with a line for each image in a pipe, and lines that fit on a terminal."""
    rows = [
        (outcome.outcome, outcome.reason, outcome.image_id, printable(outcome.name or ""), printable(outcome.detail))
        for outcome in report.outcomes
    ]
    widths = [max([len(row[column]) for row in rows], default=0) for column in range(4)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, (*widths, 0), strict=True)]
        if screen.colour:
            cells[0] = f"\033[{COLOURS[row[0]]}m{cells[0]}\033[0m"
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
