"""What a run leaves in the bucket, and whom it tells: what was begun, the journal, the plan, the report, a notice."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping

from tests.chaos.history import Request
from tests.chaos.observer.approvals import BUCKET
from tests.chaos.observer.case import Case, Line, changes_cloud
from tests.chaos.observer.journal import records_in
from tests.chaos.observer.reading import Json, moment_of
from tests.chaos.observer.telling import NOTHING_BEGUN, error_of, metrics_of, was_troubled

IMAGE = re.compile(r"/(?:images|cloudimages)/([^/]+)")
UUID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def check_stored(case: Case) -> None:
    """Check the files of an invocation, and its notice."""
    if case.settings.bucket:
        _check_begun(case)
        _check_journal(case)
        _check_plans(case)
        _check_reports(case)
    _check_notice(case)
    _check_counts(case)


def _files(case: Case, sign: str) -> list[Request]:
    """The files whose keys have a sign that were stored."""
    puts = [one for one in case.requests if one.method == "PUT" and one.path.startswith(BUCKET)]
    return [one for one in puts if sign in one.path and one.status == 200]


def _lines(case: Case, message: str) -> list[Line]:
    return [line for line in case.lines if line.said.get("message") == message]


def _sweeps_alone(case: Case) -> bool:
    """Whether nothing was asked for but sweeps that change something."""
    asked = case.event.asked
    return bool(asked) and all(one.sweep and not one.problem and not case.rehearses(one) for one in asked)


def _check_begun(case: Case) -> None:
    """Before a sweep changes an image, or leaves it to workers, what it is about to do lies in the bucket."""
    begun = _files(case, "/begun.json") if _sweeps_alone(case) else []
    for request in case.requests if _sweeps_alone(case) else ():
        before = [one for one in begun if one.begun.order < request.begun.order]
        for image_id in _changed_by(request):
            if not any(image_id in one.body.decode() for one in before):
                case.say("begun", f"{request.method} {request.path}, and no begun.json names it", image_id)


def _changed_by(request: Request) -> Iterator[str]:
    if changes_cloud(request) and (found := IMAGE.search(request.path)):
        yield found[1]
    if b"MessageBody" in request.body and b"/workers" in request.body:
        yield from sorted({one.decode() for one in UUID.findall(request.body)})


def _check_journal(case: Case) -> None:
    """What was written to the log before each DELETE lies in the bucket as well, once the run has ended."""
    if not case.was_answered or _is_told_missing(case):
        return
    logged = records_in(_lines(case, "image.deleting"))
    texts = [text for one in _files(case, "/journal-") for text in one.body.decode().splitlines()]
    stored = records_in([Line(0, json.loads(text)) for text in texts])
    for record in logged:
        if record not in stored:
            case.say("journal file", "its record stands in the log, and in no file", str(record.get("id")))


def _is_told_missing(case: Case) -> bool:
    """Whether the log says that files are missing; it may do so only if something was in the way."""
    told = _lines(case, "report.not_stored")
    if told and not was_troubled(case):
        case.say("stored", f"nothing was in the way: {told[0].said.get('problem')}")
    return bool(told)


def _check_plans(case: Case) -> None:
    """A plan has the name that its digest says, and holds what would be deleted, for as long as a plan lives."""
    would_go = {str(one["image_id"]) for one in case.outcomes if one["message"] == "image.would_delete"}
    for one in _files(case, "/plan-"):
        if hashlib.sha256(one.body).hexdigest() not in one.path:
            case.say("plan", f"{one.path} has another digest")
        if one.path.split("/")[5] != case.project:
            case.say("plan", f"{one.path} is in the folder of another project")
        for plan in json.loads(one.body)["plans"]:
            _check_plan(case, plan, would_go)


def _check_plan(case: Case, plan: Mapping[str, Json], would_go: set[str]) -> None:
    end = moment_of(plan["not_after"])
    if end is None or end > case.times[1] + case.settings.plan_life:
        case.say("plan", f"it is good until {end}")
    for image in plan["images"]:
        if image["id"] not in would_go:
            case.say("plan", "it stands in the bucket, and nobody was told of it", image["id"])


def _check_reports(case: Case) -> None:
    """A run with a sweep leaves a report and a page, or says why not."""
    is_ended = case.was_answered and error_of(case) not in NOTHING_BEGUN and bool(_lines(case, "run.finished"))
    has_sweep = any(one.sweep and not one.problem for one in case.event.asked)
    if not is_ended or not has_sweep or _lines(case, "report.not_stored"):
        return
    missing = [name for name in ("report.json", "page") if not _files(case, f"/{name}")]
    if missing:
        case.say("stored", f"{missing} are missing, and nobody says so")
    for name in (name for line in _lines(case, "report.stored") for name in line.said["files"]):
        if not _files(case, f"/{name}"):
            case.say("stored", f"{name} is told to be there")


def _check_notice(case: Case) -> None:
    """People are told of what a sweep has deleted, or the log says that they are not."""
    deleted = any(one["message"] == "image.deleted" for one in case.outcomes)
    if not case.settings.topic or not _sweeps_alone(case) or not deleted or not case.was_answered:
        return
    sent = [one for one in case.requests if b"Action=Publish" in one.body and one.status == 200]
    if not sent and not _lines(case, "notice.not_sent"):
        case.say("notice", "a sweep has deleted images, and nobody is told")


def _check_counts(case: Case) -> None:
    counted = metrics_of(case)
    for name, message in (("ReportsNotStored", "report.not_stored"), ("NoticesNotSent", "notice.not_sent")):
        if counted[name] != len(_lines(case, message)):
            case.say("metrics", f"{name} is {counted[name]}, and the log has {len(_lines(case, message))} such lines")
