"""The settings that only one engine can use."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidatorFunctionWrapHandler

from handler.config.secret import SECRET
from handler.config.signing import REGION, REGION_NAME, Runtime
from handler.errors import InvalidSettings

FAILED_TO = "REAPER_FAILED_TO"
NOTICE_TOPIC = "REAPER_NOTICE_TOPIC"
REPORT_BUCKET = "REAPER_REPORT_BUCKET"
_TOPIC = re.compile(r"urn:smn:([a-z0-9-]+):([A-Za-z0-9_-]+):([A-Za-z0-9_-]{1,255})")
_NEEDS_AWS = {
    "REAPER_STATE_TABLE": "leave it out",
    "REAPER_BUDGET": "set REAPER_MAX_IMAGES and the caps of sweeps instead",
    "REAPER_FANOUT_QUEUE_URL": "leave it out: the function deletes what it finds",
    SECRET: "use REAPER_AUTH=agency, which needs no secret",
    "REAPER_COMPLETE_LIFECYCLE_ACTION": "leave it out",
}
"""The settings that need AWS, and what to do instead."""


def is_topic(text: str) -> bool:
    """Whether this is the URN of a topic of SMN."""
    return _TOPIC.fullmatch(text) is not None


_SNS = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}")


def check_topic(text: str) -> str:
    """Return the name of a topic for notices as it is; raises ValueError for anything else, and for a FIFO topic."""
    if text.endswith(".fifo"):
        message = "must not be a FIFO topic: nobody can subscribe to one by e-mail"
        raise ValueError(message)
    if text and not is_topic(text) and not _SNS.fullmatch(text):
        message = "must be the ARN of an SNS topic, or on FunctionGraph the URN of an SMN topic"
        raise ValueError(message)
    return text


def topic_or(text: str, address: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401 (the signature of pydantic)
    """The URN of a topic as it is; anything else must be an address."""
    return text if is_topic(text) else address(text)


def check_engine(given: Mapping[str, str], runtime: Runtime) -> None:
    """Refuse settings that this engine can't use; raises InvalidSettings, which names each of them."""
    problems = _for_functiongraph(given) if runtime.engine == "functiongraph" else _for_aws(given)
    if problems:
        raise InvalidSettings("; ".join(problems))


def _for_aws(given: Mapping[str, str]) -> list[str]:
    cures = {FAILED_TO: "an SQS queue by its address", NOTICE_TOPIC: "an SNS topic by its ARN"}
    return [
        f"{name}: SMN topics are for FunctionGraph: name {cure}"
        for name, cure in cures.items()
        if given.get(name, "").startswith("urn:")
    ]


def _for_functiongraph(given: Mapping[str, str]) -> list[str]:
    wrong = [name for name in _NEEDS_AWS if given.get(name) and (name, given[name]) != _OFF]
    problems = [f"{name}: needs AWS, and this is FunctionGraph: {_NEEDS_AWS[name]}" for name in wrong]
    topics = (problem for name in (FAILED_TO, NOTICE_TOPIC) if (problem := _elsewhere(name, given)))
    return [*problems, *topics, *_without_region(given)]


def _without_region(given: Mapping[str, str]) -> list[str]:
    """What is missing for a bucket: its region is a part of its address, also where a token says who we are."""
    is_known = REPORT_BUCKET not in given or re.fullmatch(REGION_NAME, given.get(REGION, ""))
    return [] if is_known else [f"{REPORT_BUCKET}: needs {REGION}, the region of the bucket, such as eu-de"]


def _elsewhere(name: str, given: Mapping[str, str]) -> str:
    """What is wrong with a topic that a setting names; empty if nothing is, or if it names none."""
    topic, region = given.get(name), given.get(REGION)
    if not topic:
        return ""
    found = _TOPIC.fullmatch(topic)
    if not found:
        return f"{name}: must be the URN of an SMN topic, such as urn:smn:eu-de:<project id>:failures"
    if region and found[1] != region:
        return f"{name}: is a topic in {found[1]}, and {REGION} is {region}: name one in the same region"
    return ""


_OFF = ("REAPER_COMPLETE_LIFECYCLE_ACTION", "off")
