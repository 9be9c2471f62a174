"""The observer of the chaos: a right world breaks no promise, and each one that is broken is found."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from tests.chaos.history import EPOCH, Act, History, Image, Invocation, Message, Moment, Request, Use
from tests.chaos.observer.judging import Violation, judge, judge_world

Json = Any
OURS, THEIRS = "9c53a566cb3443ab910cf0daebca90c4", "cc2f34fa3bca4152a27a6f808cfd533d"
ID, OTHER = "6cad483b-e281-4985-a345-7afef1f3c501", "6cad483b-e281-4985-a345-7afef1f3c502"
IMAGES, SERVERS = "/image/v2/images", f"/compute/v2.1/{OURS}/servers/detail"
SOUND = Image(
    ID, "ci-1", OURS, "private", "active", protected=False, tags=("a",), size=1024,
    created_at="2031-01-01T00:00:00Z", updated_at="2031-01-01T00:00:00Z", checksum="c", properties={"os": "linux"},
    members={},
)  # fmt: skip
SWEEP = {"sweep": {"select": {"name": "ci-*"}, "limit_percent": 100}}
MARKED = {"sweep": {"select": {"name": "ci-*"}, "limit_percent": 100, "grace": "1d"}}
TABLE = {"REAPER_STATE_TABLE": "state"}
YESTERDAY, TOMORROW = (f"reaper-delete-after={EPOCH + timedelta(days=days):%Y-%m-%d}" for days in (-1, 1))


@dataclass
class Tale:
    """A world that is told step by step: what is asked of the cloud, and what is printed."""

    event: Json = field(default_factory=lambda: {"image_ids": [ID]})
    settings: dict[str, str] = field(default_factory=lambda: {"REAPER_MODE": "delete", "REAPER_CONCURRENCY": "1"})
    history: History = field(default_factory=lambda: History(OURS))
    now: float = 100.0
    printed: list[str] = field(default_factory=list)
    started: Invocation | None = None

    def moment(self) -> Moment:
        return self.history.moment(self.now)

    def image(self, image: Image = SOUND, **changes: Json) -> None:
        """Let an image be so from now on."""
        changed = image._replace(**changes)
        self.history.images.setdefault(changed.id, []).append((self.moment(), changed))

    def begin(self) -> None:
        number = len(self.history.invocations)
        messages = tuple(record["messageId"] for record in self.event.get("Records", ()))
        self.started = Invocation(number, 0, self.moment(), self.event, self.settings, messages)
        self.history.invocations.append(self.started)
        self.printed = []

    def ask(self, method: str, path: str, status: int = 200, **more: Json) -> Request:
        begun = self.moment()
        request = Request(
            len(self.history.requests), begun, begun, self.started.number if self.started else None, 0, method, path,
            "", b"", status, status, whole=True, printed=sum(map(len, self.printed)),
        )._replace(**more)  # fmt: skip
        if method == "DELETE" and request.status == 204 and path.startswith(f"{IMAGES}/") and path.count("/") == 4:
            self.image(self.history.images[path.rpartition("/")[2]][-1][1], alive=False)
        self.history.requests.append(request._replace(answered=self.moment()))
        return self.history.requests[-1]

    def say(self, message: str, **fields: Json) -> None:
        self.printed.append(json.dumps({"message": message, **fields}) + "\n")

    def journal(self, image: Image = SOUND) -> None:
        record = {**image.properties, **image._asdict()}
        self.say("image.deleting", image_id=image.id, image=record)

    def told(self, outcome: str, reason: str = "", image: str = ID, message: str = "") -> None:
        self.say(f"image.{outcome}", image_id=image, reason=reason, message_id=message, size=1024)

    def finish(self, answer: Json = None, **metrics: float) -> None:
        """Print the end as it should be, and answer."""
        assert self.started is not None
        lines = [json.loads(line) for line in self.printed]
        told = [line for line in lines if line["message"] != "image.deleting" and "image_id" in line]
        names = [line["message"].removeprefix("image.") for line in told]
        counts = {name: names.count(name) for name in dict.fromkeys(names)}
        self.say("run.finished", counts=counts)
        self.printed.append(json.dumps(_metrics(told, names) | metrics) + "\n")
        outcomes = [{**line, "outcome": name} for line, name in zip(told, names, strict=True)]
        report = {"ok": "failed" not in names, "counts": counts, "outcomes": outcomes}
        self.started.answer = report if answer is None else answer
        self.end()

    def end(self) -> None:
        assert self.started is not None
        self.started.ended, self.started.printed = self.moment(), "".join(self.printed)
        self.started = None

    def judge(self) -> list[Violation]:
        return judge(self.history, self.history.invocations[-1])

    def promises(self) -> set[str]:
        return {violation.promise for violation in [*self.judge(), *judge_world(self.history)]}


def _metrics(told: list[Json], names: list[str]) -> dict[str, Json]:
    values: dict[str, Json] = {}
    for line, name in zip(told, names, strict=True):
        metric = "Images" + name.title().replace("_", "")
        for key in (metric, f"{metric}_{line['reason']}") if line["reason"] else (metric,):
            values[key] = values.get(key, 0) + 1
    values["BytesReclaimed"] = names.count("deleted") * 1024
    return values | {"_aws": {"CloudWatchMetrics": [{"Metrics": [{"Name": name} for name in values]}]}}


Step = Callable[[Tale], None]


def void(_: object) -> None:
    """Do nothing."""


def asking(method: str, path: str, status: int = 200) -> Step:
    return lambda tale: void(tale.ask(method, path, status))


def telling(outcome: str, reason: str = "", message: str = "") -> Step:
    return lambda tale: tale.told(outcome, reason, message=message)


def imaging(**changes: Json) -> Step:
    return lambda tale: tale.image(**changes)


RIGHT: Mapping[str, Step] = {
    "image": lambda tale: tale.image(),
    "begin": lambda tale: tale.begin(),
    "list": void,
    "servers": asking("GET", SERVERS),
    "read": asking("GET", f"{IMAGES}/{ID}"),
    "journal": lambda tale: tale.journal(),
    "delete": asking("DELETE", f"{IMAGES}/{ID}", 204),
    "told": telling("deleted"),
    "finish": lambda tale: tale.finish(),
}
"""A right world with one deletion, step by step."""


def told(event: Json = None, settings: Json = None, **other: Step) -> Tale:
    """The right world, with other steps in the place of some. A name with `before_` stands before the step."""
    tale = Tale()
    tale.event = tale.event if event is None else event
    tale.settings |= settings or {}
    for name, step in RIGHT.items():
        for one in (other.get(f"before_{name}"), other.get(name, step)):
            if one:
                one(tale)
    return tale


def swept(policy: Json = SWEEP, **other: Step) -> Tale:
    """The same by a sweep."""
    steps = {"list": asking("GET", IMAGES)}
    return told(policy, **(steps | other))


def having(**changes: Json) -> dict[str, Step]:
    """Steps with an image that is otherwise."""
    return {
        "image": lambda tale: tale.image(**changes),
        "journal": lambda tale: tale.journal(SOUND._replace(**changes)),
    }


def queue(*bodies: Json, fifo: bool = False) -> Json:
    """An event of a queue."""
    arn = "arn:aws:sqs:eu-central-1:1:q" + (".fifo" if fifo else "")
    return {
        "Records": [
            {"messageId": f"m{number}", "eventSource": "aws:sqs", "eventSourceARN": arn, "body": json.dumps(body)}
            | ({"attributes": {"MessageGroupId": "g"}} if fifo else {})
            for number, body in enumerate(bodies)
        ]
    }


def answered(*returned: str) -> Step:
    return lambda tale: tale.finish({"batchItemFailures": [{"itemIdentifier": one} for one in returned]})


def test_a_right_world_breaks_no_promise() -> None:
    assert told().promises() == set()
    assert swept().promises() == set()
    assert swept(MARKED, **having(tags=(YESTERDAY,))).promises() == set()


# Each deletion


def test_a_deletion_that_follows_its_reading_too_late_is_found() -> None:
    assert told(before_delete=later(1.5)).promises() == {"read late"}
    assert told(before_delete=later(0.9)).promises() == set()


def later(seconds: float) -> Step:
    def step(tale: Tale) -> None:
        tale.now += seconds

    return step


def test_a_deletion_that_the_cloud_has_turned_down_was_wrong_all_the_same() -> None:
    turned_down: Mapping[str, Step] = {
        "delete": asking("DELETE", f"{IMAGES}/{ID}", 403),
        "told": telling("refused", "not_owner"),
    }
    assert told(**having(owner=THEIRS, visibility="public"), **turned_down).promises() == {"not_owner", "public"}


def operating(what: str, seconds: float = 0.0) -> Step:
    """An operator does something, and some time passes."""

    def step(tale: Tale) -> None:
        tale.history.acts.append(Act(tale.moment(), "operator", what))
        tale.now += seconds

    return step


def test_a_deletion_five_seconds_after_an_operator_has_stopped_them_is_found() -> None:
    assert told(settings=TABLE, before_servers=operating("stop", 5.1)).promises() == {"stop"}
    assert told(settings=TABLE, before_servers=operating("stop", 4.9)).promises() == set()
    assert told(before_servers=operating("stop", 5.1)).promises() == set()
    assert told(settings=TABLE, before_begin=operating("stop", 9), before_list=operating("go")).promises() == set()


def test_a_run_that_begins_although_an_operator_has_stopped_deletions_is_found() -> None:
    assert told(settings=TABLE, before_begin=operating("stop")).promises() == {"stop"}
    assert told(before_begin=operating("stop")).promises() == set()


def rivalling(*requests: tuple[str, str, bytes], event: Json = SWEEP) -> Step:
    """Another invocation begins, and asks for this; then the one before goes on."""

    def step(tale: Tale) -> None:
        ours, printed = tale.started, tale.printed
        began_with, tale.event = tale.event, event
        tale.begin()
        for method, path, body in requests:
            tale.ask(method, path, body=body)
        tale.end()
        tale.started, tale.printed, tale.event = ours, printed, began_with

    return step


def test_changes_of_two_sweeps_that_are_mixed_are_found() -> None:
    first = asking("PUT", f"{IMAGES}/{ID}/tags/x", 204)

    def is_found(other: Step, settings: Json = TABLE) -> bool:
        tale = told(SWEEP, settings, list=asking("GET", IMAGES), before_servers=first, before_delete=other)
        return "lease" in {one.promise for one in judge(tale.history, tale.history.invocations[0])}

    change = ("PUT", f"{IMAGES}/{OTHER}/tags/x", b"")
    assert is_found(rivalling(change))
    assert not is_found(rivalling(("GET", IMAGES, b"")))
    assert not is_found(rivalling(change, event={"image_ids": [OTHER]}))
    assert not is_found(rivalling(change, event=SWEEP | {"dry_run": True}))
    assert not is_found(rivalling(change), settings={})


def test_a_failure_as_busy_is_found_unless_another_sweep_has_the_lease() -> None:
    steps: Mapping[str, Step] = {**dict.fromkeys(("journal", "delete"), void), "told": telling("failed", "busy")}

    def is_found(other: Step) -> bool:
        tale = told(SWEEP, TABLE, list=asking("GET", IMAGES), before_servers=other, **steps)
        return "outcome" in {one.promise for one in judge(tale.history, tale.history.invocations[0])}

    assert is_found(void)
    assert is_found(rivalling(("POST", "/aws", b'"event/1"')))
    assert not is_found(rivalling(("POST", "/aws", b'"lease/1"')))


def test_a_failure_as_paused_is_found_unless_an_operator_has_stopped_deletions() -> None:
    steps: Mapping[str, Step] = {**dict.fromkeys(("journal", "delete"), void), "told": telling("failed", "paused")}
    assert told(settings=TABLE, **steps).promises() == {"outcome"}
    assert told(settings=TABLE, before_servers=operating("stop"), **steps).promises() == set()
    assert told(settings=TABLE, before_image=operating("stop"), before_begin=operating("go"), **steps).promises() == {
        "outcome"
    }


def test_a_second_deletion_without_a_second_reading_is_found() -> None:
    lost = asking("DELETE", f"{IMAGES}/{ID}", 503)
    assert told(before_delete=lost).promises() == {"read late"}


def test_an_image_that_was_kept_before_it_was_read_is_found() -> None:
    kept = imaging(tags=("a", "Keep_Until: 2031-05-17"))
    assert told(
        before_read=kept, journal=lambda tale: tale.journal(SOUND._replace(tags=tale_tags(tale)))
    ).promises() == {"kept"}
    assert told(before_journal=kept).promises() == set()


def tale_tags(tale: Tale) -> tuple[str, ...]:
    return tale.history.images[ID][-1][1].tags


@pytest.mark.parametrize(
    ("changes", "promise"),
    [
        ({"owner": THEIRS}, "not_owner"),
        ({"protected": True}, "protected"),
        ({"visibility": "public"}, "public"),
        ({"status": "saving"}, "not_ready"),
        ({"properties": {"os_glance_import_task": "x"}}, "not_ready"),
        ({"tags": ("keep.x",)}, "kept"),
        ({"properties": {"KEEP": "x"}}, "kept"),
    ],
)
def test_an_image_whose_record_should_have_kept_it_is_found(changes: Json, promise: str) -> None:
    assert promise in told(**having(**changes)).promises()


@pytest.mark.parametrize(
    ("settings", "promise"),
    [
        ({"REAPER_REQUIRE_TAG": "ci=yes"}, "not_allowed"),
        ({"REAPER_ALLOW_NAMES": "web-*,ci-2"}, "not_allowed"),
        ({"REAPER_MIN_AGE": "52w"}, "too_young"),
        ({"REAPER_MAX_IMAGES": "0"}, "cap"),
        ({"REAPER_BUDGET": "0/1d"}, "budget"),
        ({"REAPER_MODE": "dry-run"}, "rehearsal"),
        ({"REAPER_IMAGE_API": "ecs-v2"}, "address"),
    ],
)
def test_a_deletion_that_the_settings_forbid_is_found(settings: dict[str, str], promise: str) -> None:
    assert promise in told(settings=settings).promises()


@pytest.mark.parametrize(
    ("event", "promise"),
    [
        ({"images": [{"id": ID, "expect": {"name": "ci-2"}}]}, "changed"),
        ({"image_ids": [ID], "not_after": "2031-05-17T12:00:00Z"}, "expired"),
        ({"image_ids": [ID], "dry_run": True}, "rehearsal"),
        ({"image_ids": [ID.upper()]}, "named"),
    ],
)
def test_a_deletion_that_the_request_does_not_ask_for_is_found(event: Json, promise: str) -> None:
    assert promise in told(event).promises()


def used(kind: str = "server", image: str = ID, seconds: float = 0.0) -> Step:
    def step(tale: Tale) -> None:
        tale.history.uses[kind, "s"] = [(tale.moment(), Use(kind, "s", OURS, image.upper()))]
        tale.now += seconds

    return step


def test_a_used_image_is_found_if_the_use_could_be_known() -> None:
    assert told(before_servers=used()).promises() == {"in use"}
    assert told(before_read=used()).promises() == set()
    assert told(before_read=used(seconds=5.5)).promises() == {"in use"}


def test_volumes_count_where_the_settings_name_them() -> None:
    also = {"REAPER_IN_USE_ALSO": "volumes"}
    assert told(before_servers=used("volume")).promises() == set()
    assert told(settings=also, before_servers=used("volume")).promises() == {"in use"}


def test_a_kernel_of_an_image_in_use_is_found() -> None:
    def booted(tale: Tale) -> None:
        tale.image(id=OTHER, properties={"kernel_id": ID})
        used(image=OTHER)(tale)

    assert told(before_begin=booted).promises() == {"in use"}


def test_nobody_having_asked_for_the_servers_is_found() -> None:
    assert told(servers=void).promises() == {"in use"}


def test_a_shared_image_is_found() -> None:
    members = asking("GET", f"{IMAGES}/{ID}/members")
    shared = having(visibility="shared", members={THEIRS: "pending"})
    assert told(**shared, before_read=members).promises() == {"shared"}
    assert told(**having(visibility="shared", members={THEIRS: "rejected"})).promises() == {"shared"}
    assert told(settings={"REAPER_ALLOW_SHARED": "true"}, **shared).promises() == set()


def test_a_journal_that_is_late_or_untrue_is_found() -> None:
    late: Mapping[str, Step] = {"journal": void, "before_told": lambda tale: tale.journal()}
    assert told(**late).promises() == {"journal late"}
    assert told(journal=lambda tale: tale.journal(SOUND._replace(tags=()))).promises() == {"journal"}


# Sweeps


@pytest.mark.parametrize(
    ("fields", "promise"),
    [
        ({"select": {"name": "web-*"}}, "selected"),
        ({"select": {"older_than": "999w"}}, "selected"),
        ({"keep": {"newest": 1}}, "selected"),
        ({"limit": 0}, "limit"),
        ({"limit_percent": 99}, "limit"),
        ({"grace": "1d"}, "unmarked"),
    ],
)
def test_a_sweep_that_deletes_more_than_its_policy_says_is_found(fields: Json, promise: str) -> None:
    assert promise in swept({"sweep": SWEEP["sweep"] | fields}).promises()


def test_a_newer_image_lets_the_older_one_go() -> None:
    def newer(tale: Tale) -> None:
        tale.image()
        tale.image(id=OTHER, name="ci-2", created_at="2031-02-01T00:00:00Z")

    kept = {"sweep": {"select": {"name": "ci-1"}, "keep": {"newest": 1}, "limit_percent": 100}}
    assert swept(kept, image=newer).promises() == set()
    assert swept(kept, **having(status="deactivated")).promises() == set()


def test_a_day_that_has_not_passed_holds_back_every_sweep() -> None:
    for policy in (SWEEP, MARKED):
        assert "grace" in swept(policy, **having(tags=(YESTERDAY, TOMORROW))).promises()
        assert "veto" in swept(policy, **having(tags=("reaper-sweep=0123abcd-2031-05-01",))).promises()


def test_a_veto_that_was_forgotten_is_found() -> None:
    def act(what: str) -> Step:
        return lambda tale: tale.history.acts.append(Act(tale.moment(), "owner", what, ID))

    def both(tale: Tale) -> None:
        act("veto")(tale)
        act("unveto")(tale)

    assert swept(before_begin=act("veto")).promises() == {"veto"}
    assert swept(before_begin=both).promises() == set()


def test_a_mark_of_another_policy_gives_no_leave() -> None:
    def signed_by_another(tale: Tale) -> None:
        tale.event = {"sweep": MARKED["sweep"] | {"select": {"name": "*"}}}
        tale.begin()
        tale.ask("PUT", f"{IMAGES}/{ID}/tags/reaper-sweep=0123abcd-2031-05-16", 204)
        tale.end()
        tale.judge()
        tale.event = MARKED

    tags = having(tags=(YESTERDAY, "reaper-sweep=0123abcd-2031-05-16"))
    assert "foreign mark" in swept(MARKED, **tags, before_begin=signed_by_another).promises()


# Other changes


def changed(method: str, path: str, policy: Json = MARKED) -> set[str]:
    """What is found where a sweep asks for another change and then ends, with everything told."""
    tags = having(tags=(YESTERDAY, "reaper-sweep=0123abcd-2031-05-16"))
    change = asking(method, f"{IMAGES}/{ID}{path}", 204)
    rest: dict[str, Step] = dict.fromkeys(("delete",), void)
    return swept(policy, **(tags | rest), before_read=change, told=telling("marked")).promises()


def test_changes_that_no_event_allows_are_found() -> None:
    assert changed("PUT", f"/tags/{TOMORROW[:-10]}2031-05-18") == set()
    assert changed("PUT", "/tags/other") == {"change"}
    assert changed("PATCH", "") == {"change"}
    assert changed("PUT", "/tags/reaper-sweep=1", SWEEP) == {"change"}
    assert changed("PUT", "/tags/reaper-delete-after=2031-05-17") == {"grace"}
    assert changed("PUT", "/tags/reaper-draft-1=2031-05-17-2031-05-17") == {"grace"}
    assert changed("PUT", "/tags/reaper-draft-1=0000-00-00-2031-05-17") == set()


def test_a_mark_over_a_cap_is_found() -> None:
    begins = asking("PUT", f"{IMAGES}/{ID}/tags/reaper-draft-1=2031-05-18-2031-05-17", 204)
    policy = {"sweep": MARKED["sweep"] | {"limit": 0}}
    rest: Mapping[str, Step] = {**dict.fromkeys(("journal", "delete"), void), "told": telling("marked")}
    assert "limit" in swept(policy, **rest, before_told=begins).promises()
    assert "limit" not in swept(MARKED, **rest, before_told=begins).promises()


def test_a_change_of_an_image_of_another_project_is_found() -> None:
    tag = asking("PUT", f"{IMAGES}/{OTHER}/tags/reaper-draft-1=2031-05-18-2031-05-17", 204)
    theirs = imaging(id=OTHER, owner=THEIRS)
    steps = having(tags=(YESTERDAY,)) | {"before_begin": theirs, "before_servers": tag}
    assert "others" in swept(MARKED, **steps).promises()


def test_a_veto_that_the_program_has_made_is_found() -> None:
    signature = "reaper-sweep=0123abcd-2031-05-16"

    def takes_the_mark_off(tale: Tale) -> None:
        request = tale.ask("DELETE", f"{IMAGES}/{ID}/tags/{YESTERDAY}", 204)
        tale.image(tags=(signature,))
        tale.history.requests[-1] = request._replace(answered=tale.moment())

    rest: dict[str, Step] = {"delete": void, "told": telling("marked")}
    tale = swept(MARKED, **(having(tags=(YESTERDAY, signature)) | rest), before_read=takes_the_mark_off)
    assert tale.promises() == {"made a veto"}


def test_what_leaves_after_the_end_is_found() -> None:
    tale, late = told(), told()
    tale.ask("GET", IMAGES)
    assert tale.promises() == {"after the end"}
    assert late.judge() == []
    late.ask("GET", IMAGES, invocation=0)
    assert [violation.promise for violation in judge_world(late.history)] == ["after the end"]


# Messages


def test_a_message_that_is_done_too_early_is_found() -> None:
    stays: Mapping[str, Step] = dict.fromkeys(("journal", "delete", "told"), void)
    event = queue({"image_ids": [ID]})
    assert told(event, **stays, finish=answered()).promises() == {"acknowledged early", "telling"}
    failed: Mapping[str, Step] = {**stays, "read": void, "told": telling("failed", "over_limit", message="m0")}
    none = {"REAPER_MAX_IMAGES": "0"}
    assert told(event, none, **failed, finish=answered("m0")).promises() == set()
    assert told(event, none, **failed, finish=answered()).promises() == {"acknowledged early"}


def test_a_message_that_comes_back_for_nothing_is_found() -> None:
    steps: Mapping[str, Step] = {"told": telling("deleted", message="m0")}
    assert told(queue({"image_ids": [ID]}), **steps, finish=answered("m0")).promises() == {"returned for nothing"}
    assert told(queue({"image_ids": [ID]}), **steps, finish=answered("m1")).promises() == {"batch"}


def test_a_message_that_cannot_be_read_is_never_done() -> None:
    steps: Mapping[str, Step] = {"told": telling("deleted", message="m0")}
    assert told(queue({"image_ids": [ID]}, {"dryrun": True}), **steps, finish=answered()).promises() == {
        "unreadable done"
    }


def test_a_group_that_goes_on_after_a_failure_is_found() -> None:
    steps: Mapping[str, Step] = {"told": telling("deleted", message="m1")}
    event = queue({"dryrun": True}, {"image_ids": [ID]}, fifo=True)
    assert told(event, **steps, finish=answered("m0")).promises() == {"order"}


OTHERS = [f"6cad483b-e281-4985-a345-7afef1f3c5{number}" for number in range(10, 13)]
ALIVE: Mapping[str, Step] = dict.fromkeys(("read", "journal", "delete"), void)


def without_turn(images: list[str], message: str) -> Step:
    def tell(tale: Tale) -> None:
        for image_id in images:
            tale.told("failed", "over_limit", image_id, message)

    return tell


def test_a_message_that_gets_no_turn_although_there_is_room_is_found() -> None:
    event = queue({"image_ids": OTHERS})
    over = {**ALIVE, "told": without_turn(OTHERS, "m0"), "finish": answered("m0")}
    assert told(event, {"REAPER_MAX_IMAGES": "3"}, **over).promises() == {"starved"}
    assert told(event, {"REAPER_MAX_IMAGES": "2"}, **over).promises() == set()


def test_an_image_that_its_delete_found_gone_has_cost_a_deletion() -> None:
    def gone(tale: Tale) -> None:
        tale.image(alive=False)
        tale.ask("DELETE", f"{IMAGES}/{ID}", 404)
        tale.ask("GET", f"{IMAGES}/{ID}", 404)

    event, over = queue({"image_ids": [ID]}, {"image_ids": OTHERS[:2]}), without_turn(OTHERS[:2], "m1")
    steps = {"delete": gone, "told": telling("already_gone", message="m0"), "before_finish": over}
    assert told(event, {"REAPER_MAX_IMAGES": "2"}, **steps, finish=answered("m1")).promises() == set()
    assert told(event, {"REAPER_MAX_IMAGES": "3"}, **steps, finish=answered("m1")).promises() == {"starved"}


def test_a_larger_message_that_goes_first_is_found() -> None:
    event, tale = queue({"image_ids": OTHERS[:1]}, {"image_ids": [ID, OTHER]}), telling("deleted", message="m1")
    steps = {"before_told": without_turn(OTHERS[:1], "m0"), "told": tale, "finish": answered("m0", "m1")}
    assert told(event, {"REAPER_MAX_IMAGES": "2"}, **steps).promises() >= {"starved"}


def test_an_image_that_is_read_without_a_turn_is_found() -> None:
    steps = {**ALIVE, "read": asking("GET", f"{IMAGES}/{ID}"), "told": without_turn([ID], "m0")}
    tale = told(queue({"image_ids": [ID]}), {"REAPER_MAX_IMAGES": "1"}, **steps, finish=answered("m0"))
    assert tale.promises() == {"starved", "touched"}


def test_an_image_of_a_server_is_read_without_a_turn() -> None:
    def read(tale: Tale) -> None:
        use = Use("server", "s1", OURS, ID)
        tale.history.uses["server", "s1"] = [(Moment(0, 0), use)]
        tale.ask("GET", f"{IMAGES}/{ID}")

    steps = {**ALIVE, "read": read, "told": without_turn([ID], "m0")}
    tale = told(queue({"image_ids": [ID]}), {"REAPER_MAX_IMAGES": "1"}, **steps, finish=answered("m0"))
    assert tale.promises() == {"starved"}


def hiding(seconds: int, *handles: str) -> Step:
    entries = [{"Id": "0", "ReceiptHandle": handle, "VisibilityTimeout": seconds} for handle in handles]
    return lambda tale: void(tale.ask("POST", "/aws/", body=json.dumps({"QueueUrl": "q", "Entries": entries}).encode()))


def postponed(reason: str, hide: Step, *returned: str, told_of: Json = None) -> set[str]:
    """What is found where a message failed for a reason, and was put off so."""
    event = queue({"image_ids": [ID]})
    event["Records"][0]["receiptHandle"] = "h0"
    lines = [{"message_id": "m0", "seconds": told_of}] if told_of is not None else []
    steps: Mapping[str, Step] = {
        **ALIVE,
        "told": telling("failed", reason, message="m0") if reason else telling("refused", "kept", message="m0"),
        "before_finish": lambda tale: tale.say("messages.put_off", messages=lines) if lines else None,
        "finish": answered(*returned),
    }
    return told(event, **steps, before_told=hide).promises() - {"outcome"}


def test_a_message_that_is_put_off_wrongly_is_found() -> None:
    assert postponed("throttled", hiding(300, "h0"), "m0", told_of=300) == set()
    assert postponed("throttled", hiding(150, "h0"), "m0", told_of=300) == set()
    assert postponed("throttled", hiding(300, "h0"), "m0", told_of=900) == {"put off"}
    assert postponed("throttled", hiding(41_401, "h0"), "m0") == {"put off"}
    assert postponed("throttled", void, "m0") == {"not put off"}
    assert postponed("denied", hiding(300, "h0"), "m0") == {"put off for nothing"}
    assert postponed("", hiding(300, "h0")) >= {"put off"}


@pytest.mark.parametrize(
    "fields", [{"done": True}, {"dead": True, "kept_body": "{"}, {"dead": True, "done": True, "kept_body": "{}"}]
)
def test_a_message_that_was_lost_is_found(fields: Json) -> None:
    tale = told()
    tale.history.messages["m0"] = replace(Message("m0", "{}", Moment(0, 0)), **fields)
    assert "lost" in tale.promises()


# Telling


@pytest.mark.parametrize("outcome", ["already_gone", "would_delete", "marked", "failed", "refused"])
def test_an_outcome_that_was_never_true_is_found(outcome: str) -> None:
    assert told(told=telling(outcome, "kept" if outcome == "refused" else "")).promises() & {
        "outcome", "telling",
    }  # fmt: skip


def test_an_image_without_an_outcome_or_with_two_is_found() -> None:
    def twice(tale: Tale) -> None:
        tale.told("deleted")
        tale.told("deleted")

    assert "telling" in told(told=void).promises()
    assert "telling" in told(told=twice).promises()


def test_a_failure_without_any_trouble_is_found() -> None:
    steps: Mapping[str, Step] = {**dict.fromkeys(("journal", "delete"), void), "told": telling("failed", "unavailable")}
    assert told(**steps).promises() == {"outcome"}
    assert told(**steps, before_read=later(1)).promises() == set()


def test_what_is_given_up_as_throttled_while_there_is_time_is_found() -> None:
    def throttled(seconds: float, reads: int = 1) -> set[str]:
        gives_up = telling("failed", "throttled")
        steps: Mapping[str, Step] = {**dict.fromkeys(("journal", "delete"), void), "told": gives_up}

        def read(tale: Tale) -> None:
            tale.ask("GET", f"{IMAGES}/{ID}", 429)
            for _ in range(reads):
                tale.ask("GET", f"{IMAGES}/{ID}")

        return told(**steps, read=read, before_read=later(seconds)).promises()

    assert throttled(5) == {"outcome"}
    assert throttled(35) == set()
    assert throttled(5, reads=6) == set()


def test_a_plan_that_is_not_true_is_found() -> None:
    def planning(**expect: Json) -> set[str]:
        return rehearsed(plan={"images": [{"id": ID, "expect": expect}]})

    assert planning(name="ci-1", tags=["a"]) == set()
    assert planning(name="ci-2") == {"plan"}


def test_a_plan_that_leaves_something_out_is_found() -> None:
    named = {"images": [{"id": ID, "expect": {"name": "ci-1"}}]}
    assert rehearsed(plans=[named, named]) == set()
    assert rehearsed() == {"plan"}


def rehearsed(**plans: Json) -> set[str]:
    """What is found where a rehearsal has these plans."""
    steps: Mapping[str, Step] = {**dict.fromkeys(("journal", "delete"), void), "told": telling("would_delete")}
    report = {"ok": True, "counts": {"would_delete": 1}, **plans}
    report |= {"outcomes": [{"image_id": ID, "outcome": "would_delete", "reason": ""}]}
    return told(settings={"REAPER_MODE": ""}, **steps, finish=lambda tale: tale.finish(report)).promises()


def test_metrics_and_reports_that_count_otherwise_are_found() -> None:
    wrong = {"ok": False, "counts": {"deleted": 1}, "outcomes": []}
    assert told(finish=lambda tale: tale.finish(ImagesDeleted=2)).promises() == {"metrics"}
    assert told(finish=lambda tale: tale.finish(BytesReclaimed=1)).promises() == {"metrics"}
    assert told(finish=lambda tale: tale.finish(wrong)).promises() == {"report"}


def test_a_bug_is_found() -> None:
    def raises(tale: Tale) -> None:
        tale.finish()
        tale.history.invocations[-1].error = "KeyError: 'x'"

    assert told(finish=raises).promises() == {"bug"}
    assert told(before_told=lambda tale: tale.say("run.fault")).promises() == {"bug"}


def test_a_request_that_is_turned_down_for_nothing_is_found() -> None:
    tale = Tale()
    tale.begin()
    tale.end()
    tale.history.invocations[-1].error = "InvalidRequest: image_ids[0]: must be a UUID"
    assert tale.promises() == {"turned down"}


@pytest.mark.parametrize("secret", ["gAAAAABtokenOfTheCloud-0123", 'pa"ss w0rd', "short"])
def test_a_secret_that_got_out_is_found(secret: str) -> None:
    def printing(text: str) -> Tale:
        tale = told(before_told=lambda tale: tale.say("request.rejected", problem=f"x{text}y"))
        tale.history.secrets |= {secret}
        return tale

    assert "secret" in printing(secret).promises()
    assert "secret" not in printing(secret[:-1]).promises()
