"""Every DELETE that came in, whatever the cloud made of it: was it right, by all that could be known at that moment?"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tests.chaos.history import Image, Moment, Request
from tests.chaos.observer import marks
from tests.chaos.observer.asked import Asked
from tests.chaos.observer.case import Case, came_before
from tests.chaos.observer.index import Span
from tests.chaos.observer.journal import check_journal
from tests.chaos.observer.policy import fits, key_of
from tests.chaos.observer.rules import Facts, speak_surely

FRESH = 1.0
LIFE = {"server": 5.0, "volume": 60.0}
LONGEST = 60.0
"""Seconds for which what was read may be relied on: an image, servers and volumes, members."""
A_HAIR = 1e-6
PATHS = {
    "glance": r".*/v2/images/[^/]+",
    "ims": r".*/v2/images/[^/]+",
    "ecs-v2.1": r".*/v2\.1/[^/]+/images/[^/]+",
    "ecs-v2": r".*/v2/[^/]+/images/[^/]+",
}
Broken = tuple[str, str]
"""The name of a promise, and how it was broken."""


class Deletion(NamedTuple):
    """A DELETE, the GET before it, and what the image was then."""

    case: Case
    image: str
    sent: Request
    got: Request
    record: Image


def check_deletions(case: Case) -> None:
    """Check every DELETE of an invocation."""
    for image_id, sent in case.deletes.items():
        for request in sent:
            _check(case, image_id, request)
    if len(case.deletes) > case.settings.max_images:
        case.say("cap", f"{len(case.deletes)} images, and REAPER_MAX_IMAGES is {case.settings.max_images}")


def _check(case: Case, image_id: str, sent: Request) -> None:
    if not re.fullmatch(PATHS[case.settings.api], sent.path):
        case.say("address", f"{sent.path} is no address of {case.settings.api}", image_id)
    got = _reading(case, image_id, sent)
    record = case.index.image_at(image_id, got.begun) if got else None
    if got is None or record is None:
        case.say("read late", "it was not read within the second before its DELETE", image_id)
        got, record = sent, case.index.image_at(image_id, Moment(sent.begun.at, sent.begun.order - 1))
    if record is None:
        return
    deletion = Deletion(case, image_id, sent, got, record)
    for promise, text in _broken(deletion):
        case.say(promise, text, image_id)
    check_journal(case, sent, record)


def _reading(case: Case, image_id: str, sent: Request) -> Request | None:
    """The GET on whose answer a DELETE rests: the last one, which no other DELETE may have used."""
    before = [one for one in case.readings[image_id] if came_before(one.answered, sent.begun)]
    last = max(before, key=lambda one: one.answered.order, default=None)
    others = [one for one in case.deletes[image_id] if one.begun.order < sent.begun.order]
    if last is None:
        return None
    # Nobody can tell how long an answer has lain there while he was frozen.
    had = case.index.history.read_late.get(last.number, last.answered)
    if sent.sent_at - had.at > FRESH + _slack(case):
        return None
    return None if any(last.begun.order < one.begun.order for one in others) else last


def _slack(case: Case) -> float:
    """The seconds by which the world's clock may be wrong about what one thread did.

    Side by side, another thread's wait lets the clock pass while a DELETE is on its way.
    """
    return math.inf if case.settings.side_by_side else A_HAIR


def _broken(deletion: Deletion) -> Iterator[Broken]:
    yield from _by_use(deletion)
    yield from _by_members(deletion)
    # One request that allows it is enough: of those that do not, the one that is nearest to it tells why.
    asked: list[list[Broken]] = [[*_by_request(deletion, one)] for one in deletion.case.event.asked if not one.problem]
    asked.sort(key=len)
    yield from dict.fromkeys(asked[0] if asked else [("named", "no request can be read")])


# What uses it


def _by_use(deletion: Deletion) -> Iterator[Broken]:
    case = deletion.case
    if not case.settings.checks_use:
        return
    told = [one for one in case.lists(r"/servers(/detail)?$") if one.told == 200]
    asked = [one.begun.at for one in told if came_before(one.answered, deletion.got.begun)]
    if not asked or deletion.sent.sent_at - max(asked) > _life(case, "server") + _slack(case):
        yield "in use", f"before it was read, the servers were last asked for at {max(asked, default=None)}"
    for span in case.index.spans(deletion.image):
        is_known = case.is_known_use(span, deletion.image, deletion.sent.begun)
        if span.project == case.project and span.holds(deletion.sent.begun) and is_known and _is_checked(case, span):
            yield from _by_span(deletion, span)


def _is_checked(case: Case, span: Span) -> bool:
    return span.kind == "server" or f"{span.kind}s" in case.settings.also


def _by_span(deletion: Deletion, span: Span) -> Iterator[Broken]:
    case, sent = deletion.case, deletion.sent
    age = sent.sent_at - span.since.at
    first = next(iter(case.lists(rf"/{span.kind}s(/detail)?$")), None)
    if first is None or span.since.order < first.begun.order or age > _life(case, span.kind) + _slack(case):
        yield "in use", f"{span.kind} {span.id} has used it for {age:g} seconds"


def _life(case: Case, kind: str) -> float:
    """How old what is known of servers may be: longer only where the cloud would not tell what has changed."""
    changes = [one for one in case.lists(r"/servers/detail$") if "changes-since" in one.query]
    is_mute = kind == "server" and any(one.told != 200 for one in changes)
    return LONGEST if is_mute else LIFE[kind]


# With whom it is shared


def _by_members(deletion: Deletion) -> Iterator[Broken]:
    case, sent = deletion.case, deletion.sent
    if case.settings.allow_shared or deletion.record.visibility != "shared":
        return
    pages = [one for one in case.lists(rf"/images/{re.escape(deletion.image)}/members$") if one.told == 200]
    read = [one for one in pages if came_before(one.answered, deletion.got.begun)]
    if not read:
        yield "shared", "it may be shared, and its members were not read before it was"
        return
    last = read[-1].begun
    if sent.sent_at - last.at > LONGEST + _slack(case):
        yield "shared", f"its members were read {sent.sent_at - last.at:g} seconds before"
    for member, since in _members_since(case, deletion.image, sent.begun):
        if since.order < last.order or sent.sent_at - since.at > LONGEST + _slack(case):
            yield "shared", f"{member} may use it since {since}"


def _members_since(case: Case, image_id: str, moment: Moment) -> Iterator[tuple[str, Moment]]:
    """Who may use an image at a moment by an invitation, and since when without a break."""
    known = [version for version in case.index.history.images[image_id] if version[0].order < moment.order]
    for member in known[-1][1].members if known else ():
        since = None
        for moment_of, image in reversed(known):
            if image.visibility != "shared" or image.members.get(member, "rejected") == "rejected":
                break
            since = moment_of
        if since:
            yield member, since


# Whether it was asked for


def _by_request(deletion: Deletion, asked: Asked) -> Iterator[Broken]:
    case, late = deletion.case, deletion.case.clock(deletion.sent.begun)
    if deletion.image not in asked.targets and not asked.sweep:
        # More than one, so that a request that names it tells why.
        yield from [("named", "no request names it, and no policy is there")] * 99
        return
    if case.rehearses(asked):
        yield "rehearsal", f"mode {case.settings.mode}, dry_run {asked.dry_run}"
    if asked.not_after and late > asked.not_after:
        yield "expired", f"the request was good until {asked.not_after}"
    expect = asked.targets.get(deletion.image, {})
    facts = Facts(case.settings, case.clock(case.begun), late, expect, asked.select.get("status") or "")
    yield from ((reason, f"its record says so: {deletion.record}") for reason in speak_surely(deletion.record, facts))
    if asked.activated and not _is_activated(case, asked.activated, deletion.sent):
        yield "activated", "no image has become active as the event says"
    if asked.sweep:
        yield from _by_policy(deletion, asked)


def _is_activated(case: Case, said: Mapping[str, str], sent: Request) -> bool:
    versions = case.index.versions(said["image_id"], case.begun, sent.begun)
    wanted = {key: said[key] for key in ("name", "owner") if key in said} | {"status": "active", "alive": True}
    ours = [image for image in versions if image and image.owner == case.project]
    return any(all(getattr(image, key) == value for key, value in wanted.items()) for image in ours)


def _by_policy(deletion: Deletion, asked: Asked) -> Iterator[Broken]:
    case, record, late = deletion.case, deletion.record, deletion.case.clock(deletion.sent.begun)
    survey = case.survey(asked)
    if survey is None or not survey.may_select(deletion.image):
        yield "selected", "no reading of the list selects it"
    elif survey.is_surely_over(asked.grace):
        yield "limit", "a cap of the sweep must have held"
    if not fits(record, asked.select, late, unknown=True):
        yield "selected", "when it was read, the policy did not select it"
    if why := marks.why_not_due(record, key_of(asked.sweep or {}), asked.grace, late, case.index.signers):
        yield why, f"its tags are {sorted(record.tags)}"
    if _vetoed_before(case, deletion.image, deletion.sent.begun):
        yield "veto", "somebody had taken its mark off"


def _vetoed_before(case: Case, image_id: str, moment: Moment) -> bool:
    """Whether somebody had vetoed before this invocation, and has not withdrawn it."""
    vetoed = False
    for act in case.index.acts[image_id]:
        if act.what == "veto" and act.moment.order < case.begun.order:
            vetoed = True
        elif act.moment.order < moment.order and _withdraws(act.what, act.detail):
            vetoed = False
    return vetoed


def _withdraws(what: str, detail: str) -> bool:
    of_ours = {"tag": marks.MARK, "untag": marks.SIGNATURE}
    return what in {"unveto", "later"} or (what in of_ours and detail.startswith(of_ours[what]))
