"""What an event asks for: a reading of its own of every shape of event and of every field of a request."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from tests.chaos.observer.reading import Json, moment_of, reads
from tests.chaos.observer.settings import REST, UPLOADS, Settings, seconds

UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
COMMON = frozenset({"project_id", "delete_backup", "dry_run", "reason", "not_after"})
FIELDS = COMMON | {"image_ids", "images", "sweep", "approve"}
PLAN_KEY = re.compile(r"runs/[0-9-]{10}/([A-Za-z0-9_-]+)/[A-Za-z0-9_-]+/plan-([0-9a-f]{64})\.json", re.ASCII)
EXPECTABLE: dict[str, type] = {
    **dict.fromkeys(("name", "owner", "checksum", "status", "updated_at", "visibility"), str),
    "size": int,
    "tags": list,
    "protected": bool,
}
TESTS = ("autoscaling:TEST_NOTIFICATION", "s3:TestEvent")
BOOLEANS = frozenset({"delete_backup", "dry_run", "deactivate", "protected"})
NUMBERS = frozenset({"size", "size_over", "limit", "newest"})


class Asked(NamedTuple):
    """One request of an event; `message` is the queue's id. What can't be read has a `problem`.

    `targets` are the images that it names, with what it expects of each; `sweep` is its policy. `activated` is what an
    event says of an image that has become active.
    """

    message: str = ""
    group: str | None = None
    targets: Mapping[str, Mapping[str, Json]] = {}
    sweep: Mapping[str, Json] | None = None
    dry_run: bool = False
    not_after: datetime | None = None
    problem: str = ""
    activated: Mapping[str, str] | None = None
    stack: bool = False
    approves: tuple[str, str] | None = None
    """The key and the digest of the plan that it approves; what that holds is filled in later."""
    doubt: bool = False
    """Whether it may be turned down, and whether a part of its plan may have been carried out before."""
    elsewhere: bool = False
    """Whether its only problem is another project: where ours can't be found out, its images fail."""

    @property
    def grace(self) -> int:
        """The grace of its policy, in seconds."""
        return seconds((self.sweep or {}).get("grace", "0d"))

    @property
    def select(self) -> Mapping[str, Json]:
        """The conditions of its policy."""
        found: Mapping[str, Json] = (self.sweep or {}).get("select", {})
        return found


class Event(NamedTuple):
    """An event: from which source, and what it asks for."""

    source: str
    asked: tuple[Asked, ...]


def read_event(event: Json, settings: Settings) -> Event:
    """Read an event; one of no known shape has the source `unknown`."""
    if not isinstance(event, dict):
        return Event("unknown", ())
    for source, is_one, read in SHAPES:
        if is_one(event):
            return Event(source, tuple(read(event, settings)))
    return Event("unknown", ())


def asked_in(text: Json, settings: Settings) -> Asked:
    """What a text asks for that can hold nothing but a request."""
    try:
        return _request(reads(text), settings)
    except ValueError as problem:
        return Asked(problem=f"can't be read: {problem}")


def activated_by(event: Json, settings: Settings) -> Asked:
    """What is asked for because an event says that an image was made, if it says so of our project."""
    values = _activated("", event) or {}
    if values.get("owner", settings.project) != settings.project:
        return Asked(problem="of another project")
    try:
        return _standing(values, settings)
    except ValueError as problem:
        return Asked(problem=f"can't be filled in: {problem}")


def _records(event: Json) -> list[Json]:
    records = event.get("Records")
    return records if isinstance(records, list) and all(isinstance(one, dict) for one in records) else []


def _is_stack(event: Json) -> bool:
    return "RequestType" in event and isinstance(event.get("ResponseURL"), str)


def _holds_stack(event: Json) -> bool:
    return _is_stack(_through_topic(event))


