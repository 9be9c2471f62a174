"""Everything else that an invocation asked the cloud to change: marks, and what it may never touch."""

import json
import re
from datetime import timedelta
from typing import NamedTuple
from urllib.parse import unquote

from tests.chaos.history import Image, Moment, Request
from tests.chaos.observer import marks
from tests.chaos.observer.case import TAG, Case, changes_cloud, image_in, was_done
from tests.chaos.observer.policy import key_of
from tests.chaos.observer.reading import day_of

ACTION = re.compile(r".*/images/([^/]+)/actions/(de|re)activate")
OURS = "reaper-"
NO_DAY = "0000-00-00"


class Change(NamedTuple):
    """A tag that is set or taken off. On IMS only the key is named when it is taken off."""

    image: str
    tag: str
    sets: bool
    sent: Request


def tag_change(request: Request) -> Change | None:
    """The change of a tag that a request asks for; None if it asks for something else."""
    if found := TAG.fullmatch(request.path):
        return Change(unquote(found[1]), unquote(found[2]), sets=request.method == "PUT", sent=request)
    if request.method == "POST" and request.path.endswith("/tags"):
        tag = json.loads(request.body or b"{}").get("tag", {})
        image_id = image_in(request._replace(path=request.path.removesuffix("/tags")))
        return Change(image_id, f"{tag.get('key')}={tag.get('value')}", sets=True, sent=request)
    return None


def learn_signers(case: Case) -> None:
    """Learn whose signature is whose from the requests that set it."""
    policies = {key_of(one.sweep) for one in case.event.asked if one.sweep and not one.problem and one.grace}
    for request in case.requests:
        change = tag_change(request)
        signer = _signer_of(change.tag) if change and change.sets else ""
        if signer:
            known = case.index.signers.get(signer, policies)
            case.index.signers[signer] = known & policies or known | policies


def _signer_of(tag: str) -> str:
    found = re.match(rf"(?:{marks.SIGNATURE}[=.]|{marks.DRAFT}|{marks.RECALL})([^-=.]+)", tag)
    return found[1] if found else ""


def check_changes(case: Case) -> None:
    """Check every request that asks for a change."""
    ended = case.invocation.ended
    for request in case.requests:
        # What a process that died had already sent may come in later.
        if ended and request.begun.order > ended.order and not case.invocation.died:
            case.say("after the end", f"{request.method} {request.path} came in after the answer", image_in(request))
        if changes_cloud(request):
            _check(case, request)


def check_caps(case: Case) -> None:
    """A sweep that is alone in its event deletes and marks no more than its own caps allow."""
    policies = [one for one in case.event.asked if one.sweep and not one.problem]
    survey = case.survey(policies[0]) if len(policies) == len(case.event.asked) == 1 else None
    if survey is None:
        return
    marked = {change.image for change in map(tag_change, case.requests) if change and _begins_mark(case, change)}
    acted, most = marked | case.deletes.keys(), survey.most()
    limit, percent = survey.sweep.get("limit", 25), survey.sweep.get("limit_percent", 50)
    if len(acted) > limit or len(acted) * 100 > percent * most:
        case.say("limit", f"{len(acted)} of {most} images, and the caps are {limit} and {percent} %")
    elif acted and survey.is_surely_over(policies[0].grace):
        case.say("limit", f"a cap must have held, and {len(acted)} images were deleted or marked")


def _begins_mark(case: Case, change: Change) -> bool:
    before = case.index.image_at(change.image, _just_before(change.sent.begun))
    is_new = before is not None and not marks.is_touched(before)
    return change.sets and is_new and change.tag.startswith(OURS)


def _check(case: Case, request: Request) -> None:
    if case.settings.mode != "delete" or all(one.dry_run for one in case.event.asked):
        case.say("rehearsal", f"{request.method} {request.path} in mode {case.settings.mode}", image_in(request))
    if request.method == "DELETE" and image_in(request):
        return
    change, action = tag_change(request), ACTION.fullmatch(request.path)
    image_id = change.image if change else unquote(action[1]) if action else ""
    grants = [one for one in case.event.asked if one.sweep and one.grace and not one.dry_run and not one.problem]
    if not image_id or not grants or (change and not change.tag.startswith(OURS)):
        case.say("change", f"{request.method} {request.path} is none that this event allows", image_id)
    elif was_done(request):
        _check_owner(case, image_id, request)
        if change:
            _check_mark(case, change)


def _check_owner(case: Case, image_id: str, request: Request) -> None:
    versions = case.index.versions(image_id, case.begun, request.begun)
    if not any(image and image.owner == case.project for image in versions):
        case.say("others", f"{request.method} {request.path} changes an image of another project", image_id)


def _check_mark(case: Case, change: Change) -> None:
    before = case.index.image_at(change.image, _just_before(change.sent.begun))
    if before is None or not change.tag.startswith((marks.MARK, marks.DRAFT)):
        return
    if change.sets:
        _check_day(case, change, before)
    elif change.tag.startswith(marks.MARK) and not marks.is_vetoed(before):
        # The veto of somebody who has activated the image may be written down as what is left of its mark.
        _check_removal(case, change, before)


def _check_removal(case: Case, change: Change, before: Image) -> None:
    after = case.index.versions(change.image, change.sent.begun, change.sent.answered)[1:2]
    if after and after[0] and marks.is_signed(after[0]) and not marks.days_of(after[0]):
        case.say("made a veto", f"took {change.tag} off beside {sorted(after[0].tags)}", change.image)
    elif not marks.is_signed(before) and not marks.is_begun(before) and not _is_forgotten(case, before):
        case.say("foreign mark", f"took off {change.tag}, which nobody had signed", change.image)


def _check_day(case: Case, change: Change, before: Image) -> None:
    """A mark is for a day that lies as far ahead as the grace says, unless a run of before has promised it."""
    # The draft says it first, or that it is about no day.
    day = change.tag.partition("=")[2][:10]
    if day == NO_DAY:
        return
    graces = [one.grace for one in case.event.asked if one.sweep and one.grace]
    least = (case.clock(case.begun) + timedelta(seconds=min(graces))).date()
    told = day_of(day)
    promised = any(day in tag for tag in before.tags if tag.startswith(OURS))
    if told is None or (told < least and not promised):
        case.say("grace", f"{change.tag}, and the grace lasts until {least}", change.image)


def _is_forgotten(case: Case, image: Image) -> bool:
    days = [day_of(day) for day in marks.days_of(image)]
    today = case.clock(case.ended).date()
    return all(day is not None and today - day > marks.FORGOTTEN for day in days)


def _just_before(moment: Moment) -> Moment:
    return Moment(moment.at, moment.order - 1)
