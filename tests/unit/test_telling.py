"""What a run leaves behind: its files in the bucket, its journal among them, and one notice for people."""

import hashlib
import json
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlsplit

import pytest

from handler import app
from handler.clock import RESERVE, Deadline
from handler.compose.ending import LAST_WORDS, function_of
from handler.compose.telling import telling
from handler.compose.telling.gathering import PER_IMAGE, Gathered
from handler.compose.telling.telling import Means, _done_in_time
from handler.connections.fenced import FencedSession
from handler.errors import CloudError, DeadlineReached, ImagesFailed
from handler.report.files import folder_of
from handler.shell import command as shell
from handler.work.parallel import TELLING
from tests.aws import KEYS, REGION, Client, checks, keys_for, state_table
from tests.conftest import Context, Invocation, Invoke, load_event, queue
from tests.fakecloud import DEMO, FakeCloud, Server
from tests.fakecloud.faults import Fault
from tests.fakecloud.front import Front
from tests.faults import silent_port
from tests.unit.conftest import Reap, Relay
from tests.unit.test_fanout import queue as workers
from tests.unit.test_fanout import sqs
from tests.unit.test_notice_topic import Topic, topic
from tests.unit.test_objects import NAME, s3
from tests.unit.there import OBS, There, timer

__all__ = ["s3", "sqs", "topic", "workers"]

SWEEP = {"sweep": {"select": {"name": "ci-*"}, "limit_percent": 100}, "reason": "nightly"}
REHEARSAL = SWEEP | {"dry_run": True}
DENIED = Fault("PUT", status=403, body="<Error><Code>AccessDenied</Code></Error>", content_type="text/xml", times=None)


class Runs:
    """What lies in the bucket, by its name inside the folder of its run."""

    def __init__(self, s3: Client) -> None:
        self._s3 = s3

    @property
    def keys(self) -> list[str]:
        return [found["Key"] for found in self._s3.list_objects_v2(Bucket=NAME).get("Contents", ())]

    @property
    def names(self) -> list[str]:
        """The names of the files, without what the page says of its plan there."""
        return sorted(re.sub("^page-[0-9a-f]{8}", "page", key.rpartition("/")[2]) for key in self.keys)

    @property
    def folder(self) -> str:
        (folder,) = {key.rpartition("/")[0] for key in self.keys}
        return folder

    @property
    def page(self) -> str:
        """The key of the page."""
        (key,) = [key for key in self.keys if key.endswith(".html")]
        return key

    def read(self, start: str, end: str = "") -> bytes:
        """The one file whose name begins and ends so, or the page, whichever its plan is."""
        start, end = ("page", ".html") if start == "page.html" else (start, end)
        (key,) = [key for key in self.keys if (name := key.rpartition("/")[2]).startswith(start) and name.endswith(end)]
        body: bytes = self._s3.get_object(Bucket=NAME, Key=key)["Body"].read()
        return body

    def journal(self) -> list[str]:
        """The ids of the images that stand in all files of the journal."""
        keys = [key for key in self.keys if "/journal-" in key]
        bodies = [self._s3.get_object(Bucket=NAME, Key=key)["Body"].read() for key in keys]
        return sorted(json.loads(line)["image_id"] for body in bodies for line in body.splitlines())


@pytest.fixture
def runs(s3: Client) -> Runs:
    return Runs(s3)


@pytest.fixture
def reap(invoke: Invoke, relay: Relay, topic: Topic, s3: Client) -> Reap:  # noqa: ARG001 (the bucket)
    """Invoke the function, which keeps what it did, and tells people."""

    def run(event: object, *, seconds: float = 60.0, **settings: str) -> Invocation:
        given = {"AWS_ENDPOINT_URL": relay.url, "REAPER_REPORT_BUCKET": NAME, "REAPER_NOTICE_TOPIC": topic.arn}
        return invoke(event, seconds=seconds, **KEYS | given | {"REAPER_OWNER_KEY": "contact"} | settings)

    return run


SetUp = Callable[..., None]


