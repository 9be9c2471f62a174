"""The observer on plans that are approved, and on what a run leaves in the bucket."""

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest

from tests.chaos.history import EPOCH
from tests.unit.test_observer import (
    ID,
    MARKED,
    OTHER,
    OURS,
    SWEEP,
    YESTERDAY,
    Step,
    Tale,
    answered,
    having,
    queue,
    telling,
    told,
    void,
)
from tests.unit.test_observer import swept as swept_without

Json = Any
SETTINGS = {"REAPER_STATE_TABLE": "state", "REAPER_REPORT_BUCKET": "chaos-reports", "REAPER_NOTICE_TOPIC": "notices"}
FOLDER = f"runs/2031-05-17/{OURS}/r-1/"


def plan_of(*images: str, good_for: float = 1.0, project: str = OURS) -> bytes:
    end = f"{EPOCH + timedelta(days=good_for):%Y-%m-%dT%H:%M:%S+00:00}"
    asked = {"project_id": project, "not_after": end, "images": [{"id": one, "expect": {}} for one in images]}
    return json.dumps({"plans": [asked]}).encode()


def key_of(content: bytes) -> str:
    return f"{FOLDER}plan-{hashlib.sha256(content).hexdigest()}.json"


def approval(content: bytes, **more: Json) -> Json:
    return {"approve": {"plan": key_of(content), "sha256": hashlib.sha256(content).hexdigest()}, **more}


PLAN = plan_of(ID)


def storing(name: str, body: bytes = b"", status: int = 200) -> Step:
    return lambda tale: void(tale.ask("PUT", f"/aws/chaos-reports/{FOLDER}{name}", status, body=body))


def journaling(tale: Tale) -> None:
    """Leave in the bucket what the log says."""
    lines = [line for line in tale.printed if "image.deleting" in line]
    storing("journal-0.jsonl", "".join(lines).encode())(tale)


def together(*steps: Step) -> Step:
    def step(tale: Tale) -> None:
        for one in steps:
            one(tale)

    return step


def notifying(tale: Tale) -> None:
    tale.ask("POST", "/aws", body=b"Action=Publish&x=y")


def saying(message: str, **fields: Json) -> Step:
    return lambda tale: tale.say(message, problem="no", **fields)


LEFT = together(journaling, storing("report.json"), storing("page.html"), notifying)
"""What a sweep leaves."""


def holding(content: bytes | None, key: str = key_of(PLAN)) -> Step:
    """Let the bucket hold an object."""

    def step(tale: Tale) -> None:
        tale.history.objects.setdefault(key, []).append((tale.moment(), content))

    return step


def claiming(content: bytes = PLAN) -> Step:
    body = json.dumps({"Key": {"id": {"S": f"plan/{hashlib.sha256(content).hexdigest()}"}}}).encode()
    return lambda tale: void(tale.ask("POST", "/aws", body=body))


def approved(event: Json = None, content: Json = PLAN, settings: Json = None, **steps: Step) -> Tale:
    """The right world, in which a stored plan is approved."""
    right = {"before_begin": holding(content, key_of(content)), "before_servers": claiming(content)}
    told_by = {"before_finish": together(journaling, storing("report.json"))}
    return told(event or approval(content), settings or SETTINGS, **(right | told_by | steps))


def swept(policy: Json = SWEEP, **steps: Step) -> Tale:
    def begun(tale: Tale) -> None:
        storing("begun.json", ID.encode())(tale)

    def with_settings(tale: Tale) -> None:
        tale.settings |= {name: SETTINGS[name] for name in ("REAPER_REPORT_BUCKET", "REAPER_NOTICE_TOPIC")}

    right: dict[str, Step] = {"before_image": with_settings, "before_servers": begun, "before_finish": LEFT}
    return swept_without(policy, **(right | steps))


def test_a_right_world_breaks_no_promise() -> None:
    assert approved().promises() == set()
    assert swept().promises() == set()
    assert swept(MARKED, **having(tags=(YESTERDAY,))).promises() == set()


@pytest.mark.parametrize(
    "content",
    [plan_of(OTHER), plan_of(ID, good_for=-1), plan_of(ID, good_for=30), plan_of(ID, project=OTHER)],
    ids=["another image", "too old", "good for too long", "another project"],
)
def test_a_deletion_that_no_plan_allows_is_found(content: bytes) -> None:
    assert "named" in approved(content=content).promises()


def test_a_plan_that_is_not_the_approved_one_is_found() -> None:
    altered = {"before_begin": together(holding(PLAN), holding(plan_of(ID, OTHER)))}
    assert {"named", "unreadable done"} <= approved(**altered).promises()
    assert {"named", "unreadable done"} <= approved(before_begin=void).promises()
    assert {"named", "unreadable done"} <= approved(settings=SETTINGS | {"REAPER_STATE_TABLE": ""}).promises()
    # What was there for a moment may have been read.
    read = {"before_begin": holding(PLAN), "before_servers": together(holding(None), claiming())}
    assert approved(**read).promises() == set()


def test_an_approval_that_is_too_late_is_found() -> None:
    late = approval(PLAN, not_after="2031-05-17T00:00:00Z")
    assert "named" in approved(late).promises()


def test_a_plan_that_two_events_carry_out_is_found() -> None:
    assert _approved_again(first=1).promises() == {"unreadable done"}
    # Who began before the other one has ended could not know.
    tale = _approved_again(first=1, overlapping=True)
    assert tale.promises() == {"approved twice"}


