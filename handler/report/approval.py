"""How a plan that lies in the bucket is approved: what must be sent, and the commands that send it. Pure."""

import json
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from handler.report.files import File, digest_of


class Place(NamedTuple):
    """Where a run was made, and what can be done there.

    `function` is what Lambda's was invoked as, alias included, and `region` where; both are empty elsewhere. Unless
    `takes_approvals`, nothing there can note that a plan was carried out. Unless it is `armed`, every run there is a
    rehearsal.
    """

    armed: bool
    takes_approvals: bool
    function: str = ""
    region: str = ""


class Approval(NamedTuple):
    """How a plan is approved. `command` does so on Lambda, `from_shell` from a shell; both are empty where nothing can.

    `fetch` is the command that fetches the plan. It holds so many `images`, as so many `requests`, good `until` then.
    """

    key: str
    digest: str
    until: datetime
    images: int
    requests: int
    armed: bool
    command: str
    from_shell: str
    fetch: str


def approval_of(plan: File, plans: Sequence[Mapping[str, Any]], folder: str, fetch: str, place: Place) -> Approval:
    """How a plan that lies in a folder is approved; `fetch` is the command that fetches it."""
    key, digest = folder + plan.name, digest_of(plan)
    is_on_lambda = place.takes_approvals and place.function
    return Approval(
        key=key,
        digest=digest,
        until=min(datetime.fromisoformat(each["not_after"]) for each in plans),
        images=sum(len(each["images"]) for each in plans),
        requests=len(plans),
        armed=place.armed,
        command=_invocation(request_for(key, digest), place) if is_on_lambda else "",
        from_shell=shlex.join(["image-reaper", "--approve", key]) if place.takes_approvals else "",
        fetch=fetch,
    )


def request_for(key: str, digest: str) -> dict[str, Any]:
    """The request that approves the plan under a key."""
    return {"approve": {"plan": key, "sha256": digest}}


def _invocation(request: Mapping[str, Any], place: Place) -> str:
    """The command with which a person has Lambda carry out a request; one line."""
    # Without a limit of its own: the command would send the request once more after a minute without an answer.
    options = ["--cli-binary-format", "raw-in-base64-out", "--cli-read-timeout", "0"]
    where = ["--function-name", place.function, *(["--region", place.region] if place.region else [])]
    return shlex.join(["aws", "lambda", "invoke", *where, *options, "--payload", json.dumps(request), "/dev/stdout"])