@pytest.fixture
def set_up(clean_environment: pytest.MonkeyPatch, cloud: FakeCloud, server: Server, moto: str) -> SetUp:
    """Set the variables of a run that keeps what it did."""

    def set_once(**settings: str) -> None:
        given = KEYS | {"AWS_ENDPOINT_URL": moto, "REAPER_REPORT_BUCKET": NAME, "REAPER_MODE": "delete"} | settings
        for name, value in {**cloud.env(server.url), **given}.items():
            clean_environment.setenv(name, value)

    return set_once


def scheduled(request: object) -> dict[str, Any]:
    return load_event("schedule") | {"detail": request}


def notice(topic: Topic) -> dict[str, Any]:
    """The one notice that was published: its subject, its text and its attributes."""
    (found,) = topic.published()
    values = {name: value["Value"] for name, value in found.get("MessageAttributes", {}).items()}
    return {"subject": found["Subject"], "text": found["Message"], **values}


# The files


def test_a_rehearsed_sweep_leaves_report_plan_and_page(reap: Reap, cloud: FakeCloud, runs: Runs) -> None:
    image = cloud.add_image("ci-1")
    answer = reap(REHEARSAL).answer
    assert runs.folder == folder_of(DEMO, Context.aws_request_id, datetime.now(UTC)).rstrip("/")
    plan = runs.read("plan-", ".json")
    assert runs.names == ["page.html", f"plan-{hashlib.sha256(plan).hexdigest()}.json", "report.json"]
    assert json.loads(plan) == {"plans": [answer["plan"]]}
    assert json.loads(runs.read("report.json")) == answer
    assert image in runs.read("page.html").decode()
    assert cloud.dead == {}


def test_a_plan_ends_at_the_most_images_of_a_run_and_everybody_is_told(
    reap: Reap, cloud: FakeCloud, runs: Runs, topic: Topic
) -> None:
    for number in range(5):
        cloud.add_image(f"ci-{number}")
    answer = reap(REHEARSAL, REAPER_MAX_IMAGES="3").answer
    (plan,) = json.loads(runs.read("plan-", ".json"))["plans"]
    assert (len(plan["images"]), answer["counts"]) == (3, {"would_delete": 3, "failed": 2})
    why = "over_limit: REAPER_MAX_IMAGES is 3: no more than that in one invocation; raise it for more"
    told = notice(topic)["text"].splitlines()
    assert {"Images: 3 would be deleted (3,072 B), 2 held back by a cap.", f"Failed, {why}"} <= set(told)
    assert "over_limit 2" in runs.read("page.html").decode()


def test_an_armed_sweep_says_what_it_is_about_to_do_before_it_does_it(
    reap: Reap, cloud: FakeCloud, runs: Runs, relay: Relay
) -> None:
    image = cloud.add_image("ci-1")
    seen: list[tuple[str, dict[str, Any]]] = []
    relay.faults.add(Fault("PUT", "begun", status=None, then=lambda: seen.append((runs.names[0], dict(cloud.dead)))))
    reap(SWEEP)
    assert seen == [("begun.json", {})]
    assert list(cloud.dead) == [image]
    (told,) = json.loads(runs.read("begun.json"))["sweeps"]
    assert (told["reason"], told["looked_at"], told["selected"]) == ("nightly", 1, 1)
    assert told["images"] == [{"id": image, "name": "ci-1"}]
    assert [name.partition("-")[0] for name in runs.names] == ["begun.json", "journal", "page.html", "report.json"]


@pytest.mark.parametrize("grace", ["0d", "3d"])
def test_an_armed_sweep_that_can_store_nothing_changes_nothing(
    grace: str, reap: Reap, cloud: FakeCloud, relay: Relay
) -> None:
    image = cloud.add_image("ci-1")
    relay.faults.add(DENIED)
    run = reap({"sweep": {"select": {"name": "ci-*"}, "limit_percent": 100, "grace": grace}})
    assert run.outcomes == {image: ("failed", "unavailable")}
    assert (cloud.dead, cloud.images[image].tags) == ({}, [])
    (line,) = run.logged("report.not_stored")
    assert "AccessDenied" in line["problem"]