def _through_topic(event: Json) -> Json:
    records = _records(event)
    if len(records) != 1 or records[0].get("EventSource") != "aws:sns":
        return event
    try:
        payload = _unwrapped(reads(records[0]["Sns"]["Message"]))
    except (ValueError, KeyError, TypeError):
        return event
    return payload if isinstance(payload, dict) and _is_stack(payload) else event


def _of_queue(event: Json) -> bool:
    return any(record.get("eventSource") == "aws:sqs" for record in _records(event))


def _of_topic(event: Json) -> bool:
    return bool(_records(event)) and all(record.get("EventSource") == "aws:sns" for record in _records(event))


def _is_test(event: Json) -> bool:
    return event.get("Event") in TESTS and not FIELDS & event.keys()


def _read_stack(event: Json, settings: Settings) -> Iterator[Asked]:
    found = _asked(_through_topic(event), settings)
    yield from [found] if found else []


def _read_queue(event: Json, settings: Settings) -> Iterator[Asked]:
    is_fifo = any(str(record.get("eventSourceARN")).endswith(".fifo") for record in _records(event))
    for record in _records(event):
        found = _read_body(record.get("body"), settings, record.get("eventSource") == "aws:sqs")
        group = str((record.get("attributes") or {}).get("MessageGroupId", "")) if is_fifo else None
        if found:
            yield found._replace(message=str(record.get("messageId")), group=group)


def _read_topic(event: Json, settings: Settings) -> Iterator[Asked]:
    for record in _records(event):
        sns = record.get("Sns")
        is_told = isinstance(sns, dict) and sns.get("Type") == "Notification"
        found = _read_body(sns.get("Message") if is_told else None, settings, is_told)
        yield from [found] if found else []


def _read_body(text: Json, settings: Settings, is_one: object) -> Asked | None:
    """What a text asks for; None if it is a test of AWS."""
    try:
        payload = _unwrapped(reads(text))
    except ValueError as problem:
        return Asked(problem=f"can't be read: {problem}")
    if not is_one or not isinstance(payload, dict):
        return Asked(problem="is no request")
    return _asked(payload, settings)


def _unwrapped(payload: Json) -> Json:
    while isinstance(payload, dict) and payload.get("Type") == "Notification":
        payload = reads(payload.get("Message"))
    return payload


def _asked(payload: Json, settings: Settings) -> Asked | None:
    if _is_stack(payload):
        return _of_stack(payload, settings)
    if _is_test(payload):
        return None
    try:
        return _of_bus(payload, settings) if "detail-type" in payload else _request(payload, settings)
    except ValueError as problem:
        return Asked(problem=f"can't be read: {problem}")


def _of_bus(event: Json, settings: Settings) -> Asked:
    detail = event.get("detail")
    if isinstance(detail, str):
        detail = reads(detail)
    if not isinstance(detail, dict):
        return Asked(problem="detail: is no object")
    if event["detail-type"] == "Scheduled Event" and not detail:
        return _request(reads(settings.scheduled or None), settings)
    if "NotificationMetadata" in detail:
        return _request(reads(detail["NotificationMetadata"]), settings)
    values = (
        None
        if {"image_ids", "images", "sweep", "approve"} & detail.keys()
        else _activated(event["detail-type"], detail)
    )
    return _request(detail, settings) if values is None else _standing(values, settings)


def _activated(kind: Json, detail: Json) -> dict[str, str] | None:
    """What an event says of an image that has become active; None if it is another event."""
    if isinstance(detail.get("oslo.message"), str):
        detail = reads(detail["oslo.message"])
    payload, trace = detail.get("payload"), detail.get("cts", detail)
    if detail.get("event_type") == "image.activate" and isinstance(payload, dict):
        return _said(payload, "name", "id", "owner")
    wanted = {"service_type": "IMS", "trace_name": "createImage", "trace_status": "normal"}
    if isinstance(trace, dict) and wanted.items() <= ({"trace_status": "normal"} | trace).items():
        return _said(trace, "resource_name", "resource_id", "project_id")
    return _said(detail, "name", "image_id", "owner") if kind == "Image Activated" else None


