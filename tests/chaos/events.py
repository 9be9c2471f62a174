"""The events of a world: what a step of the schedule becomes, and what came of it."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.chaos import functiongraph
from tests.chaos.door import CLOUD
from tests.chaos.history import EPOCH, Image, Invocation

if TYPE_CHECKING:
    from tests.chaos.world import World

Step = Mapping[str, Any]
Json = dict[str, Any]
REPEATED = frozenset({"schedule", "topic", "lifecycle"})
"""The sources whose engine sends an event again."""
FUNCTIONS = {"schedule": "sweeper", "direct": "sweeper", "topic": "hook", "lifecycle": "hook", "stack": "stack"}
BAD = (
    "",
    "{",
    "[]",
    '{"image_ids": []}',
    '{"image_ids": ["not-an-id"]}',
    '{"dryrun": true, "image_ids": ["6cad483b-e281-4985-a345-7afef1f3c501"]}',
    '{"sweep": {"select": {}}}',
    '{"sweep": {"select": {"name": "*"}, "limit": -1}}',
)


def request(step: Step, images: Sequence[Sequence[Any]], world: "World") -> Json:
    """A request: images by their ids, images with expectations, a sweep, or the approval of a plan."""
    asked = _subject(step, images, world)
    if step.get("reason"):
        asked["reason"] = "chaos"
    if step.get("dry_run"):
        asked["dry_run"] = True
    if "not_after" in step:
        asked["not_after"] = f"{world.now + timedelta(hours=step['not_after']):%Y-%m-%dT%H:%M:%SZ}"
    if step.get("project"):
        asked["project_id"] = world.land.project if step["project"] == "ours" else world.land.other
    return asked


def _subject(step: Step, images: Sequence[Sequence[Any]], world: "World") -> Json:
    """What a request is about."""
    if "policy" in step:
        return {"sweep": world.policies[step["policy"] % len(world.policies)]}
    if "sweep" in step:
        return {"sweep": step["sweep"]}
    if "plan" in step:
        return {"approve": world.bucket.named(step, world.land.project)}
    # CloudFormation writes every value as a string, and so no size.
    return _named({**step, "expect": ()} if step.get("source") == "stack" else step, images, world)


def _named(step: Step, images: Sequence[Sequence[Any]], world: "World") -> Json:
    named = [versions[-1][1] for versions in _chosen(step, images)]
    strangers = [world.new_id() for _ in range(step.get("unknown", 0))]
    if not named and not strangers:
        return {"image_ids": [world.new_id()]}
    if not step.get("expect"):
        return {"image_ids": [_spelled(image.id, step) for image in named] + strangers}
    expecting = [{"id": image.id, "expect": _expected(image, step)} for image in named]
    return {"images": [*expecting, *({"id": stranger} for stranger in strangers)]}


def _chosen(step: Step, images: Sequence[Sequence[Any]]) -> Iterator[Any]:
    """Images by their numbers, each once: most of those that are there, and some of those that were."""
    living = [versions for versions in images if versions[-1][1].alive] or images
    seen = set()
    for number in step.get("images", ()) if images else ():
        among = images if number % 5 == 0 else living
        image = among[-1 - number % len(among)]
        if image[-1][1].id not in seen:
            seen.add(image[-1][1].id)
            yield image


def _spelled(image_id: str, step: Step) -> str:
    return image_id.upper() if step.get("upper") else image_id


def _expected(image: Image, step: Step) -> Json:
    """What a plan would expect of it, the one or other field spoilt."""
    expect: Json = {
        "name": image.name,
        "owner": image.owner,
        "status": image.status,
        "updated_at": image.updated_at,
        "size": image.size,
        "tags": list(image.tags),
        "protected": image.protected,
        "visibility": image.visibility,
        "checksum": image.checksum,
    }
    expect = {key: expect[key] for key in step["expect"]}
    return expect | {key: value for key, value in step.get("spoilt", {}).items() if key in expect}


def body(step: Step, world: "World") -> str:
    """The body of a message."""
    if "bad" in step:
        return BAD[step["bad"] % len(BAD)]
    asked = json.dumps(request(step, list(world.history.images.values()), world))
    if world.on_functiongraph:
        return asked
    if step.get("envelope") == "sns":
        return json.dumps({"Type": "Notification", "MessageId": "n", "TopicArn": _ARN, "Message": asked})
    if step.get("envelope") == "bus":
        return json.dumps(_bus("Reaper Request", json.loads(asked)))
    return asked


_ARN = "arn:aws:sns:eu-central-1:123456789012:reap"


def _bus(kind: str, detail: object) -> Json:
    return {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": kind,
        "source": "aws.events" if kind == "Scheduled Event" else "my.pipeline",
        "account": "123456789012",
        "time": "2031-05-17T12:00:00Z",
        "region": "eu-central-1",
        "resources": [],
        "detail": detail,
    }


SIGNED = "signature-of-cloudformation-0123456789"
"""Stands in the address at which CloudFormation waits, and is a secret."""


def _stack(asked: Json, number: int) -> Json:
    """A call of CloudFormation: all its values are strings."""
    properties = {key: str(value).lower() if isinstance(value, bool) else value for key, value in asked.items()}
    return {
        "RequestType": "Delete",
        "ServiceToken": "arn:aws:lambda:eu-central-1:123456789012:function:hook",
        "ResponseURL": f"{CLOUD}/sink/stack-{number}?X-Amz-Signature={SIGNED}",
        "StackId": "arn:aws:cloudformation:eu-central-1:123456789012:stack/farm/5ef1c5a0",
        "RequestId": f"call-{number}",
        "LogicalResourceId": "Images",
        "PhysicalResourceId": "image-reaper/Images/of-the-farm",
        "ResourceType": "Custom::Images",
        "ResourceProperties": {"ServiceToken": "arn", **properties},
    }


def event(step: Step, world: "World") -> tuple[Any, str]:
    """An event that is no queue's, and the function that it is for."""
    source = step["source"]
    asked = request(step, list(world.history.images.values()), world)
    if world.on_functiongraph:
        return functiongraph.event(source, asked, world), FUNCTIONS[source]
    made: Any = asked
    if source == "schedule":
        made = _bus("Scheduled Event", json.dumps(asked) if step.get("scheduler") else asked)
    elif source == "stack":
        made = _stack(asked, len(world.history.invocations))
    elif source == "lifecycle":
        made = _bus("Reaper Request", asked)
    elif source == "topic":
        sns = {"Type": "Notification", "MessageId": "n", "TopicArn": _ARN, "Message": json.dumps(asked)}
        made = {"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": sns}]}
    return made, FUNCTIONS[source]


def outcomes(invocation: Invocation) -> int:
    """How many images it dealt with."""
    return sum(
        '"message":"image.' in line and '"image.deleting"' not in line for line in invocation.printed.splitlines()
    )


def ending(invocation: Invocation) -> str:
    """How it ended, in a line that is the same in every run."""
    if invocation.died:
        return "died"
    told = [json.loads(line) for line in invocation.printed.splitlines() if '"message":"image.' in line]
    lines = " ".join(f"{one['message'][6:]}:{one.get('reason', '')}:{str(one.get('image_id'))[:4]}" for one in told)
    answer = invocation.answer or {}
    returned = [failure["itemIdentifier"] for failure in answer.get("batchItemFailures", ())]
    error = re.sub(r"127\.0\.0\.1:\d+", "cloud", re.sub(r"req-[0-9a-f-]{36}", "req", invocation.error))
    return f"{lines} returned {returned} {json.dumps(answer.get('counts', {}), sort_keys=True)} {error}"


def clock_of(seconds: float) -> str:
    """A moment of the world, for people."""
    return f"{EPOCH + timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S}"
