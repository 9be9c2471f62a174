"""Approvals: what an approved plan holds, whether it may be carried out, and that one event alone carries it out."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import timedelta

from tests.chaos.observer.asked import Asked
from tests.chaos.observer.case import Case, case_of
from tests.chaos.observer.reading import Json, moment_of

SLACK = timedelta(minutes=5)
"""How far two clocks may differ."""
BUCKET = "/aws/chaos-reports/"


def resolve(case: Case) -> None:
    """Fill in what the plans hold that an event approves."""
    filled = tuple(_resolved(case, asked) if asked.approves else asked for asked in case.event.asked)
    case.event = case.event._replace(asked=filled)


def _resolved(case: Case, asked: Asked) -> Asked:
    if asked.problem or not asked.approves:
        return asked
    held = [*_held(case, asked.approves[0])]
    read = [one for one in held if one is not None and hashlib.sha256(one).hexdigest() == asked.approves[1]]
    may_rehearse = asked.dry_run or case.settings.mode == "dry-run"
    if not case.settings.bucket or not (case.settings.table or may_rehearse) or not read:
        return asked._replace(problem="no such plan, or nobody can carry one out")
    plans = json.loads(read[0])["plans"]
    ends = [end for plan in plans if (end := moment_of(plan.get("not_after")))] + [asked.not_after or None]
    lasts = [end for end in ends if end]
    late = case.times[1]
    longest = case.settings.plan_life + SLACK
    found = asked._replace(
        targets={one["id"]: one.get("expect", {}) for plan in plans for one in plan["images"]},
        not_after=min([*lasts, late + longest]),
    )
    if problem := _problem(case, found, plans, longest):
        return found._replace(problem=problem)
    doubts = len(read) < len(held) or late > min(lasts) or _was_claimed_by_others(case, found) or _is_unread(case)
    return found._replace(doubt=doubts)


def _held(case: Case, key: str) -> Iterator[bytes | None]:
    """All that an object was while an invocation ran."""
    before: bytes | None = None
    for since, content in case.index.history.objects.get(key, ()):
        if since.order < case.begun.order:
            before = content
        elif since.order < case.ended.order:
            yield before
            before = content
    yield before


def _problem(case: Case, asked: Asked, plans: list[Json], longest: timedelta) -> str:
    """Why an approval must be turned down, whatever happens."""
    early, late = case.times
    for plan in plans:
        end = moment_of(plan.get("not_after"))
        if end is None or end < early or end > late + longest or plan.get("project_id") != case.project:
            return f"the plan is good until {end}, for {plan.get('project_id')}"
    if asked.not_after and asked.not_after < early:
        return f"the approval was good until {asked.not_after}"
    by = case.index.applied.get(_digest(asked))
    since = by and by[0] != event_of(case, asked) and not case.rehearses(asked) and by[1] < case.begun.order
    return f"event {by[0]} has had it carried out" if by and since else ""


def _is_unread(case: Case) -> bool:
    """Whether the bucket may have said that there is no such plan."""
    return any(_is_fetch(one.method, one.path) and not (one.whole and one.status == 200) for one in case.requests)


def _is_fetch(method: str, path: str) -> bool:
    return method == "GET" and path.startswith(BUCKET)


def _was_claimed_by_others(case: Case, asked: Asked) -> bool:
    """Whether another invocation may have carried out a part of a plan, or all of it."""
    return any(True for _ in _other_claims(case, asked))


def _other_claims(case: Case, asked: Asked) -> Iterator[int]:
    """The invocations before the end of this one that have asked for a plan as well."""
    for invocation, order in case.index.claims.get(_digest(asked), {}).items():
        if invocation != case.invocation.number and order < case.ended.order:
            yield invocation


def was_dealt_with(case: Case, asked: Asked, image_id: str) -> bool:
    """Whether another run of a plan has told what became of an image of it, other than that it failed."""
    for number in _other_claims(case, asked):
        other = case_of(case.index.history, case.index.history.invocations[number])
        if any(one["image_id"] == image_id and one["message"] != "image.failed" for one in other.outcomes):
            return True
    return False


def event_of(case: Case, asked: Asked) -> str:
    """What the repetitions of an event have in common."""
    return asked.message or f"invocation {case.invocation.first}"


def _digest(asked: Asked) -> str:
    return asked.approves[1] if asked.approves else ""


def check_approvals(case: Case) -> None:
    """Check that of all events that approve a plan one has it carried out, and what was left to workers."""
    for asked in case.event.asked:
        if asked.approves and not asked.problem and not case.rehearses(asked) and _is_done(case, asked):
            event = event_of(case, asked)
            by, _ = case.index.applied.setdefault(_digest(asked), (event, case.ended.order))
            if by != event:
                case.say("approved twice", f"event {event} has had a plan carried out, and event {by} had it as well")
    if case.event.asked and all(asked.approves for asked in case.event.asked):
        _check_sent(case)


def _is_done(case: Case, asked: Asked) -> bool:
    """Whether the one who has approved a plan was told that it is carried out."""
    if case.returned is not None:
        return asked.message not in case.returned
    answer = case.invocation.answer
    return isinstance(answer, dict) and answer.get("ok") is True


def _check_sent(case: Case) -> None:
    allowed = [asked.targets for asked in case.event.asked if not asked.problem]
    for request in case.requests:
        if b"MessageBody" not in request.body or b"/workers" not in request.body:
            continue
        for entry in json.loads(request.body)["Entries"]:
            for one in json.loads(entry["MessageBody"])["images"]:
                if not any(_is_same(one.get("expect", {}), plan.get(one["id"])) for plan in allowed):
                    case.say("named", "it was left to workers, and no plan that was approved has it so", one["id"])


def _is_same(sent: Mapping[str, Json], planned: Mapping[str, Json] | None) -> bool:
    return planned is not None and _sorted(sent) == _sorted(planned)


def _sorted(expect: Mapping[str, Json]) -> dict[str, Json]:
    return {key: sorted(value) if isinstance(value, list) else value for key, value in expect.items()}