def _said(told: Mapping[str, Json], *keys: str) -> dict[str, str]:
    values = [(name, told.get(key)) for name, key in zip(("name", "image_id", "owner"), keys, strict=True)]
    texts: dict[str, str] = {name: value for name, value in values if isinstance(value, str) and value}
    name = texts.get("name", "")
    return texts | ({"family": name.rpartition("-")[0] or name} if name else {})


def _standing(values: dict[str, str], settings: Settings) -> Asked:
    """The operator's request for it."""
    if not settings.lifecycle or not UUID.fullmatch(values.get("image_id", "")):
        return Asked(problem="no request for an image that has become active, or no image")
    found = _request(_filled(reads(settings.lifecycle), values, ()), settings)
    return found._replace(activated=values)


def _filled(value: Json, values: Mapping[str, str], place: tuple[str, ...]) -> Json:
    if isinstance(value, dict):
        return {key: _filled(item, values, (*place, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, values, place) for item in value]
    if not isinstance(value, str):
        return value
    shown = {key: re.sub(r"([*?\[])", r"[\1]", text) for key, text in values.items()}
    told = shown if place == ("sweep", "select", "name") else values
    if missing := [key for key in re.findall(r"\{([^{}]*)\}", value) if key not in told]:
        raise ValueError(missing[0])
    filled = re.sub(r"\{([^{}]*)\}", lambda found: told[found[1]], value)
    return filled[:256] if place == ("reason",) else filled


def _of_stack(event: Json, settings: Settings) -> Asked | None:
    logical, physical = str(event.get("LogicalResourceId") or ""), str(event.get("PhysicalResourceId") or "")
    is_delete, given = event.get("RequestType") == "Delete", f"image-reaper/{logical}/"
    if is_delete and not (logical and physical.startswith(given) and physical != given):
        return None
    properties = event.get("ResourceProperties", {})
    if not isinstance(properties, dict):
        return Asked(problem="ResourceProperties: is no object", stack=True)
    ours = {
        key: _typed(key, value) for key, value in properties.items() if key not in {"ServiceToken", "ServiceTimeout"}
    }
    try:
        found = _request(ours, settings)._replace(stack=True)
    except ValueError as problem:
        return Asked(problem=f"can't be read: {problem}", stack=True)
    return found if is_delete or found.problem else found._replace(targets={}, sweep=None)


def _typed(key: str, value: Json) -> Json:
    if key in BOOLEANS and value in ("true", "false"):
        return value == "true"
    if isinstance(value, str) and key in NUMBERS and re.fullmatch("[0-9]{1,18}", value):
        return int(value)
    if isinstance(value, str) and key == "limit_percent" and re.fullmatch(r"[0-9]{1,18}|[0-9]*\.[0-9]*", value):
        return float(value)
    if isinstance(value, dict) and key != "properties":
        return {name: _typed(name, item) for name, item in value.items()}
    return [_typed("", item) for item in value] if isinstance(value, list) else value


# One request


def _request(payload: Json, settings: Settings) -> Asked:
    """Read a request; ValueError if something about it is wrong."""
    if not isinstance(payload, dict):
        message = "is no object"
        raise ValueError(message)  # noqa: TRY004 (one kind of error for all that can't be read)
    problems = [*_problems(payload, settings)]
    elsewhere = payload.get("project_id", "") not in {"", settings.project}
    if problems:
        return Asked(problem="; ".join(problems))
    end = payload.get("not_after")
    return Asked(
        problem=f"project_id: is {payload['project_id']}" if elsewhere else "",
        elsewhere=elsewhere,
        targets=_targets(payload),
        sweep=payload.get("sweep"),
        approves=(payload["approve"]["plan"], payload["approve"]["sha256"]) if "approve" in payload else None,
        dry_run=payload.get("dry_run", False),
        not_after=moment_of(end) if end is not None else None,
    )


def _targets(payload: Json) -> dict[str, Mapping[str, Json]]:
    named = [(one["id"], one.get("expect", {})) for one in payload.get("images") or ()]
    return dict([(image_id, {}) for image_id in payload.get("image_ids") or ()] + named)


def _problems(payload: Json, settings: Settings) -> Iterator[str]:
    yield from (f"{key}: is not known" for key in payload.keys() - FIELDS)
    yield from _common_problems(payload, settings)
    if "approve" in payload:
        yield from [] if _is_approval(payload) else ["approve"]
        return
    if "sweep" in payload:
        yield from ["sweep: beside images"] if {"image_ids", "images"} & payload.keys() else []
        yield from _sweep_problems(payload["sweep"], settings)
        return
    lists = [payload[key] for key in ("image_ids", "images") if payload.get(key) is not None]
    if len(lists) != 1 or not isinstance(lists[0], list) or not 1 <= len(lists[0]) <= 1000:
        yield "exactly one list of images"
        return
    yield from _image_problems(lists[0], named=payload.get("images") is not None)


def _is_approval(payload: Mapping[str, Json]) -> bool:
    """Whether a plan is named, and nothing else."""
    told = payload["approve"]
    is_alone = not {"image_ids", "images", "sweep", "delete_backup"} & payload.keys()
    if not is_alone or not isinstance(told, dict) or told.keys() != {"plan", "sha256"}:
        return False
    found = PLAN_KEY.fullmatch(str(told["plan"]))
    return found is not None and found[2] == told["sha256"] and payload.get("project_id", found[1]) == found[1]


def _common_problems(payload: Json, settings: Settings) -> Iterator[str]:
    project = payload.get("project_id", "x")
    if not isinstance(project, str) or not re.fullmatch("[A-Za-z0-9_-]{1,64}", project):
        yield "project_id"
    yield from (key for key in ("dry_run", "delete_backup") if not isinstance(payload.get(key, False), bool))
    if payload.get("delete_backup") is True and settings.api != "ims":
        yield "delete_backup: not with this API"
    reason = payload.get("reason", "")
    if not isinstance(reason, str) or len(reason) > 256:
        yield "reason"
    if "not_after" in payload and (
        not isinstance(payload["not_after"], str) or moment_of(payload["not_after"]) is None
    ):
        yield "not_after"


def _image_problems(images: list[Json], *, named: bool) -> Iterator[str]:
    met: dict[str, Json] = {}
    for one in images:
        image_id, expect = (one.get("id"), one.get("expect", {})) if named and isinstance(one, dict) else (one, {})
        if not isinstance(image_id, str) or not UUID.fullmatch(image_id):
            yield "an image without an id"
            continue
        if named and one.keys() - {"id", "expect"}:
            yield "an image with a field that is not known"
        yield from _expect_problems(expect)
        if met.setdefault(image_id, _sorted(expect)) != _sorted(expect):
            yield "an image is named twice"


def _sorted(expect: Json) -> Json:
    tags = expect.get("tags") if isinstance(expect, dict) else None
    return expect | {"tags": sorted(set(map(str, tags)))} if isinstance(tags, list) else expect


def _expect_problems(expect: Json) -> Iterator[str]:
    if not isinstance(expect, dict):
        yield "expect"
        return
    for key, value in expect.items():
        kind = EXPECTABLE.get(key)
        is_odd = isinstance(value, bool) and kind is not bool
        if kind is None or (value is not None and (not isinstance(value, kind) or is_odd)):
            yield f"expect.{key}"
        elif isinstance(value, list) and not all(isinstance(tag, str) for tag in value):
            yield "expect.tags"


def _sweep_problems(sweep: Json, settings: Settings) -> Iterator[str]:
    if not isinstance(sweep, dict) or not isinstance(sweep.get("select"), dict):
        yield "sweep"
        return
    known = {"select", "keep", "limit", "limit_percent", "grace", "deactivate"}
    yield from (f"sweep.{key}" for key in sweep.keys() - known)
    yield from _select_problems(sweep["select"])
    yield from _keep_problems(sweep["keep"]) if sweep.get("keep") is not None else ()
    yield from (f"sweep.{key}" for key, fits in CAPS.items() if key in sweep and not fits(sweep[key]))
    if sweep.get("deactivate") is True:
        told = CAPS["grace"](sweep.get("grace")) and seconds(sweep["grace"]) and not sweep["select"].get("status")
        yield from [] if told and settings.api == "glance" else ["sweep.deactivate"]
    if sweep["select"].get("unused_for") is not None and not (settings.table and settings.checks_use):
        yield "select.unused_for: nobody looks"


def _select_problems(select: Mapping[str, Json]) -> Iterator[str]:
    given = {key: value for key, value in select.items() if value is not None}
    if not given:
        yield "select: no condition"
    yield from (f"select.{key}" for key, value in given.items() if key not in CONDITIONS or not CONDITIONS[key](value))
    yield from (f"select.{key}" for key in select.keys() - CONDITIONS.keys())
    if given.get("status") in UPLOADS:
        age = given.get("older_than")
        yield from [] if _is_age(age) and seconds(str(age)) >= 86_400 else ["select.status: no age"]


def _keep_problems(keep: Json) -> Iterator[str]:
    if not isinstance(keep, dict) or keep.keys() - {"newest", "group_by"}:
        yield "keep"
        return
    if not _is_number(keep.get("newest")) or keep["newest"] < 1:
        yield "keep.newest"
    group_by = keep.get("group_by", "name")
    if not isinstance(group_by, str) or not re.fullmatch("name|(property|tag-prefix):.{1,255}", group_by):
        yield "keep.group_by"


def _is_number(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_age(value: Json) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9]{1,5}[hdw]", value) is not None


def _is_text(value: Json) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 255


CAPS: dict[str, Any] = {
    "limit": lambda value: _is_number(value) and value >= 0,
    "limit_percent": lambda value: (_is_number(value) or isinstance(value, float)) and 0 <= value <= 100,
    "grace": _is_age,
    "deactivate": lambda value: isinstance(value, bool),
}
CONDITIONS: dict[str, Any] = {
    "name": _is_text,
    "family": _is_text,
    "tags": lambda value: isinstance(value, list) and bool(value) and all(map(_is_text, value)),
    "properties": lambda value: (
        isinstance(value, dict) and bool(value) and all(_is_text(k) and isinstance(v, str) for k, v in value.items())
    ),
    "status": lambda value: value in REST | UPLOADS,
    "older_than": lambda value: _is_age(value) and seconds(value) > 0,
    "created_before": lambda value: isinstance(value, str) and moment_of(value) is not None,
    "size_over": lambda value: _is_number(value) and value >= 0,
    "unused_for": lambda value: _is_age(value) and 0 < seconds(value) <= 365 * 86_400,
}


def _is_request(event: Json) -> bool:
    return bool(FIELDS & event.keys())


def _read_plainly(event: Json, settings: Settings) -> Iterator[Asked]:
    found = _asked(event, settings)
    yield from [found] if found else []


SHAPES: tuple[tuple[str, Any, Any], ...] = (
    ("stack", _holds_stack, _read_stack),
    ("queue", _of_queue, _read_queue),
    ("topic", _of_topic, _read_topic),
    ("schedule", lambda event: event.get("detail-type") == "Scheduled Event", _read_plainly),
    ("lifecycle", lambda event: "detail-type" in event, _read_plainly),
    ("direct", _is_test, _read_plainly),
    ("direct", _is_request, _read_plainly),
)
"""Tried from the top."""
