"""The table: what became of each image, as lines of text. Pure.

In a pipe, each image has one line. On a terminal, the table has the widest of these forms that fits; names are cut in
the middle as long as that leaves them different, ids never are, and what does not fit has lines of its own below:

    outcome  reason  id  name  age  size  detail
    outcome  id  name  age  size  reason: detail
    outcome  name  age  size, and below id  reason: detail
    outcome  reason, and the rest below
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from handler.model.outcome import OutcomeName
from handler.report.report import Report
from handler.shell.screen.lines.alike import details_of_several, folded
from handler.shell.screen.lines.rows import Kind, Row, age_in_words, rows_of, size_in_words
from handler.shell.screen.lines.width import cut, padded, shown_width, wrapped
from handler.shell.screen.terminal import Screen

COLOURS = {"deleted": 32, "would_delete": 36, "already_gone": 90, "marked": 35, "refused": 33, "failed": 31}
GAP = "  "
NUMBERS = ("age", "size")
ALL = ("word", "reason", "image_id", "name", "age", "size")
FORMS = (
    (ALL, 16),
    (tuple(column for column in ALL if column != "reason"), 10),
    (tuple(column for column in ALL if column not in {"reason", "image_id"}), 24),
)
"""The columns of a form, and to how many characters it may cut a name."""


class Cells(NamedTuple):
    """The texts of a row; `detail` is empty where it is told below the table.

    `rest` is what follows in a form without a column for the reason.
    """

    outcome: OutcomeName
    word: str
    reason: str
    image_id: str
    name: str
    age: str
    size: str
    detail: str
    rest: str

    def of(self, column: str) -> str:
        """The text in a column."""
        return str(getattr(self, column))


class Form(NamedTuple):
    """The columns of a first line with their widths; the rest of a row follows them."""

    widths: dict[str, int]

    @property
    def width(self) -> int:
        """The columns of the screen that a first line takes."""
        return sum(self.widths.values()) + len(GAP) * (len(self.widths) - 1)

    @property
    def has_reason(self) -> bool:
        """Whether the reason has a column of its own, so that only the detail is left."""
        return "reason" in self.widths

    def below(self, cells: Cells) -> str:
        """What follows the columns of a row."""
        image_id = "" if "image_id" in self.widths else cells.image_id
        return GAP.join(filter(None, [image_id, cells.detail if self.has_reason else cells.rest]))

    def line(self, cells: Cells, screen: Screen) -> str:
        """The first line of a row, up to its last column."""
        texts = [
            padded(cut(cells.name, width) if column == "name" else cells.of(column), width, right=column in NUMBERS)
            for column, width in self.widths.items()
        ]
        texts[0] = screen.coloured(texts[0], COLOURS[cells.outcome])
        return GAP.join(texts)


def table(report: Report, now: datetime, screen: Screen) -> str:
    """What happened, with a line for each image in a pipe, and lines that fit on a terminal."""
    rows = list(rows_of(report))
    shared = details_of_several(rows)
    shown = list(folded(rows)) if screen.width else rows
    lines = [row if isinstance(row, str) else _cells(row, now, shared) for row in shown]
    # Between the table and what is said below it, a person finds an empty line.
    return "\n".join(_lines(lines, screen)) + ("\n" if lines and screen.width else "")


def _cells(row: Row, now: datetime, shared: Mapping[Kind, int]) -> Cells:
    word, reason, detail = row.kind
    is_told = row.kind in shared
    # The line below the table names the reason, and it is clear which rows that is about.
    is_clear = is_told and [kind.word for kind in shared].count(word) == 1
    detail = "" if is_told else detail
    return Cells(
        outcome=row.outcome,
        word=word,
        reason=reason,
        image_id=row.image_id,
        name=row.name,
        age=age_in_words(row, now),
        size=size_in_words(row),
        detail=detail,
        rest="" if is_clear else ": ".join(filter(None, [reason, detail])),
    )


def _lines(rows: Sequence[Cells | str], screen: Screen) -> Iterator[str]:
    cells = [row for row in rows if not isinstance(row, str)]
    widths = {column: max((shown_width(each.of(column)) for each in cells), default=0) for column in ALL}
    form = Form(widths) if screen.width is None else _fitting(widths, cells, screen.width)
    for row in rows:
        if isinstance(row, str):
            yield from wrapped(row, screen.width, GAP)
        elif form is None:
            yield from _stacked(row, screen)
        else:
            yield from _in_columns(row, form, screen)


def _fitting(widths: dict[str, int], rows: Sequence[Cells], width: int) -> Form | None:
    """The widest form that fits and cuts no two names to the same text; None if only one below the other fits."""
    forms = list(_that_fit(widths, rows, width))
    names = {row.name for row in rows}
    return next((form for form in forms if _are_told_apart(names, form.widths.get("name", 0))), next(iter(forms), None))


def _that_fit(widths: dict[str, int], rows: Sequence[Cells], width: int) -> Iterator[Form]:
    details = max((len(GAP) + shown_width(row.detail) for row in rows if row.detail), default=0)
    for columns, shortest in FORMS:
        used = {column: widths[column] for column in columns if widths[column]}
        room = width - Form(used | {"name": 0}).width
        if "name" not in used:
            yield from [Form(used)] if room >= 0 else []
            continue
        # Names are cut where that keeps each detail on the line of its image.
        for most in (room - details, room):
            if most >= min(widths["name"], shortest):
                yield Form(used | {"name": min(widths["name"], most)})


def _are_told_apart(names: Collection[str], width: int) -> bool:
    return len({cut(name, width) for name in names}) == len(names)


def _in_columns(row: Cells, form: Form, screen: Screen) -> Iterator[str]:
    line, rest = form.line(row, screen), form.below(row)
    if not rest:
        yield line.rstrip()
    elif screen.width is None or form.width + len(GAP) + shown_width(rest) <= screen.width:
        yield f"{line}{GAP}{rest}"
    else:
        yield line.rstrip()
        indent = " " * (form.widths["word"] + len(GAP))
        yield from map(str.rstrip, wrapped(rest, screen.width, indent, first=indent))


def _stacked(row: Cells, screen: Screen) -> Iterator[str]:
    yield " ".join(filter(None, [screen.coloured(row.word, COLOURS[row.outcome]), row.reason]))
    numbers = GAP.join(filter(None, [row.age, row.size]))
    room = (screen.width or 0) - len(GAP) * 2 - len(numbers)
    if facts := list(filter(None, [cut(row.name, max(room, 1)), numbers])):
        yield GAP + GAP.join(facts)
    if row.image_id:
        yield GAP + row.image_id
    if row.detail:
        yield from wrapped(row.detail, screen.width, GAP, first=GAP)
