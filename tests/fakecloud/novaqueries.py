"""The queries that Nova's list of servers takes, and what it answers to others."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from tests.fakecloud.errors import BadRequest, Forbidden
from tests.fakecloud.records import ServerRecord, Token

SORT_KEYS = frozenset({
    "access_ip_v4", "access_ip_v6", "auto_disk_config", "availability_zone", "config_drive", "created_at",
    "display_description", "display_name", "host", "hostname", "image_ref", "instance_type_id", "kernel_id",
    "key_name", "launch_index", "launched_at", "locked_by", "node", "power_state", "progress", "project_id",
    "ramdisk_id", "root_device_name", "task_state", "terminated_at", "updated_at", "user_id", "uuid", "vm_state",
})  # fmt: skip
OF_ADMINISTRATORS = frozenset({"host", "node"})
TRUE = frozenset({"", "1", "t", "true", "on", "y", "yes"})
FALSE = frozenset({"0", "f", "false", "off", "n", "no"})
PATTERNS = ("name", "ip")
FLAVOR = "1"
"""The flavor of every server here."""


def check_query(params: Sequence[tuple[str, str]], caller: Token) -> None:
    """Raise Nova's error for a query that is wrong, or that only an administrator may send."""
    query = dict(params)
    for name in PATTERNS:
        if name in query and not _is_pattern(query[name]):
            raise _invalid(name, query[name], f"'{query[name]}' is not a 'regex'")
    _check_sorting(params)
    if "all_tenants" in query:
        _check_all_tenants(query["all_tenants"], caller)
    if query.get("status", "").lower() == "deleted":
        message = "Only administrators may list deleted instances"
        raise Forbidden(message)


def changes_since(query: Mapping[str, str]) -> datetime | None:
    """The time since which servers must have changed; None if the query does not ask for one."""
    asked = query.get("changes-since")
    if asked is None:
        return None
    try:
        moment = datetime.fromisoformat(asked)
    except ValueError as exc:
        raise _invalid("changes-since", asked, f"'{asked}' is not a 'date-time'") from exc  # noqa: EM101 (the same)
    return moment.replace(tzinfo=moment.tzinfo or UTC)


def is_wanted(server: ServerRecord, query: Mapping[str, str]) -> bool:
    """Whether a server fits a query. None of them has an address or a reservation."""
    return (
        ("image" not in query or server.image == query["image"])
        and ("status" not in query or server.status == query["status"].upper())
        and ("name" not in query or re.search(query["name"], server.name) is not None)
        and query.get("flavor", FLAVOR) == FLAVOR
        and not {"ip", "reservation_id"} & query.keys()
    )


def _check_sorting(params: Sequence[tuple[str, str]]) -> None:
    keys, directions = ([value for name, value in params if name == wanted] for wanted in ("sort_key", "sort_dir"))
    for key in keys:
        if key not in SORT_KEYS:
            raise _invalid("sort_key", key, f"'{key}' is not one of {sorted(SORT_KEYS)}")  # noqa: EM101 (the name of a parameter)
        if key in OF_ADMINISTRATORS:
            message = f"Only administrators can sort servers by {key}"
            raise Forbidden(message)
    if not {"asc", "desc"}.issuperset(directions):
        message = "Invalid input received: Unknown sort direction, must be 'desc' or 'asc'"
        raise BadRequest(message)
    if len(directions) > max(len(keys), 1):
        message = "Invalid input received: Sort direction size exceeds sort key size"
        raise BadRequest(message)


def _check_all_tenants(asked: str, caller: Token) -> None:
    if asked.lower() not in TRUE | FALSE:
        known = ", ".join(f"'{value}'" for value in sorted((TRUE | FALSE) - {""}))
        message = f"Unrecognized value '{asked}', acceptable values are: {known}"
        raise BadRequest(message)
    if asked.lower() in TRUE and "admin" not in caller.roles:
        message = "Policy doesn't allow os_compute_api:servers:detail:get_all_tenants to be performed."
        raise Forbidden(message)


def _is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return text != ""


def _invalid(name: str, value: str, reason: str) -> BadRequest:
    return BadRequest(f"Invalid input for query parameters {name}. Value: {value}. {reason}")
