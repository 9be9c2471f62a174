"""Carries out a command: reads what is asked for, asks the person, has it done, and shows what came of it."""

from handler import coldstart

# Everything that is loaded after coldstart is loaded faster.
# isort: split

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from handler.compose.engines import shell
from handler.compose.invocation import read
from handler.config.settings import Settings
from handler.errors import ReaperError
from handler.model.masking import mask_loggers
from handler.model.message import Received
from handler.report.page.page import page
from handler.shell.asked import event_of, naming_file, plan_of
from handler.shell.environment import settings_for
from handler.shell.files.journal import journal_beside
from handler.shell.files.streams import UNREAD, Printed, printed
from handler.shell.files.writing import about_plan, plan_text, writable, write
from handler.shell.options import ABOUT_MARKS
from handler.shell.runs.days import check_today
from handler.shell.runs.preview import asked_about
from handler.shell.runs.running import Done, Terms, run
from handler.shell.runs.signals import Signals, Stopped
from handler.shell.runs.stopping import stopped, unknown
from handler.shell.screen.closing import closing
from handler.shell.screen.hints import JOURNAL, fitted, hints
from handler.shell.screen.problems import words
from handler.shell.screen.question import is_at_terminal
from handler.shell.screen.table import table
from handler.shell.screen.terminal import Screen, printable, say, tell
from handler.shell.unknown import unknown_here
from handler.shell.upkeep import look_after

mask_loggers()
coldstart.end()


def carry_out(options: argparse.Namespace, signals: Signals) -> int:
    """Carry out a command; returns the exit code."""
    try:
        signals.interrupting()
        settings = settings_for(options)
        about_marks = any(getattr(options, name) for name in ABOUT_MARKS)
        return (look_after if about_marks else _carried_out)(options, settings, signals)
    except Stopped:
        tell(signals.early_words("look into the journal" if signals.has_begun else "nothing was changed"))
        return signals.code
    # Every error of ours: what fails once a run has begun is an outcome, and no exception.
    except ReaperError as error:
        # What ends a list that is stopped is an error, too.
        if signals.code:
            tell(signals.early_words("nothing was changed"))
            return signals.code
        tell(words(naming_file(error, options), Screen.of(sys.stderr)))
        return 2


def _carried_out(options: argparse.Namespace, settings: Settings, signals: Signals) -> int:
    # Standard input may be a person who types.
    with signals.prodded():
        received = plan_of(options.apply) if options.apply else read(event_of(options), settings, shell)
    if received is None:
        say(f"{options.apply}: the plan is empty: there is nothing to delete")
        return 0
    terms = _terms(received, settings, options)
    others = [path for path in (terms.journal, _file_of(options)) if path]
    with writable([path for path in (options.plan, options.html) if path], others):
        if terms.journal and not options.yes and is_at_terminal():
            answer = asked_about(received, settings, terms, signals, _show)
            if not answer.goes_ahead:
                tell("Nothing was done.")
                return 2
            terms = terms._replace(permitted=answer.permitted)
        signals.has_begun = True
        done = run(received, settings, terms, signals)
        problems, shown = _left(done, options)
    for text in _told(done, options, settings, terms, problems):
        tell(fitted(text, Screen.of(sys.stderr)))
    is_ok = done.report.ok and done.is_whole and not problems
    return signals.code or ((UNREAD if shown.is_unread else 0) if is_ok else 1)


def _terms(received: Received, settings: Settings, options: argparse.Namespace) -> Terms:
    if options.today:
        check_today(received)
    # A rehearsal needs neither a journal nor a question.
    changes = settings.mode == "delete" and any(not request.dry_run for request in received.requests)
    journal = (options.journal or journal_beside(_file_of(options))) if changes else None
    return Terms(journal=journal, today=options.today, logged=options.log)


def _file_of(options: argparse.Namespace) -> Path | None:
    """The file that a command reads, if it reads one."""
    if options.apply:
        return Path(options.apply)
    is_file = len(options.asked) == 1 and Path(options.asked[0]).is_file()
    return Path(options.asked[0]) if is_file else None


def _left(done: Done, options: argparse.Namespace) -> tuple[list[str], Printed]:
    """Write the files of a run, and print its result; returns what went wrong, and how the result was printed."""
    # Before the table: its reader may go while it is shown.
    problems = [problem for path, text in _files(done, options) if (problem := write(path, text))]
    shown = printed(lambda: _print(done, options))
    return problems + ([shown.problem] if shown.problem else []), shown


def _files(done: Done, options: argparse.Namespace) -> list[tuple[Path, str]]:
    """The files that the run leaves, and what they hold."""
    files = [(options.plan, plan_text(done.report))] if options.plan else []
    if options.html:
        text = page(done.report, done.decisions, done.now, plan=str(options.plan or ""))
        files.append((options.html, text))
    return files


def _told(
    done: Done, options: argparse.Namespace, settings: Settings, terms: Terms, problems: list[str]
) -> Iterator[str]:
    """What a person is told besides the result."""
    yield from done.remarks
    yield from problems
    if line := unknown_here(done.report, settings):
        yield line
    if options.plan and not problems:
        yield about_plan(options.plan, done.report)
    yield from _told_last(done, options, terms)


def _told_last(done: Done, options: argparse.Namespace, terms: Terms) -> Iterator[str]:
    # However the run ended, and also to a file: whoever reads the log of a job looks for it as well.
    if terms.journal:
        yield printable(f"{JOURNAL}{terms.journal}")
    if done.unknown:
        yield unknown(done.unknown)
    if done.stopped:
        yield stopped(done.report, done.stopped, done.not_tried)
    elif sys.stderr.isatty():
        yield from hints(done.report, options)


def _print(done: Done, options: argparse.Namespace) -> None:
    if options.json:
        say(json.dumps(done.report.answer(), indent=2))
        return
    for text in _texts(done, Screen.of(sys.stdout)):
        say(text)


def _show(done: Done, stream: TextIO) -> None:
    """Show a rehearsal to the person who is asked."""
    for text in _texts(done, Screen.of(stream)):
        print(text, file=stream)


def _texts(done: Done, screen: Screen) -> list[str]:
    return [text for text in (table(done.report, done.now, screen), *closing(done.report, screen)) if text]