def test_a_sweep_that_can_store_nothing_takes_no_mark_off_and_leaves_nothing_to_workers(
    reap: Reap, cloud: FakeCloud, relay: Relay, workers: str, sqs: Client
) -> None:
    image = cloud.add_image("ci-1")
    relay.faults.add(DENIED)
    assert reap(SWEEP, REAPER_FANOUT_QUEUE_URL=workers).outcomes == {image: ("failed", "unavailable")}
    assert "Messages" not in sqs.receive_message(QueueUrl=workers)


@pytest.mark.parametrize("bucket", ["denied", "missing"])
def test_a_rehearsal_that_can_store_nothing_ends_with_a_warning(
    bucket: str, reap: Reap, cloud: FakeCloud, relay: Relay, topic: Topic
) -> None:
    cloud.add_image("ci-1")
    if bucket == "denied":
        relay.faults.add(DENIED)
    run = reap(REHEARSAL, **({"REAPER_REPORT_BUCKET": "nowhere"} if bucket == "missing" else {}))
    assert (run.answer["ok"], run.metric("ReportsNotStored")) == (True, 1)
    assert len(run.logged("report.not_stored")) == 1
    assert "could not be stored" in notice(topic)["text"]
    assert "approve" not in notice(topic)["text"]


def test_what_was_stored_is_in_the_log(reap: Reap, cloud: FakeCloud, runs: Runs) -> None:
    cloud.add_image("ci-1")
    run = reap(REHEARSAL)
    (line,) = run.logged("report.stored")
    assert sorted(line["prefix"] + name for name in line["files"]) == sorted(runs.keys)
    assert run.metric("ReportsNotStored") == 0


def test_a_run_that_deletes_by_ids_leaves_its_journal_alone(reap: Reap, cloud: FakeCloud, runs: Runs) -> None:
    images = sorted(cloud.add_image() for _ in range(3))
    run = reap({"image_ids": images})
    assert runs.journal() == images
    assert [name.partition("-")[0] for name in runs.names] == ["journal"]
    lines = [line for line in run.printed.splitlines() if "image.deleting" in line]
    assert sorted(runs.read("journal").decode().splitlines()) == sorted(lines)


def test_a_run_with_failures_leaves_report_and_page(reap: Reap, cloud: FakeCloud, runs: Runs) -> None:
    cloud.fault("GET", "/servers/detail", status=403, times=None)
    reap(queue({"image_ids": [cloud.add_image()]}))
    assert runs.names == ["page.html", "report.json"]


def test_a_run_with_nothing_to_say_leaves_and_says_nothing(
    reap: Reap, cloud: FakeCloud, runs: Runs, topic: Topic
) -> None:
    reap({"image_ids": [cloud.add_image(protected=True)]})
    assert (runs.keys, topic.published()) == ([], [])
    reap(SWEEP)
    assert (runs.names, topic.published()) == (["begun.json", "page.html", "report.json"], [])


def test_a_repetition_with_the_same_id_takes_nothing_of_the_journal_away(
    reap: Reap, cloud: FakeCloud, runs: Runs
) -> None:
    images = sorted(cloud.add_image() for _ in range(2))
    for image in images:
        reap({"image_ids": [image]})
    assert runs.journal() == images
    assert len({key.rpartition("/")[0] for key in runs.keys}) == 1


def test_several_sweeps_of_one_batch_leave_one_folder_and_one_notice(
    reap: Reap, cloud: FakeCloud, runs: Runs, topic: Topic
) -> None:
    cloud.add_image("ci-1")
    cloud.add_image("web-1")
    reap(queue(SWEEP, {"sweep": {"select": {"name": "web-*"}, "limit_percent": 100}}))
    assert len(json.loads(runs.read("begun.json"))["sweeps"]) == 2
    assert (len(runs.journal()), runs.folder) == (2, runs.folder)
    assert notice(topic)["subject"].startswith("image-reaper: 2 images were deleted ")


