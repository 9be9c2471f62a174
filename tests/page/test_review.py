"""The weekly review as people go through it: the notice, the page, and the command that both of them show.

The function runs behind Lambda's door, before the fake cloud and moto, which checks signatures and rights. The commands
are run in a shell, as they stand there; only `aws` is a stand-in.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shlex import quote
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

import pytest

from tests.aws import Client, checks, keys_for, state_table
from tests.conftest import load_event
from tests.fakecloud import FakeCloud, Server
from tests.page.aws_cli import invoked
from tests.page.browser import Browser
from tests.page.conftest import ROOT
from tests.page.test_page import GIB, NAMES, nothing_to_complain_about
from tests.unit.test_notice_topic import Topic, topic
from tests.unit.test_objects import NAME, s3

__all__ = ["nothing_to_complain_about", "s3", "topic"]

FUNCTION = "image-reaper-ScheduledFunction-x3kd93"
LIVE = f"{FUNCTION}:live"
WEEKLY = {
    "sweep": {"select": {"name": "ci-*", "older_than": "30d"}, "keep": {"newest": 3}, "limit_percent": 60},
    "dry_run": True,
    "reason": "weekly review",
}
RIGHTS = ("sns:Publish", "dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:UpdateItem")
FAMILIES = (("ci-runner", "ana@example.com", 9, 12), ("ci-gpu", "ben@example.com", 6, 31), ("ci-arm64", None, 5, 9))
"""Images that are built every second week: their family, their owner, how many there are, and the GiB of one."""
GOES = [
    *("ci-arm64-41", "ci-arm64-42", "ci-gpu-41", "ci-gpu-43"),
    *("ci-runner-41", "ci-runner-43", "ci-runner-44", "ci-runner-45", "ci-runner-46"),
]


def fill(cloud: FakeCloud, now: datetime) -> None:
    """A project as it may be: images of three families, of which one is in use and one is kept, and a few others."""
    for family, owner, number, size in FAMILIES:
        for at in range(number):
            day = now - timedelta(days=14 * (number - at) - 5, hours=3)
            add(cloud, f"{family}-{41 + at}", size * GIB + at * GIB // 8, day, **({"contact": owner} if owner else {}))
    for name, size in (("debian-12", 3), ("web-base", 6), ("db-base", 12)):
        add(cloud, name, size * GIB, now - timedelta(days=200))
    by_name(cloud, "ci-gpu-42").tags.append("keep")
    cloud.add_server("runner-7", image=by_name(cloud, "ci-runner-42").id)


def add(cloud: FakeCloud, name: str, size: int, born: datetime, **properties: Any) -> None:  # noqa: ANN401 (any property)
    image_id = str(uuid5(NAMESPACE_DNS, name))
    cloud.add_image(name, id=image_id, size=size, created_at=f"{born:%Y-%m-%dT%H:%M:%SZ}", **properties)


def by_name(cloud: FakeCloud, name: str) -> Any:  # noqa: ANN401 (the fake's record)
    (image,) = [image for image in cloud.images.values() if image.name == name]
    return image


class Desk:
    """Where somebody reviews: a function behind its alias, and a shell with the keys of a person."""

    def __init__(self, folder: Path, moto: str, variables: Mapping[str, str]) -> None:
        for name, module in (("aws", "-m tests.page.aws_cli"), ("image-reaper", "-m handler")):
            run = f'PYTHONPATH={quote(str(ROOT))} exec {quote(sys.executable)} {module} "$@"'
            (folder / name).write_text(f"#!/bin/sh\n{run}\n")
            (folder / name).chmod(0o755)
        self.folder, self._moto = folder, moto
        self.variables = {"PATH": f"{folder}:/usr/bin:/bin", **variables}
        (folder / LIVE).write_text(json.dumps(self.variables | {"AWS_LAMBDA_FUNCTION_NAME": FUNCTION}))

    def rehearse(self) -> None:
        """Let the schedule come."""
        with checks(self._moto):
            answer = invoked(LIVE, json.dumps(load_event("schedule") | {"detail": WEEKLY}), self.folder)
        assert json.loads(answer)["ok"]

    def run(self, command: str, **more: str) -> str:
        """Run a command in a shell, as it stands there; gives what it prints."""
        ours = {name: value for name, value in self.variables.items() if name.startswith(("AWS_", "PATH"))}
        environment = {**ours, "FUNCTIONS": str(self.folder), **more}
        with checks(self._moto):
            ended = subprocess.run(  # noqa: S602 (as it stands there)
                command, shell=True, cwd=self.folder, env=environment, stdout=subprocess.PIPE, check=True
            )
        return ended.stdout.decode()


@pytest.fixture
def desk(  # noqa: PLR0913, PLR0917 (all that plays a part)
    cloud: FakeCloud,
    server: Server,
    moto: str,
    topic: Topic,
    s3: Client,  # noqa: ARG001 (the bucket)
    tmp_path: Path,
) -> Iterator[Desk]:
    """A function that is armed, and whose keys are good for what it needs and no more."""
    fill(cloud, datetime.now(UTC))
    objects = f"arn:aws:s3:::{NAME}/runs/*"
    keys = keys_for(moto, ("s3:PutObject", objects), ("s3:GetObject", objects), *((right, "*") for right in RIGHTS))
    given = {"REAPER_MODE": "delete", "REAPER_OWNER_KEY": "contact", "AWS_ENDPOINT_URL": moto}
    given |= {"REAPER_REPORT_BUCKET": NAME, "REAPER_STATE_TABLE": "state", "REAPER_NOTICE_TOPIC": topic.arn}
    with state_table("state", moto):
        yield Desk(tmp_path, moto, {**cloud.env(server.url), **keys.environment(), **given})


@pytest.fixture
def reviewed(desk: Desk, topic: Topic, browser: Browser) -> Mapping[str, Any]:
    """The notice of a rehearsal, whose page lies before the browser."""
    desk.rehearse()
    (notice,) = topic.published()
    desk.run(shown("aws s3 cp", notice["Message"]))
    browser.open(next(desk.folder.glob("page-*.html")))
    return notice


def shown(start: str, text: str) -> str:
    """The line of a text that begins so."""
    (line,) = [line for line in text.splitlines() if line.startswith(start)]
    return line


def names(images: Mapping[str, Any]) -> list[str]:
    return sorted(image.name for image in images.values())


def kinds(topic: Topic) -> dict[str, str]:
    """The subject of each notice, by its kind; there are no two of one kind."""
    told = [(each["MessageAttributes"]["kind"]["Value"], each["Subject"]) for each in topic.published()]
    assert len(dict(told)) == len(told)
    return dict(told)


def test_what_was_told_and_shown_is_gone_after_the_command_that_both_show(
    desk: Desk, reviewed: Mapping[str, Any], cloud: FakeCloud, topic: Topic, browser: Browser
) -> None:
    before = names(cloud.images)
    assert reviewed["Subject"].startswith("image-reaper: 9 images would be deleted (142.1 GiB) in project ")
    assert browser.text("h1") == "9 of 23 images would be deleted, freeing 142.1 GiB; 2 refused"
    assert sorted(browser.texts(NAMES)) == GOES
    command = browser.text("#approval > pre code")
    assert command == shown("aws lambda invoke", reviewed["Message"])
    assert browser.text("#approval dd:last-of-type") in command
    assert (names(cloud.images), cloud.dead) == (before, {})

    answer = json.JSONDecoder().raw_decode(desk.run(command))[0]
    assert answer["counts"] == {"deleted": 9}
    assert (names(cloud.dead), names(cloud.images)) == (GOES, [name for name in before if name not in GOES])

    assert "the plan was carried out already" in desk.run(command)
    told = kinds(topic)
    assert sorted(told) == ["deleted", "plan"]
    assert told["deleted"].startswith("image-reaper: 9 images were deleted (142.1 GiB) in project ")


def test_what_somebody_keeps_between_notice_and_approval_stays(
    desk: Desk, reviewed: Mapping[str, Any], cloud: FakeCloud
) -> None:
    kept, renamed = by_name(cloud, "ci-arm64-41"), by_name(cloud, "ci-gpu-41")
    kept.tags.append("keep")
    renamed.name = "release-1"
    answer = json.JSONDecoder().raw_decode(desk.run(shown("aws lambda invoke", reviewed["Message"])))[0]
    found = {each["name"]: each["reason"] for each in answer["outcomes"] if each["outcome"] == "refused"}
    assert found == {"ci-arm64-41": "changed", "release-1": "changed"}
    assert names(cloud.dead) == [name for name in GOES if name not in {"ci-arm64-41", "ci-gpu-41"}]


@pytest.mark.usefixtures("reviewed")
def test_the_command_for_a_shell_does_the_same(desk: Desk, cloud: FakeCloud, topic: Topic, browser: Browser) -> None:
    browser.click("#approval summary")
    said = desk.run(browser.text("#approval details code"), **desk.variables)
    assert (said.splitlines()[-1], names(cloud.dead)) == ("delete: 9 deleted (142.1 GiB)", GOES)
    assert sorted(kinds(topic)) == ["deleted", "plan"]
