"""What an invocation told: one outcome for each image, each of them true, and the metrics and the report agree."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping

from tests.chaos.history import Request
from tests.chaos.observer.asked import Asked
from tests.chaos.observer.case import OUTCOMES, Case, image_in, was_done
from tests.chaos.observer.on_functiongraph import is_batch
from tests.chaos.observer.reading import Json
from tests.chaos.observer.repetitions import ASYNCHRONOUS, is_rejected
from tests.chaos.observer.rivals import had_a_rival
from tests.chaos.observer.rules import differs
from tests.chaos.observer.stopped import was_stopped
from tests.chaos.observer.truth import is_gone, may_go, reasons, seen, was_gone, was_marked

NOTHING_BEGUN = ("InvalidRequest", "UnknownEvent", "InvalidSettings")
NAMED = (*NOTHING_BEGUN, "ImagesFailed", "AnswerNotDelivered")
OF_A_STACK = ("Denied", "CredentialsRefused", "Throttled", "Unavailable", "Unreachable", "Unanswered", "Paused",
              "DeadlineReached", "Unexpected", "TurnedDown", "AnswerLost")  # fmt: skip
"""The errors by which a function says what was wrong; the last ones where a stack is created without images."""
METRICS = {name: "Images" + name.title().replace("_", "") for name in OUTCOMES}
LAST_SECONDS = 12.0
OF_FAULTS = frozenset({"denied", "throttled", "unavailable", "deadline", "unexpected"})
"""The reasons for which nothing can fail while nothing is out of order."""
JUDGEMENTS = 6
"""How often an image is read for a DELETE that is too late each time, before that is given up."""
LAST_TRY = 28.0
"""Seconds that another try at what is throttled may need: a pause of at most sixteen, and all that is kept back."""
Outcome = Mapping[str, Json]


def check_telling(case: Case) -> None:
    """Check everything that an invocation told."""
    # What was handed over is answered, and means the same as what was raised.
    error = "InvalidRequest" if is_rejected(case) else error_of(case)
    if error and error not in NAMED and (error not in OF_A_STACK or case.event.source != "stack"):
        case.say("bug", f"it raised {case.invocation.error[:300]}")
    if '"run.fault"' in case.invocation.printed or "Traceback (most recent call last)" in case.invocation.printed:
        # The whole of it: it may not come again.
        traceback = case.invocation.printed[case.invocation.printed.find("Traceback") :]
        case.say("bug", f"the log holds a traceback: {traceback[:4000]}")
    for outcome in case.outcomes:
        _check_outcome(case, outcome)
    if case.was_answered and error not in NOTHING_BEGUN and not _refused_to_start(case):
        _check_number(case)
        _check_deleted(case)
        _check_metrics(case)
        _check_report(case, error)
        _check_stack(case)
    elif (
        error == "InvalidRequest" and case.event.asked and not any(one.problem or one.doubt for one in case.event.asked)
    ):
        case.say("turned down", f"nothing is wrong with the request: {case.invocation.error[:300]}")


def _refused_to_start(case: Case) -> bool:
    """Whether CloudFormation was told of a secret that could not be read: nothing was begun, and nothing raised."""
    told = [_told_to_stack(one) for one in case.requests if one.path.startswith("/sink/")]
    return case.event.source == "stack" and any(
        one["Status"] == "FAILED" and one["Reason"].startswith("InvalidSettings") for one in told
    )


def error_of(case: Case) -> str:
    """The class of the error that was raised."""
    found = re.match(r"[\w.]+", case.invocation.error)
    return found[0].rpartition(".")[2] if found else ""


# One outcome


def _check_outcome(case: Case, told: Outcome) -> None:
    name, image_id = told["message"].removeprefix("image."), str(told["image_id"])
    asked = [one for one in _asked_by(case, told) if _is_about(one, image_id)]
    if not asked:
        case.say("outcome", f"{name}, and no request is about it", image_id)
    elif image_id and not any(TRUE[name](case, one, image_id, told) for one in asked):
        case.say("outcome", f"{name} {told.get('reason') or ''} was never true: {told.get('detail')}", image_id)


def _is_about(asked: Asked, image_id: str) -> bool:
    # Neither a sweep nor an approval knows any image, if it fails at once.
    is_open = asked.sweep or (asked.approves and not image_id)
    return bool(image_id in asked.targets or is_open or _is_claim(asked, image_id))


def _is_claim(asked: Asked, image_id: str) -> bool:
    return asked.activated is not None and asked.activated["image_id"] == image_id


def _asked_by(case: Case, told: Outcome) -> list[Asked]:
    message, is_failed = str(told.get("message_id") or ""), told["message"] == "image.failed"
    return [
        one
        for one in case.event.asked
        if one.message == message and (not one.problem or (_is_found_out_late(one) and is_failed))
    ]


def _is_found_out_late(asked: Asked) -> bool:
    """Whether what is wrong with a request is known only once the cloud or the bucket was asked."""
    return asked.elsewhere or asked.approves is not None


def _is_deleted(case: Case, _asked: Asked, image_id: str, _told: Outcome) -> bool:
    sent = case.deletes.get(image_id, ())
    return is_gone(case, image_id) and any(was_done(one) or not one.whole for one in sent)


def _is_already_gone(case: Case, _asked: Asked, image_id: str, _told: Outcome) -> bool:
    return was_gone(case, image_id)


def _is_marked(case: Case, asked: Asked, image_id: str, _told: Outcome) -> bool:
    return asked.sweep is not None and was_marked(case, image_id)


def _would_go(case: Case, asked: Asked, image_id: str, _told: Outcome) -> bool:
    is_left = (asked.sweep or asked.approves) and case.settings.fanout and case.was_sent(image_id)
    return bool(is_left) or (case.rehearses(asked) and may_go(case, asked, image_id))


def _is_refused(case: Case, asked: Asked, image_id: str, told: Outcome) -> bool:
    return told.get("reason") in reasons(case, asked, image_id)


def _has_failed(case: Case, _asked: Asked, image_id: str, told: Outcome) -> bool:
    reason = told.get("reason")
    if reason == "paused":
        return case.settings.mode == "paused" or was_stopped(case)
    if reason == "busy":
        return had_a_rival(case)
    if reason == "budget":
        counts = case.settings.budget is not None or (case.settings.table and case.event.source in ASYNCHRONOUS)
        return counts or (case.settings.table and was_troubled(case))
    if reason == "backup_left":
        return case.settings.api == "ims"
    if reason == "throttled" and not _was_tried_to_the_end(case, image_id):
        return False
    return reason not in OF_FAULTS or was_troubled(case)


def _was_tried_to_the_end(case: Case, image_id: str) -> bool:
    """Whether no time was left to try again; no cloud of a world asks for a longer pause than there is time."""
    left = case.end - case.ended.at
    judgements = len(case.readings.get(image_id, ()))
    return left < LAST_TRY or judgements >= JUDGEMENTS or case.settings.side_by_side


def was_troubled(case: Case) -> bool:
    """Whether anything was out of order: time that passed, an answer that was not whole, a service that says no."""
    if case.ended.at > case.begun.at or case.invocation.frozen:
        return True
    return any(
        not one.whole or (one.status >= 400 and not (one.status == 404 and image_in(one))) for one in case.requests
    )


TRUE = {
    "deleted": _is_deleted,
    "already_gone": _is_already_gone,
    "marked": _is_marked,
    "would_delete": _would_go,
    "refused": _is_refused,
    "failed": _has_failed,
}


# Their number


def _check_number(case: Case) -> None:
    told = Counter((str(one.get("message_id") or ""), str(one["image_id"])) for one in case.outcomes)
    held = {name for _, name in _told_of(case, "message.held")}
    wanted: Counter[tuple[str, str]] = Counter()
    for asked in case.event.asked:
        if not asked.problem and asked.message not in held and not _is_turned_away(asked, told):
            wanted.update((asked.message, image_id) for image_id in _must_tell(case, asked, told))
    most = Counter(one.message for one in case.event.asked if not one.problem or _is_found_out_late(one))
    for key in wanted.keys() | told.keys():
        if told[key] < wanted[key] or told[key] > max(wanted[key], most[key[0]] if key not in wanted else 0):
            case.say("telling", f"{told[key]} outcomes in place of {wanted[key]} for message {key[0]!r}", key[1])


def _told_of(case: Case, message: str) -> set[tuple[int, str]]:
    """The messages that lines of one kind are about; each line counts where there is no queue."""
    lines = [line for line in case.lines if line.said.get("message") == message]
    names = [str(line.said.get("message_id") or "") for line in lines]
    return {(0 if name else line.end, name) for line, name in zip(lines, names, strict=True)}


def _is_turned_away(asked: Asked, told: Counter[tuple[str, str]]) -> bool:
    """Whether no image has become active as the event says: then that is all there is to tell."""
    return asked.activated is not None and (asked.message, asked.activated["image_id"]) in told


def _must_tell(case: Case, asked: Asked, told: Counter[tuple[str, str]]) -> Iterator[str]:
    if asked.approves:
        yield from () if asked.doubt or (asked.message, "") in told else asked.targets
        return
    yield from asked.targets
    # A sweep that knows no images has one outcome without an id.
    survey = None if (asked.message, "") in told else case.survey(asked)
    selected = survey.selected if survey else set()
    yield from selected if len(selected) <= 1000 and case.settings.mode != "paused" else ()


def _check_deleted(case: Case) -> None:
    """An image whose DELETE was carried out, and told so, is told as deleted."""
    told = {str(one["image_id"]): one for one in case.outcomes if one["message"] != "image.already_gone"}
    names = {(str(one["image_id"]), one["message"]) for one in case.outcomes}
    for image_id, sent in case.deletes.items():
        done = [one for one in sent if was_done(one) and one.whole]
        if (
            done
            and (image_id, "image.deleted") not in names
            and not _is_excused(case, told.get(image_id), done[-1].answered.at)
        ):
            case.say("telling", "its DELETE was carried out and told, and it is not told as deleted", image_id)


def _is_excused(case: Case, told: Outcome | None, answered: float) -> bool:
    if told is None or told["message"] != "image.failed":
        return False
    is_late = answered + LAST_SECONDS > case.end or case.invocation.frozen > 0
    # IMS and ECS say only later that an image is gone.
    is_unsure = case.settings.api != "glance" and not all(one.whole for one in case.requests)
    return is_late or is_unsure or told.get("reason") == "backup_left"


# Metrics and report


def _check_metrics(case: Case) -> None:
    ends = [line.said for line in case.lines if line.said.get("message") == "run.finished"]
    if not ends:
        if case.event.source != "stack" and case.event.asked:
            case.say("telling", "the log does not say how the run ended")
        return
    counts = Counter(one["message"].removeprefix("image.") for one in case.outcomes)
    if ends[-1].get("counts") != dict(counts):
        case.say("telling", f"run.finished counts {ends[-1].get('counts')}, and there were {dict(counts)}")
    wanted = Counter({METRICS[name]: counts[name] for name in OUTCOMES})
    for one in case.outcomes:
        if one.get("reason"):
            wanted[f"{METRICS[one['message'].removeprefix('image.')]}_{one['reason']}"] += 1
    wanted["BytesReclaimed"] = sum(_size(case, one) for one in case.outcomes if one["message"] == "image.deleted")
    wanted["RequestsRejected"] = len(_told_of(case, "request.rejected") - _told_of(case, "message.held"))
    _compare(case, wanted, metrics_of(case))


def _compare(case: Case, wanted: Counter[str], told: Counter[str]) -> None:
    ours = {name for name in told if name.startswith(("Images", "Bytes", "Requests"))}
    for name in sorted(wanted.keys() | ours):
        if told[name] != wanted[name]:
            case.say("metrics", f"{name} is {told[name]}, and should be {wanted[name]}")


def metrics_of(case: Case) -> Counter[str]:
    """The metrics that an invocation has written, each with its sum."""
    found: Counter[str] = Counter()
    for said in (line.said for line in case.lines if "_aws" in line.said):
        for metric in (one for group in said["_aws"]["CloudWatchMetrics"] for one in group["Metrics"]):
            value = said.get(metric["Name"], 0)
            found[metric["Name"]] += int(sum(value) if isinstance(value, list) else value)
    return found


def _size(case: Case, told: Outcome) -> int:
    versions = [image for image in case.versions(str(told["image_id"])) if image]
    return (versions[-1].size or 0) if versions else 0


def _check_report(case: Case, error: str) -> None:
    rejected = any(line.said.get("message") == "request.rejected" for line in case.lines)
    failed = rejected or any(one["message"] == "image.failed" for one in case.outcomes)
    answer = case.invocation.answer
    repeats = case.event.source in ASYNCHRONOUS or is_batch(case.invocation.event)
    if error == "ImagesFailed" and not (failed and repeats):
        case.say("report", f"it raised ImagesFailed, failed is {failed}, and its source {case.event.source}")
    if isinstance(answer, dict) and "outcomes" in answer:
        _check_answer(case, answer, failed=failed)


def _check_stack(case: Case) -> None:
    """CloudFormation is answered, whatever happens: success exactly if nothing failed."""
    if case.event.source != "stack":
        return
    told = [_told_to_stack(one) for one in case.requests if one.path.startswith("/sink/")]
    failed = any(one["message"] == "image.failed" for one in case.outcomes) or any(
        line.said.get("message") == "request.rejected" for line in case.lines
    )
    if {one["Status"] for one in told} != {"FAILED" if failed else "SUCCESS"}:
        case.say("stack", f"failed is {failed}, and CloudFormation was told {told}")


def _told_to_stack(request: Request) -> dict[str, str]:
    told: dict[str, str] = json.loads(request.body)
    return told


def _check_answer(case: Case, answer: Mapping[str, Json], *, failed: bool) -> None:
    if answer.get("ok") is failed:
        case.say("report", f"ok is {answer.get('ok')}, and failed is {failed}")
    plans = answer.get("plans", [answer["plan"]] if "plan" in answer else [])
    for plan in plans:
        _check_plan(case, plan)
    _check_all_planned(case, {str(one["id"]) for plan in plans for one in plan["images"]})
    told = Counter(_short(one, one["outcome"]) for one in answer["outcomes"])
    logged = Counter(_short(one, one["message"].removeprefix("image.")) for one in case.outcomes)
    if told - logged or (logged - told and "outcomes_in_log" not in answer):
        case.say("report", f"the report and the log differ: {dict((told - logged) + (logged - told))}")
    if answer.get("counts") != dict(Counter(name for _, name, _ in logged.elements())):
        case.say("report", f"its counts are {answer.get('counts')}")


def _check_plan(case: Case, plan: Json) -> None:
    """A plan names what would be deleted, as it was at some moment, and only a rehearsal has one."""
    if not plan["images"]:
        case.say("plan", "it names nothing")
    if all(not case.rehearses(one) for one in case.event.asked):
        case.say("plan", "a run that was no rehearsal has one")
    would_go = _would_delete(case)
    for one in plan["images"]:
        is_true = any(not differs(image, one["expect"]) for image in seen(case, one["id"]))
        if one["id"] not in would_go or not (is_true or "***" in str(one)):
            case.say("plan", f"it expects {one['expect']}", one["id"])


def _check_all_planned(case: Case, planned: set[str]) -> None:
    """The plans of a rehearsal name all that would be deleted; what would only be marked waits for a later one."""
    if all(case.rehearses(one) and not one.problem and not one.grace for one in case.event.asked):
        for image_id in sorted(_would_delete(case) - planned):
            case.say("plan", "it would be deleted, and stands in no plan", image_id)


def _would_delete(case: Case) -> set[str]:
    return {str(one["image_id"]) for one in case.outcomes if one["message"] == "image.would_delete"}


def _short(told: Outcome, name: str) -> tuple[str, str, str]:
    return str(told["image_id"]), name, str(told.get("reason") or "")
