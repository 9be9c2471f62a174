"""Show what the function does, as one story: `make demo`.

Rehearse a policy, look at its page, apply its plan, veto a deletion: the function itself, before a fake cloud on this
machine. What is printed is what the function answered. The days are always the same, and so is the story.
"""

import html
import io
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from handler.compose.engines import aws
from handler.compose.invocation import process
from handler.compose.secret import load_settings
from handler.model.outcome import Decision
from handler.report.page.page import page
from handler.report.report import Report
from handler.shell.runs.running import ShellContext
from handler.shell.screen.table import COLOURS
from tests.fakecloud import FakeCloud, Server

SEED = Path(__file__).parent / "fakecloud" / "seed_demo.json"
PAGE = Path("build/demo.html")
TODAY = datetime(2026, 11, 25, 12, tzinfo=UTC)
NIGHTLY = """{"sweep": {"select": {"name": "nightly-*", "older_than": "14d"},
           "keep": {"newest": 2}}}"""
BUILDS = """{"sweep": {"select": {"name": "ci-*", "older_than": "14d"},
           "keep": {"newest": 1}, "grace": "3d"}}"""
OURS = ("OS_", "REAPER_", "POWERTOOLS_", "AWS_")
LEGEND = """
would_delete  a rehearsal: every check was made, and no DELETE was sent
deleted       the cloud says so
marked        tagged, to be deleted by a later run
refused       a rule says no; both refusals above are meant to be there

"Try it" in README.md does the same by hand, before a fake cloud of your own.
Next: .venv/bin/python -m handler --help"""


def main() -> int:
    """Tell the story."""
    print("image-reaper before a fake cloud on this machine: 19 images, 17 of them ours.")
    with fake_cloud() as cloud:
        rehearsal = rehearse_and_show()
        apply_the_plan(rehearsal, cloud)
        veto(cloud)
    print(LEGEND)
    return 0


@contextmanager
def fake_cloud() -> Iterator[FakeCloud]:
    """The cloud of the story, and the variables for it: no setting of whoever runs this has a say."""
    cloud = FakeCloud()
    cloud.seed(json.loads(SEED.read_text(encoding="utf-8")))
    for name in [name for name in os.environ if name.startswith(OURS)]:
        del os.environ[name]
    with Server(cloud) as server:
        os.environ.update(cloud.env(server.url))
        yield cloud


def rehearse_and_show() -> Report:
    """The rehearsal of a policy, in a table and as a page."""
    step("1. Rehearse", "A policy: nightly builds over 14 days old go, the newest 2 stay.")
    print(indented(NIGHTLY))
    decisions: list[Decision] = []
    report = run(json.loads(NIGHTLY), decisions)
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(report, decisions, TODAY), encoding="utf-8")
    step("2. Page", f"The same for a reviewer, with what stays and why: {PAGE}")
    headline = re.search(r"<h1>(.*?)</h1>", PAGE.read_text(encoding="utf-8"))
    print(indented(html.unescape(headline[1] if headline else "")))
    return report


def apply_the_plan(rehearsal: Report, cloud: FakeCloud) -> None:
    """Delete what was rehearsed, but for an image that has changed since."""
    step("3. Apply", "The rehearsal gave a plan. Before it is sent back, with")
    print(indented("REAPER_MODE=delete, somebody renames an image: what changed stays."))
    next(image for image in cloud.images.values() if image.name == "nightly-1").name = "release-1"
    run(rehearsal.answer()["plan"], mode="delete")


def veto(cloud: FakeCloud) -> None:
    """Mark images, object to the deletion of one, and come back when their day has passed."""
    step("4. Veto", "A policy with grace marks first and deletes later.")
    print(indented(BUILDS))
    run(json.loads(BUILDS), mode="delete")
    image = next(image for image in cloud.images.values() if image.name == "ci-build-101")
    mark = next(tag for tag in image.tags if tag.startswith("reaper-delete-after="))
    print(indented("The owner of an image takes the mark off, and four days later:"))
    print(indented(f"$ openstack image unset --tag {mark} {image.name}"))
    image.tags.remove(mark)
    run(json.loads(BUILDS), mode="delete", now=TODAY + timedelta(days=4))


def run(
    request: dict[str, Any], decisions: list[Decision] | None = None, mode: str = "dry-run", now: datetime = TODAY
) -> Report:
    """Run the function as a shell does, and tell its outcomes, image by image in the order of their names."""
    os.environ["REAPER_MODE"] = mode
    seen: list[Decision] = [] if decisions is None else decisions
    with redirect_stdout(io.StringIO()):  # its log and its metrics
        report = process(request, ShellContext(60), load_settings(), aws, now, seen.append)
    for outcome in sorted(report.outcomes, key=lambda outcome: str(outcome.name)):
        why = ": ".join(part for part in (outcome.reason, outcome.detail) if part)
        print(f"   {paint(COLOURS[outcome.outcome], f'{outcome.outcome:<12}')} {outcome.name:<12} {why}".rstrip())
    return report


def step(title: str, text: str) -> None:
    """The start of a part of the story."""
    print(f"\n{paint(1, title)}  {text}")


def indented(text: str) -> str:
    """The lines of a text, set off from the story."""
    return "\n".join(f"   {line}" for line in text.splitlines())


def paint(colour: int, text: str) -> str:
    """The text in a colour, on a terminal."""
    return f"\033[{colour}m{text}\033[0m" if sys.stdout.isatty() else text


if __name__ == "__main__":
    sys.exit(main())
