"""The rules: why an image is not deleted. Pure: no clock, no network, no environment."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import NamedTuple

from handler.model.image import Image
from handler.model.masking import beginning
from handler.model.outcome import Objection
from handler.model.request import Expected
from handler.rules.tags import has_tag, protections

# Ours to refuse: Glance takes the DELETE of an image that is being uploaded, or is about to be, with a 204.
DELETABLE = frozenset({"active", "deactivated", "killed"})
"""The states in which an image is at rest. Any other means that someone is still writing it."""
UNFINISHED = frozenset({"queued", "saving", "uploading", "importing"})
"""The states of an image that somebody has begun to upload, and may never end."""
ABANDONED_AFTER = timedelta(days=1)
"""The age from which on an upload may count as one that nobody ends."""


class Policy(NamedTuple):
    """The operator's rules. An empty tag, or an empty tuple of name patterns, means that there is no such rule."""

    min_age: timedelta = timedelta(0)
    keep_tag: str = "keep"
    require_tag: str = ""
    allow_names: tuple[str, ...] = ()
    allow_shared: bool = False


class Facts(NamedTuple):
    """What must be known besides the image itself.

    `project_id` is the project that we act for, `expect` what the requester believes about the image, `not_after`
    the moment after which the request is not carried out, `moment` the present one if that is not `now`, where the
    run began, `objection` why the sweep that selected the image now leaves it alone, `shared_with` the projects
    that may use it by an invitation which they have not turned down, `used_by` what uses it.
    """

    project_id: str
    now: datetime
    expect: tuple[tuple[str, Expected], ...] = ()
    not_after: datetime | None = None
    moment: datetime | None = None
    objection: Objection | None = None
    shared_with: tuple[str, ...] = ()
    used_by: tuple[str, ...] = ()


Rule = Callable[[Image, Facts, Policy], Objection | None]


def _expired(_image: Image, facts: Facts, _policy: Policy) -> Objection | None:
    if facts.not_after and (facts.moment or facts.now) > facts.not_after:
        return Objection("expired", f"the request was good until {facts.not_after.isoformat()}")
    return None


def _public(image: Image, _facts: Facts, _policy: Policy) -> Objection | None:
    if image.visibility in {"public", "community"}:
        return Objection("public", f"visibility {image.visibility}: every project may use it")
    return None


def _not_owner(image: Image, facts: Facts, _policy: Policy) -> Objection | None:
    # Not left to the cloud: Glance lets an administrator delete the images of every project.
    if image.owner != facts.project_id:
        return Objection("not_owner", f"owned by project {image.owner}, not by {facts.project_id}")
    return None


def _protected(image: Image, _facts: Facts, _policy: Policy) -> Objection | None:
    return Objection("protected", "the image is protected") if image.protected else None


def _not_ready(image: Image, facts: Facts, _policy: Policy) -> Objection | None:
    if _is_abandoned(image, facts):
        return None
    if image.status not in DELETABLE:
        return Objection("not_ready", f"status {image.status}")
    # Its status says nothing of a copy into another store: the image is active all the while.
    for key in ("os_glance_importing_to_stores", "os_glance_import_task"):
        if image.record.get(key):
            return Objection("not_ready", f"{key} is {beginning(image.record[key])}")
    return None


def is_upload(image: Image, asked_for: str) -> bool:
    """Whether somebody may still be uploading an image, unless its state is the one that a policy asks for."""
    return image.status in UNFINISHED and image.status != asked_for


def _is_abandoned(image: Image, facts: Facts) -> bool:
    """Whether this is an upload that nobody ends, and that whoever asks knows as one.

    That is what a sweep says that selects such a state, and a plan that was made by it: the state, and that nothing has
    moved since. Nor may it have moved shortly before: an old record may be given its data today.
    """
    expect = dict(facts.expect)
    is_known = image.status in UNFINISHED and expect.get("status") == image.status and "updated_at" in expect
    moments = [image.created_at, _moment(expect.get("updated_at"))]
    # A mark moves it as well: what bears one had not moved for a day when it was marked.
    if any(tag.startswith("reaper-") for tag in image.tags):
        moments.pop()
    return is_known and all(moment is not None and facts.now - moment >= ABANDONED_AFTER for moment in moments)


def _moment(text: Expected) -> datetime | None:
    """A time that the cloud tells, in UTC if it names no zone; None if it can't be read."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC)


def _changed(image: Image, facts: Facts, _policy: Policy) -> Objection | None:
    for attribute, expected in facts.expect:
        actual = getattr(image, attribute)
        if actual != expected:
            return Objection("changed", f"{attribute} is {_shown(actual)}, expected {_shown(expected)}")
    return facts.objection


def _kept(image: Image, facts: Facts, policy: Policy) -> Objection | None:
    for found in protections(image, policy.keep_tag) if policy.keep_tag else ():
        return Objection("kept", str(found))
    # `keep-until` holds no matter what the operator calls the keep tag: owners need not know that name.
    for key in ("keep-until", f"{policy.keep_tag}-until"):
        for found in protections(image, key):
            if _still_kept(found.value, facts.now.date()):
                return Objection("kept", str(found))
    return None


def _not_allowed(image: Image, _facts: Facts, policy: Policy) -> Objection | None:
    if policy.require_tag and not has_tag(image, policy.require_tag):
        return Objection("not_allowed", f"the required tag {policy.require_tag} is missing")
    if policy.allow_names and not any(fnmatchcase(image.name or "", glob) for glob in policy.allow_names):
        return Objection("not_allowed", f"the name {image.name!r} matches none of the allowed patterns")
    return None


def _too_young(image: Image, facts: Facts, policy: Policy) -> Objection | None:
    if policy.min_age <= timedelta(0):
        return None
    if image.created_at is None:
        return Objection("too_young", "its age is unknown")
    if facts.now - image.created_at < policy.min_age:
        return Objection("too_young", f"created at {image.created_at.isoformat()}")
    return None


def _shared(_image: Image, facts: Facts, policy: Policy) -> Objection | None:
    if facts.shared_with and not policy.allow_shared:
        return Objection("shared", f"shared with {_joined(facts.shared_with)}")
    return None


def _in_use(_image: Image, facts: Facts, _policy: Policy) -> Objection | None:
    return Objection("in_use", f"used by {_joined(facts.used_by)}") if facts.used_by else None


RULES_OF_RECORD: tuple[Rule, ...] = (
    _expired,
    _public,
    _not_owner,
    _protected,
    _not_ready,
    _changed,
    _kept,
    _not_allowed,
    _too_young,
)
"""The rules that need only the image's own record. If one of them objects, the cloud is asked nothing more."""

RULES_OF_ACTIVATION: tuple[Rule, ...] = (_not_owner, _changed)
"""The rules for an image that an event calls active: it must be ours, and what the event says of it must be so."""

RULES: tuple[Rule, ...] = (*RULES_OF_RECORD, _shared, _in_use)
"""Every rule, in order: the first that objects gives the reason."""


def judge(image: Image, facts: Facts, policy: Policy, rules: tuple[Rule, ...] = RULES) -> Objection | None:
    """Return why the image must stay, or None if no rule objects to its deletion."""
    return next((refusal for rule in rules if (refusal := rule(image, facts, policy))), None)


def _still_kept(value: str, today: date) -> bool:
    """Whether a keep-until date still holds. It holds through that day; one that can't be read holds for ever."""
    try:
        return today <= date.fromisoformat(value)
    except ValueError:
        return True


def _shown(value: Expected) -> str:
    """A value as a request gives it."""
    return repr(sorted(value) if isinstance(value, frozenset) else value)


def _joined(names: tuple[str, ...], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
