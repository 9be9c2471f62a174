"""Carries out the commands about marks: lists them, gives vetoes, and takes all off before uninstalling."""

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TypeVar

from handler.config.settings import Settings
from handler.shell.files.journal import logging_to
from handler.shell.files.streams import UNREAD, printed
from handler.shell.marks import list_marks, unmark_all, veto
from handler.shell.runs.signals import Signals, Stopped
from handler.shell.runs.stopping import Stopping
from handler.shell.screen.live.progress import progress
from handler.shell.screen.marks import marks_text, told_text, unmark_question, what_stays
from handler.shell.screen.question import is_at_terminal, is_confirmed, person
from handler.shell.screen.terminal import Screen, say, tell
from handler.work.marks.changing import Told
from handler.work.marks.listing import Listing
from handler.work.run import Watch

T = TypeVar("T")


def look_after(options: argparse.Namespace, settings: Settings, signals: Signals) -> int:
    """Carry out a command about marks; returns the exit code."""
    now = datetime.now(UTC)
    if options.marks:
        found = _watched(lambda watch: list_marks(settings, watch), options, signals)
        return _ended(marks_text(found, now, Screen.of(sys.stdout)), signals, is_ok=not found.unreadable)
    try:
        told = _changed(options, settings, now, signals)
    except Stopped:
        if not signals.has_begun:
            raise
        tell(signals.early_words("image-reaper --marks lists what is marked now"))
        return signals.code
    if told is None:
        tell("Nothing was done.")
        return 2
    text = told_text(told, settings, Screen.of(sys.stdout))
    return _ended(text, signals, is_ok=not any(each.is_failure for each in told))


def _changed(options: argparse.Namespace, settings: Settings, now: datetime, signals: Signals) -> Sequence[Told] | None:
    """Give vetoes, or take all marks off; None if a person does not want that after all."""
    if options.veto:
        signals.has_begun = True
        return _watched(lambda watch: veto(settings, options.veto, now, watch), options, signals)
    shown = _watched(lambda watch: list_marks(settings, watch), options, signals)
    today, is_asked = now.date(), not options.yes and is_at_terminal()
    question = unmark_question(shown, today)
    if question and is_asked and not _wanted(shown, question, now, signals):
        return None
    if shown.marked and not question:
        tell(f"No mark is to be taken off: {what_stays(shown, today)}")

    known = {each.image.id for each in shown.marked}

    def confirm(found: Listing) -> bool:
        # What somebody has marked meanwhile, nobody was asked about.
        is_known = known.issuperset(each.image.id for each in found.marked)
        goes_ahead = not is_asked or (is_known and bool(question or not unmark_question(found, today)))
        if not goes_ahead:
            tell("Something has been marked meanwhile: look at it again.")
        return goes_ahead

    signals.has_begun = True
    return _watched(lambda watch: unmark_all(settings, now, confirm, watch), options, signals)


def _wanted(found: Listing, question: str, now: datetime, signals: Signals) -> bool:
    signals.interrupting()
    with person() as stream:
        print(marks_text(found, now, Screen.of(stream)), file=stream)
    return is_confirmed(question)


def _watched(act: Callable[[Watch], T], options: argparse.Namespace, signals: Signals) -> T:
    """Have something done while its progress is shown, until a signal stops it."""
    with ExitStack() as stack:
        log = stack.enter_context(logging_to(None, shown=options.log))
        stop = Stopping(stack.enter_context(progress(shown=not options.log)), lambda: signals.why)
        stack.enter_context(signals.halting(stop.halt))
        try:
            done = act(stop)
        except Stopped:
            signals.is_at_once = True
            raise
    for line in log.remarks():
        tell(line)
    return done


def _ended(text: str, signals: Signals, *, is_ok: bool) -> int:
    """Print the result; returns the exit code."""
    shown = printed(lambda: say(text))
    if shown.problem:
        tell(shown.problem)
    return signals.code or ((UNREAD if shown.is_unread else 0) if is_ok and not shown.problem else 1)