class Shrinking(Context):
    """A context whose time is up all at once, but for what is kept back."""

    def shrink(self) -> None:
        self._end = time.monotonic() + RESERVE + LAST_WORDS


def test_a_run_that_its_deadline_ends_leaves_its_journal(set_up: SetUp, cloud: FakeCloud, runs: Runs) -> None:
    images, context = [cloud.add_image(f"ci-{number}") for number in range(4)], Shrinking()
    cloud.fault("DELETE", "/images/", status=None, skip=1, then=context.shrink)
    set_up(REAPER_CONCURRENCY="1")
    report = app.lambda_handler(SWEEP, context)
    assert runs.journal() == sorted(cloud.dead)
    assert len(cloud.dead) == 2 < len(images)
    assert json.loads(runs.read("report.json")) == report


@pytest.mark.slow("waits until the time for the files is over")
def test_a_bucket_that_never_answers_costs_no_answer(invoke: Invoke, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1")
    with silent_port() as port:
        there = f"http://127.0.0.1:{port}"
        run = invoke(REHEARSAL, seconds=9.0, **KEYS, REAPER_REPORT_BUCKET=NAME, AWS_ENDPOINT_URL_S3=there)
    assert (run.answer["ok"], run.metric("ReportsNotStored")) == (True, 1)
    (line,) = run.logged("report.not_stored")
    assert line["files"] == []


def test_the_page_in_the_bucket_is_that_of_a_shell_but_for_how_its_plan_is_carried_out(
    set_up: SetUp, cloud: FakeCloud, runs: Runs, tmp_path: Path
) -> None:
    cloud.add_image("ci-1")
    cloud.add_image("prod-1")
    set_up(REAPER_STATE_TABLE="state", REAPER_MODE="dry-run")
    event, html = tmp_path / "sweep.json", tmp_path / "page.html"
    event.write_text(json.dumps(SWEEP))
    assert shell.main([str(event), "--html", str(html)]) == 0
    stored, written = runs.read("page.html").decode(), html.read_text(encoding="utf-8")
    before, box, after = stored.partition("<aside")[0], "<aside" in stored, stored.partition("</aside>\n")[2]
    assert (box, before + after) == (True, re.sub('<div class="advice">.*?</div>', "", written))
    assert "--apply" in written
    assert "image-reaper --approve" in stored
    assert "aws lambda" not in stored


# The notice


def test_a_rehearsal_is_told_with_what_approves_it(reap: Reap, cloud: FakeCloud, topic: Topic, runs: Runs) -> None:
    for number in range(3):
        cloud.add_image(f"ci-{number}", size=2**30, contact="alice@example.com" if number else None)
    run = reap(scheduled(REHEARSAL), AWS_LAMBDA_FUNCTION_NAME="reaper", REAPER_STATE_TABLE="")
    found = notice(topic)
    assert found["subject"] == f"image-reaper: 3 images would be deleted (3.0 GiB) in project {DEMO}"
    assert (found["kind"], found["project"], json.loads(found["family"])) == ("plan", DEMO, ["ci"])
    lines = found["text"].splitlines()
    assert "Owner alice@example.com: ci-1, ci-2" in lines
    assert "openstack image set --tag keep IMAGE" in lines
    assert f"https://{REGION}.console.aws.amazon.com/s3/object/{NAME}?region={REGION}&prefix={runs.page}" in lines
    assert f"aws s3 cp s3://{NAME}/{runs.page} . --region {REGION}" in lines
    assert len(run.logged("notice.sent")) == 1


def test_the_command_in_notice_and_page_is_an_approval_of_the_plan_that_lies_there(
    reap: Reap, cloud: FakeCloud, topic: Topic, runs: Runs, moto: str
) -> None:
    cloud.add_image("ci-1")
    with state_table("state", moto):
        reap(REHEARSAL, AWS_LAMBDA_FUNCTION_NAME="reaper", REAPER_STATE_TABLE="state")
    (command,) = [line for line in notice(topic)["text"].splitlines() if line.startswith("aws lambda invoke")]
    words = shlex.split(command)
    sent = json.loads(words[words.index("--payload") + 1])
    (key,) = [key for key in runs.keys if "/plan-" in key]
    assert sent == {"approve": {"plan": key, "sha256": hashlib.sha256(runs.read("plan-")).hexdigest()}}
    assert words[words.index("--function-name") + 1] == "reaper"
    assert words[-1] == "/dev/stdout"
    assert sent["approve"]["sha256"] in runs.read("page.html").decode()


class Aliased(Context):
    """A context of Lambda whose function was invoked by an alias."""

    invoked_function_arn = f"arn:aws:lambda:{REGION}:123456789012:function:reaper:live"


def test_the_command_calls_the_very_alias_that_made_the_plan(
    set_up: SetUp, cloud: FakeCloud, topic: Topic, runs: Runs
) -> None:
    cloud.add_image("ci-1")
    set_up(AWS_LAMBDA_FUNCTION_NAME="reaper", REAPER_STATE_TABLE="state", REAPER_NOTICE_TOPIC=topic.arn)
    assert app.lambda_handler(REHEARSAL, Aliased())["ok"]
    command = f"aws lambda invoke --function-name reaper:live --region {REGION} "
    assert command in notice(topic)["text"]
    assert command in runs.read("page.html").decode()


@pytest.mark.parametrize(
    ("name", "invoked", "called"),
    [
        ("reaper", ":live", "reaper:live"),
        ("reaper", ":7", "reaper:7"),
        ("reaper", "", "reaper"),
        ("reaper", None, "reaper"),
        ("", ":live", ""),
    ],
    ids=["an alias", "a version", "neither", "no ARN", "not on Lambda"],
)
def test_a_function_is_called_as_it_was_invoked(name: str, invoked: str | None, called: str) -> None:
    context = Context()
    if invoked is not None:
        vars(context)["invoked_function_arn"] = f"arn:aws-cn:lambda:cn-north-1:123456789012:function:reaper{invoked}"
    assert function_of(context, name) == called


def test_deletions_are_told_with_their_size(reap: Reap, cloud: FakeCloud, topic: Topic) -> None:
    cloud.add_image("ci-1", size=2**30)
    reap(SWEEP)
    found = notice(topic)
    assert (found["kind"], " was deleted (1.0 GiB) in " in found["subject"]) == ("deleted", True)
    assert "To keep" not in found["text"]


def test_marks_are_told_once_with_the_day_by_which_an_owner_may_object(
    reap: Reap, cloud: FakeCloud, topic: Topic
) -> None:
    image = cloud.add_image("ci-1", tags=["contact=bob"])
    graceful = SWEEP | {"sweep": {"select": {"name": "ci-*"}, "limit_percent": 100, "grace": "7d"}}
    reap(graceful)
    (mark,) = [tag for tag in cloud.images[image].tags if tag.startswith("reaper-delete-after=")]
    found = notice(topic)
    assert (found["kind"], mark.partition("=")[2] in found["subject"]) == ("marked", True)
    assert f"openstack image unset --tag {mark} IMAGE" in found["text"].splitlines()
    assert "Owner bob: ci-1" in found["text"].splitlines()
    reap(graceful)
    assert len(topic.published()) == 1


def test_a_cap_that_held_is_told_as_such(reap: Reap, cloud: FakeCloud, topic: Topic) -> None:
    for number in range(3):
        cloud.add_image(f"ci-{number}")
    reap(SWEEP | {"sweep": {"select": {"name": "ci-*"}, "limit": 2, "limit_percent": 100}})
    found = notice(topic)
    assert (found["kind"], "nothing was deleted" in found["subject"]) == ("held", True)
    assert "limit is 2" in found["text"]


def test_a_sweep_that_failed_is_told_with_its_reason(reap: Reap, cloud: FakeCloud, topic: Topic) -> None:
    cloud.fault("GET", "/v2/images", status=403, times=None)
    assert isinstance(reap(scheduled(SWEEP)).error, ImagesFailed)
    found = notice(topic)
    assert (found["kind"], "a sweep failed (denied) in " in found["subject"]) == ("failed", True)


def test_what_is_left_to_workers_is_told_by_the_sweep_and_not_by_them(
    reap: Reap, cloud: FakeCloud, topic: Topic, sqs: Client, runs: Runs
) -> None:
    image, workers = cloud.add_image("ci-1", contact="carol"), sqs.create_queue(QueueName="workers")["QueueUrl"]
    reap(SWEEP, REAPER_FANOUT_QUEUE_URL=workers)
    found = notice(topic)
    assert (found["kind"], "to be deleted" in found["subject"]) == ("deleted", True)
    assert "Owner carol: ci-1" in found["text"]
    (message,) = sqs.receive_message(QueueUrl=workers)["Messages"]
    sqs.delete_queue(QueueUrl=workers)
    reap(queue(message["Body"]))
    assert (list(cloud.dead), runs.journal(), len(topic.published())) == ([image], [image], 1)


def test_subscribers_get_the_kinds_that_they_filter_by(reap: Reap, cloud: FakeCloud, topic: Topic) -> None:
    topic.filter_by({"kind": ["deleted", "failed"]})
    cloud.add_image("ci-1")
    reap(REHEARSAL)
    assert topic.published() == []
    reap(SWEEP)
    assert notice(topic)["kind"] == "deleted"


def test_a_notice_that_can_not_be_sent_fails_nothing_and_is_counted(
    reap: Reap, cloud: FakeCloud, topic: Topic, runs: Runs
) -> None:
    image = cloud.add_image("ci-1")
    run = reap(SWEEP, REAPER_NOTICE_TOPIC=topic.arn + "-gone")
    assert run.outcomes == {image: ("deleted", "")}
    assert run.metric("NoticesNotSent") == 1
    assert len(run.logged("notice.not_sent")) == 1
    assert runs.journal() == [image]


def test_hostile_names_are_one_printable_line_everywhere(
    reap: Reap, cloud: FakeCloud, topic: Topic, runs: Runs
) -> None:
    evil = "ci-\u202e\n\x00<script>https://evil.example/?token=abc'\"$(id)\ud800"
    cloud.add_image(evil, contact="<b>\nCc: all@example.com")
    reap(REHEARSAL)
    found = notice(topic)
    assert found["subject"].isascii()
    assert "\n" not in found["subject"]
    assert not [line for line in found["text"].splitlines() if not line.isprintable() or line.startswith("Cc:")]
    assert "https://evil" not in found["text"]
    assert "abc" not in found["text"] + runs.read("page.html").decode() + runs.read("report.json").decode()
    assert "<script>https" not in runs.read("page.html").decode()


def test_the_function_needs_no_more_than_the_right_to_write_and_to_publish(
    reap: Reap, cloud: FakeCloud, moto: str, runs: Runs, topic: Topic
) -> None:
    keys = keys_for(moto, ("s3:PutObject", f"arn:aws:s3:::{NAME}/runs/*"), ("sns:Publish", "*"))
    cloud.add_image("ci-1")
    with checks(moto):
        run = reap(SWEEP, **keys.environment(), AWS_ENDPOINT_URL=moto)
    assert run.answer["ok"]
    assert len(runs.names) == 4
    assert notice(topic)["kind"] == "deleted"


def test_without_a_bucket_and_a_topic_nothing_is_kept_or_told(invoke: Invoke, cloud: FakeCloud, relay: Relay) -> None:
    cloud.add_image("ci-1")
    run = invoke(SWEEP, **KEYS, AWS_ENDPOINT_URL=relay.url)
    assert (len(cloud.dead), relay.calls) == (1, [])
    assert not run.logged("report.stored") + run.logged("report.not_stored")


# After the end


def test_what_is_late_sends_nothing_more_once_the_answer_was_given(server: Server, cloud: FakeCloud) -> None:
    thawed, over = Event(), Event()
    # The clock of a thawed environment may say anything.
    deadline = Deadline(lambda: 60.0 if thawed.is_set() else 1.05, reserve=1.0)
    errors, nobody = list[CloudError](), cast("Any", None)

    def late() -> None:
        thawed.wait(30)
        try:
            FencedSession().get(server.url, timeout=5)
        except CloudError as error:
            errors.append(error)
        over.set()

    problem = _done_in_time(late, deadline, nobody)
    thawed.set()
    assert over.wait(30)
    assert (problem, cloud.calls) == ("not done before the deadline of the invocation", [])
    assert [type(error) for error in errors] == [DeadlineReached]


def test_a_bug_in_what_is_told_costs_no_image_and_is_logged() -> None:
    bugs = list[BaseException]()
    reporter: Any = SimpleNamespace(bug=bugs.append)
    problem = _done_in_time(dict[str, str]().popitem, Deadline(lambda: 60.0), reporter)
    assert (problem, [type(bug) for bug in bugs]) == ("a bug in image-reaper: see the log", [KeyError])


def test_time_is_kept_back_for_each_image_and_all_of_it_is_left_for_the_files(
    monkeypatch: pytest.MonkeyPatch, reap: Reap, cloud: FakeCloud
) -> None:
    told = list[tuple[Gathered, Means]]()
    monkeypatch.setattr(telling, "tell", lambda _, gathered, means: told.append((gathered, means)))
    for number in range(3):
        cloud.add_image(f"ci-{number}")
    reap(REHEARSAL)
    ((gathered, means),) = told
    assert gathered.kept_back == pytest.approx(3 * PER_IMAGE)
    assert gathered.run.deadline.reserve == pytest.approx(3 * (TELLING + PER_IMAGE))
    ours = LAST_WORDS + gathered.run.deadline.reserve
    assert means.until_answer() - gathered.run.deadline.left() == pytest.approx(ours, abs=0.05)


def test_nothing_loads_what_only_a_bucket_a_topic_or_a_table_needs_before_there_is_one() -> None:
    late = ("page.page", "telling.telling", "report.notice", "reports.bucket", "reports.topic", "aws.state.uses.memory")
    script = f"import sys; from handler import app; print([name for name in sys.modules if name.endswith({late})])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)  # noqa: S603 (ours)
    assert done.stdout.strip() == "[]"


# FunctionGraph


@pytest.fixture
def on_functiongraph(invoke_there_with: Invoke, moto: str) -> Iterator[There]:
    """The function there; OBS is moto."""
    cloud, at = FakeCloud("otc"), urlsplit(moto)
    with Server(cloud) as server, Front(server, more={OBS: (str(at.hostname), at.port or 0)}) as front:
        yield There(invoke_there_with, front, cloud)


def test_on_functiongraph_the_plan_is_fetched_since_nothing_takes_an_approval(
    on_functiongraph: There, runs: Runs
) -> None:
    urn = on_functiongraph.cloud.add_topic("notices")
    on_functiongraph.cloud.add_image("ci-1")
    run = on_functiongraph(timer(REHEARSAL), REAPER_REPORT_BUCKET=NAME, REAPER_NOTICE_TOPIC=urn)
    assert run.answer["ok"]
    assert [name.partition("-")[0] for name in runs.names] == ["page.html", "plan", "report.json"]
    (sent,) = on_functiongraph.cloud.topics[urn]
    assert "1 image would be deleted (1,024 B) in " in sent["subject"]
    assert "Nothing here takes an approval. Fetch the plan" in sent["message"]
    assert not [told for told in (sent["message"], runs.read("page.html").decode()) if "--approve" in told]


def test_on_functiongraph_an_armed_sweep_that_can_store_nothing_changes_nothing(on_functiongraph: There) -> None:
    image = on_functiongraph.cloud.add_image("ci-1")
    run = on_functiongraph(SWEEP, REAPER_REPORT_BUCKET="nowhere")
    assert run.outcomes == {image: ("failed", "unavailable")}
    assert on_functiongraph.cloud.dead == {}
