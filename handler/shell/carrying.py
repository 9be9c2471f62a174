"""Carries out a command: reads what is asked for, asks the person back, has it done, and shows what came of it."""

from handler import coldstart

# Everything that is loaded after coldstart is loaded faster.
# isort: split

import argparse
import json
import sys
from pathlib import Path

from handler.compose.engines import shell
from handler.compose.invocation import read
from handler.config.settings import Settings
from handler.errors import ReaperError
from handler.model.masking import mask_loggers
from handler.model.message import Received
from handler.report.page.page import page
from handler.shell.asked import event_of, plan_of
from handler.shell.environment import rehearsing, settings_for
from handler.shell.files.journal import journal_beside
from handler.shell.files.writing import plan_text, writable, write
from handler.shell.runs.running import Done, Terms, run
from handler.shell.runs.shown import would_change
from handler.shell.screen.closing import closing
from handler.shell.screen.problems import words
from handler.shell.screen.question import is_at_terminal, is_confirmed
from handler.shell.screen.table import table
from handler.shell.screen.terminal import Screen, say, tell

coldstart.end()

STOPPED = 130
"""The exit code of a command that Ctrl-C has stopped: 128, and the number of the signal, as of any other program."""


def carry_out(options: argparse.Namespace) -> int:
    """Carry out a command; returns the exit code."""
    mask_loggers()
    try:
        return _carried_out(options)
    # Every error of ours: what fails once a run has begun is an outcome, and no exception.
    except ReaperError as error:
        tell(words(error))
        return 2


def _carried_out(options: argparse.Namespace) -> int:
    settings = settings_for(options)
    received = plan_of(options.apply) if options.apply else read(event_of(options), settings, shell)
    if received is None:
        say(f"{options.apply}: the plan is empty: there is nothing to delete")
        return 0
    with writable([path for path in (options.plan, options.html) if path]):
        terms = Terms(today=options.today, logged=options.log)
        if _changes(received, settings):
            terms = terms._replace(journal=options.journal or journal_beside(_file_of(options)))
        if terms.journal and not options.yes and is_at_terminal():
            rehearsal = run(received, rehearsing(settings), Terms(logged=options.log))
            _print(rehearsal, options)
            if rehearsal.stopped:
                return STOPPED
            terms = terms._replace(shown=would_change(rehearsal.report))
            if terms.shown and not is_confirmed(rehearsal.report):
                tell("Nothing was done.")
                return 2
        done = run(received, settings, terms)
    _print(done, options)
    lost = [path for path, text in _files(done, options) if not _written(path, text)]
    return STOPPED if done.stopped else 0 if done.report.ok and not lost else 1


def _changes(received: Received, settings: Settings) -> bool:
    """Whether anything may be changed: a rehearsal needs neither a journal nor a question."""
    return settings.mode == "delete" and any(not request.dry_run for request in received.requests)


def _file_of(options: argparse.Namespace) -> Path | None:
    """The file that a command reads, if it reads one."""
    if options.apply:
        return Path(options.apply)
    is_file = len(options.asked) == 1 and Path(options.asked[0]).is_file()
    return Path(options.asked[0]) if is_file else None


def _print(done: Done, options: argparse.Namespace) -> None:
    if options.json:
        say(json.dumps(done.report.answer(), indent=2))
        return
    screen = Screen.of(sys.stdout)
    for text in (table(done.report, done.now, screen), *closing(done.report, screen)):
        if text:
            say(text)


def _files(done: Done, options: argparse.Namespace) -> list[tuple[Path, str]]:
    """The files that the run leaves, and what they hold."""
    plan = [(options.plan, plan_text(done.report))] if options.plan else []
    return plan + ([(options.html, page(done.report, done.decisions, done.now))] if options.html else [])


def _written(path: Path, text: str) -> bool:
    problem = write(path, text)
    if problem:
        tell(problem)
    return not problem
