"""What is said below the table: what several images share, what a sweep looked at, and how many had which outcome."""

from collections.abc import Iterator

from handler.model.outcome import Result
from handler.report.report import Report
from handler.shell.screen.lines.alike import details_of_several, lines_of_several
from handler.shell.screen.lines.rows import rows_of
from handler.shell.screen.lines.sums import caps_line, counts_line, mismatch_line, survey_line
from handler.shell.screen.lines.width import wrapped
from handler.shell.screen.terminal import Screen, printable

MOST_MESSAGES = 20
"""Messages of a queue that are named."""


def closing(report: Report, screen: Screen) -> Iterator[str]:
    """The lines below the table; the last one counts."""
    for line in (*_lines(report), counts_line(report)):
        yield "\n".join(wrapped(printable(line), screen.width, "  "))


def _lines(report: Report) -> Iterator[str]:
    yield from lines_of_several(details_of_several(rows_of(report)))
    for result in report.results:
        yield from (f"{_whose(result, report)}{line}" for line in _of_sweep(result, report.max_images))
    for result in report.results:
        if result.problem:
            yield f"rejected  {result.message_id}  {result.problem}"
    if projects := report.sent().get("projects"):
        yield f"sent to {projects:,} {'project' if projects == 1 else 'projects'}, a message for each"
    if report.source == "queue" and report.failed_messages:
        yield f"a queue would get back: {_listed(report.failed_messages)}"


def _of_sweep(result: Result, max_images: int) -> Iterator[str]:
    # Nothing is known of a list that could not be read: its outcome says why.
    if result.survey is None or any(not outcome.image_id for outcome in result.outcomes):
        return
    yield survey_line(result.survey)
    if line := mismatch_line(result):
        yield line
    if caps := caps_line(result, max_images):
        yield caps


def _whose(result: Result, report: Report) -> str:
    """Which sweep a line is about, where there are several."""
    if sum(each.survey is not None for each in report.results) == 1:
        return ""
    projects = {each.project_id for each in report.results if each.project_id}
    return f"{' '.join(filter(None, [result.message_id, result.project_id if len(projects) > 1 else '']))}: "


def _listed(messages: list[str]) -> str:
    others = len(messages) - MOST_MESSAGES
    return ", ".join(messages[:MOST_MESSAGES]) + (f" and {others:,} others" if others > 0 else "")