def test_a_repetition_of_the_event_that_has_carried_out_a_plan_is_right() -> None:
    assert _approved_again(first=0).promises() == set()


def _approved_again(first: int, *, overlapping: bool = False) -> Tale:
    """Have the same plan approved once more, after it is carried out, or while it is."""
    begun = []
    tale = approved(before_told=lambda tale: begun.append(tale.moment()))
    tale.history.invocations[0].first = 0
    assert tale.promises() == set()
    tale.begin()
    assert tale.started
    tale.started.first = first
    tale.started.begun = begun[0] if overlapping else tale.started.begun
    claiming()(tale)
    storing("report.json")(tale)
    tale.finish()
    return tale


def test_a_plan_that_is_done_before_all_its_images_are_is_found() -> None:
    both = plan_of(ID, OTHER)
    is_one = {"before_image": lambda tale: tale.image(id=OTHER)}
    assert {"telling", "acknowledged early"} <= approved(content=both, **is_one).promises()


def test_an_approval_that_was_told_to_fail_is_right() -> None:
    fails: dict[str, Step] = {**dict.fromkeys(("journal", "delete", "read"), void), "before_servers": _denied}
    fails["told"] = lambda tale: tale.told("failed", "unavailable", image="", message="m0")
    assert approved(queue(approval(PLAN)), **fails, finish=answered("m0")).promises() == set()
    assert approved(queue(approval(PLAN)), **fails, finish=answered()).promises() == {"acknowledged early"}


def _denied(tale: Tale) -> None:
    tale.ask("GET", f"/aws/chaos-reports/{key_of(PLAN)}", 403)


def test_a_change_of_a_sweep_before_the_bucket_knows_of_it_is_found() -> None:
    assert swept(before_servers=void).promises() == {"begun"}
    assert swept(before_servers=storing("begun.json", OTHER.encode())).promises() == {"begun"}
    assert swept(before_servers=storing("begun.json", ID.encode(), 403)).promises() == {"begun"}
    assert swept(before_servers=void, before_told=storing("begun.json", ID.encode())).promises() == {"begun"}


def test_a_journal_that_is_missing_in_the_bucket_is_found() -> None:
    rest = (storing("report.json"), storing("page.html"), notifying)
    assert swept(before_finish=together(*rest)).promises() == {"journal file"}
    other = storing("journal-0.jsonl", json.dumps({"image": {"id": ID}}).encode())
    assert swept(before_finish=together(other, *rest)).promises() == {"journal file"}
    assert approved(before_finish=storing("report.json")).promises() == {"journal file"}


def test_files_that_are_missing_for_a_reason_are_told_of() -> None:
    tells = saying("report.not_stored", files=[])
    refused = storing("journal-0.jsonl", b"", 403)
    assert (
        swept(before_finish=together(refused, tells, notifying), finish=_counting("ReportsNotStored")).promises()
        == set()
    )
    assert swept(before_finish=together(refused, tells, notifying)).promises() == {"metrics"}
    told_for_nothing = swept(before_finish=together(tells, notifying), finish=_counting("ReportsNotStored"))
    assert told_for_nothing.promises() == {"stored"}


def _counting(name: str) -> Step:
    """Write a metric of a name as well."""

    def finish(tale: Tale) -> None:
        metric = {name: 1, "_aws": {"CloudWatchMetrics": [{"Metrics": [{"Name": name}]}]}}
        tale.printed.append(json.dumps({"message": "", **metric}) + "\n")
        tale.finish()

    return finish


def test_a_sweep_that_leaves_no_report_is_found() -> None:
    rest = (journaling, notifying)
    assert swept(before_finish=together(*rest, storing("page.html"))).promises() == {"stored"}
    lies = saying("report.stored", files=["plan-x.json"])
    assert swept(before_finish=together(LEFT, lies)).promises() == {"stored"}


def test_a_sweep_of_which_nobody_is_told_is_found() -> None:
    files = (journaling, storing("report.json"), storing("page.html"))
    assert swept(before_finish=together(*files)).promises() == {"notice"}
    assert (
        swept(before_finish=together(*files, saying("notice.not_sent")), finish=_counting("NoticesNotSent")).promises()
        == set()
    )


def test_a_plan_that_is_not_what_was_told_is_found() -> None:
    def rehearsed(content: bytes, name: str) -> set[str]:
        steps = {
            **dict.fromkeys(("journal", "delete", "read", "before_servers"), void),
            "told": telling("would_delete"),
        }
        plan = {"images": [{"id": ID, "expect": {}}]}
        leaves = together(storing(name, content), storing("report.json"), storing("page.html"))

        def finish(tale: Tale) -> None:
            tale.finish()
            tale.history.invocations[-1].answer["plan"] = plan

        return swept(SWEEP | {"dry_run": True}, **steps, before_finish=leaves, finish=finish).promises()

    name = key_of(PLAN).rpartition("/")[2]
    assert rehearsed(PLAN, name) == set()
    assert rehearsed(PLAN + b" ", name) == {"plan"}
    for wrong in (plan_of(OTHER), plan_of(ID, good_for=9)):
        assert rehearsed(wrong, key_of(wrong).rpartition("/")[2]) == {"plan"}
