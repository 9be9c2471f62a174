"""What is said below the table: what a sweep looked at, what several images share, and how many had which outcome."""

from collections.abc import Iterator

from handler.report.report import Report
from handler.shell.screen.terminal import Screen, printable


def closing(report: Report, _screen: Screen) -> Iterator[str]:
    """The lines below the table; the last one counts."""
    for result in report.results:
        if result.problem:
            yield printable(f"rejected  {result.message_id}  {result.problem}")
    counts = ", ".join(f"{count} {name}" for name, count in report.counts.items()) or "no image"
    yield f"{report.mode}: {counts}"
