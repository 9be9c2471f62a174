"""Show what the command does, as one story: `make demo`.

Rehearse a policy, look at its page, apply its plan, veto a deletion: the command itself, before a fake cloud on this
machine. What is printed is what the command answers. The days are always the same, and so is the story.
"""

import html
import io
import os
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path

from handler.compose.engines import shell
from handler.compose.invocation import handle, read
from handler.compose.secret import load_settings
from handler.model.outcome import Decision
from handler.report.page.page import page
from handler.shell import marks
from handler.shell.asked import event_of, plan_of
from handler.shell.files.writing import plan_text, write
from handler.shell.options import parse
from handler.shell.runs.running import ShellContext
from handler.shell.screen.closing import closing
from handler.shell.screen.live.progress import progress
from handler.shell.screen.marks import told_text
from handler.shell.screen.table import table
from handler.shell.screen.terminal import Screen
from tests.fakecloud import FakeCloud, Server
from tests.fakecloud.seeds import read_seed

TODAY = datetime(2026, 11, 25, 12, tzinfo=UTC)
INDENT = "   "
REHEARSE = """image-reaper --sweep --name 'nightly-*' --older-than 14d --keep 2 \\
    --plan build/demo.json --html build/demo.html"""
APPLY = "REAPER_MODE=delete image-reaper --apply build/demo.json"
MARK = "REAPER_MODE=delete image-reaper --sweep --name 'ci-*' --keep 3 --grace 3d"
VETO = "image-reaper --veto"
OURS = ("OS_", "REAPER_", "POWERTOOLS_", "AWS_")
LEGEND = """
A rehearsal (would_delete) makes every check, but sends no DELETE. What is
marked goes in a later run. Both refusals above are meant to be there.

"Try it" in README.md does the same by hand, before a fake cloud of your own.
Next: .venv/bin/image-reaper --help"""


def main() -> int:
    """Tell the story."""
    print("image-reaper before a fake cloud on this machine: 19 images, 17 of them ours.")
    print(f"It is always {TODAY:%Y-%m-%d} here, so that the story stays the same.")
    with fake_cloud() as cloud:
        rehearse()
        apply_the_plan(cloud)
        veto(cloud)
    print(LEGEND)
    return 0


@contextmanager
def fake_cloud() -> Iterator[FakeCloud]:
    """The cloud of the story, and the variables for it: no setting of whoever runs this has a say."""
    cloud = FakeCloud()
    cloud.seed(read_seed("demo"))
    for name in [name for name in os.environ if name.startswith(OURS)]:
        del os.environ[name]
    with Server(cloud) as server:
        os.environ.update(cloud.env(server.url))
        yield cloud


def rehearse() -> None:
    """The rehearsal of a policy, in a table and as a page."""
    step("1. Rehearse", "Nightly builds over 14 days old may go; the newest 2 stay.")
    page_of_it = typed(REHEARSE)
    step("2. Page", f"The same for a reviewer, with what stays and why: {page_of_it}")
    headline = re.search(r"<h1>(.*?)</h1>", page_of_it.read_text(encoding="utf-8"))
    print(indented(html.unescape(headline[1] if headline else "")))


def apply_the_plan(cloud: FakeCloud) -> None:
    """Delete what was rehearsed, but for an image that has changed since."""
    step("3. Apply", "The plan is carried out. What has changed since it was made stays:")
    print(indented("meanwhile, somebody has renamed nightly-1."))
    next(image for image in cloud.images.values() if image.name == "nightly-1").name = "release-1"
    typed(APPLY)


def veto(cloud: FakeCloud) -> None:
    """Mark images, object to the deletion of one, and come back when their day has passed."""
    step("4. Veto", "A policy with grace marks first, and deletes later.")
    typed(MARK)
    image = next(image for image in cloud.images.values() if image.name == "ci-build-101")
    print(indented(f"The owner of {image.name} gives a veto:\n$ {VETO} {image.id}"))
    settings = load_settings()
    with redirect_stderr(io.StringIO()), progress() as watch:  # how far it has come
        told = marks.veto(settings, [image.id], TODAY, watch)
    print(indented(told_text(told, settings, screen()).split("\n\n")[0]))
    print(indented("Four days later:"))
    typed(MARK, TODAY + timedelta(days=4))


def typed(command: str, now: datetime = TODAY) -> Path:
    """Show a command and what it answers; the page that it leaves, if it was asked for one."""
    print(indented(f"$ {command}"))
    mode, arguments = command.replace("\\\n", "").split("image-reaper ", 1)
    options = parse(shlex.split(arguments))
    os.environ["REAPER_MODE"] = "delete" if mode else "dry-run"
    settings, decisions = load_settings(), list[Decision]()
    received = plan_of(options.apply) if options.apply else read(event_of(options), settings, shell)
    assert received
    with redirect_stdout(io.StringIO()):  # its log and its metrics
        report = handle(received, ShellContext(60), settings, shell, now, decisions.append)
    for text in (table(report, now, screen()), *closing(report, screen())):
        print(indented(text))
    if options.plan:
        options.plan.parent.mkdir(exist_ok=True)
        write(options.plan, plan_text(report))
        write(options.html, page(report, decisions, now))
    return options.html or Path()


def screen() -> Screen:
    """Where the story is told: on 80 columns, whatever there is."""
    return Screen.of(sys.stdout)._replace(width=80 - len(INDENT))


def step(title: str, text: str) -> None:
    """The start of a part of the story."""
    bold = f"\033[1m{title}\033[0m" if Screen.of(sys.stdout).colour else title
    print(f"\n{bold}  {text}")


def indented(text: str) -> str:
    """The lines of a text, set off from the story."""
    return "\n".join(f"{INDENT}{line}" for line in text.splitlines())


if __name__ == "__main__":
    sys.exit(main())
