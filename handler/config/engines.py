"""The settings that only one engine can use."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidatorFunctionWrapHandler

from handler.config.secret import SECRET
from handler.config.signing import REGION, Runtime
from handler.errors import InvalidSettings

FAILED_TO = "REAPER_FAILED_TO"
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


def topic_or(text: str, address: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401 (the signature of pydantic)
    """The URN of a topic as it is; anything else must be an address."""
    return text if is_topic(text) else address(text)


def check_engine(given: Mapping[str, str], runtime: Runtime) -> None:
    """Refuse settings that this engine can't use; raises InvalidSettings, which names each of them."""
    problems = _for_functiongraph(given) if runtime.engine == "functiongraph" else _for_aws(given)
    if problems:
        raise InvalidSettings("; ".join(problems))


def _for_aws(given: Mapping[str, str]) -> list[str]:
    is_other = given.get(FAILED_TO, "").startswith("urn:")
    return [f"{FAILED_TO}: SMN topics are for FunctionGraph: name an SQS queue by its address"] if is_other else []


def _for_functiongraph(given: Mapping[str, str]) -> list[str]:
    wrong = [name for name in _NEEDS_AWS if given.get(name) and (name, given[name]) != _OFF]
    problems = [f"{name}: needs AWS, and this is FunctionGraph: {_NEEDS_AWS[name]}" for name in wrong]
    topic, region = given.get(FAILED_TO), given.get(REGION)
    if not topic:
        return problems
    found = _TOPIC.fullmatch(topic)
    if not found:
        problems.append(f"{FAILED_TO}: must be the URN of an SMN topic, such as urn:smn:eu-de:<project id>:failures")
    elif region and found[1] != region:
        problems.append(f"{FAILED_TO}: is a topic in {found[1]}, and {REGION} is {region}: name one in the same region")
    return problems


_OFF = ("REAPER_COMPLETE_LIFECYCLE_ACTION", "off")
