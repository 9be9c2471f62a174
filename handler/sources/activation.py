"""Events that report an image as active, and the request that the operator has written for them.

The request is a template, `REAPER_LIFECYCLE_REQUEST`. In its strings, `{name}` is replaced by the name of the image,
`{family}` by that name up to its last hyphen, `{image_id}` and `{owner}` by the id and the owner of the image.
"""

import re
from collections.abc import Mapping
from typing import Any

from handler.errors import InvalidRequest
from handler.model.request import LONGEST_REASON, Request, SweepRequest, Target
from handler.rules.selection import family
from handler.sources.parsing import read_json
from handler.sources.schema import read_deletion, read_request

TEMPLATE = "REAPER_LIFECYCLE_REQUEST"
DETAIL_TYPE = "Image Activated"
"""The detail-type of image-reaper's own event. Its detail holds `name`, and may hold `image_id` and `owner`."""
# Every placeholder there is, with a value. A template is tried with these when the settings are read: a mistake in it
# stops the function at once, not at the first event weeks later.
EXAMPLE = {
    "name": "ci-1",
    "family": "ci",
    "image_id": "6cad483b-e281-4985-a345-7afef1f3c501",
    "owner": "9c53a566cb3443ab910cf0daebca90c4",
}
_SUCCESSFUL_TRACE = {"service_type": "IMS", "trace_name": "createImage", "trace_status": "normal"}
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_GLOB = re.compile(r"([*?[])")


def activated(detail_type: str, detail: Mapping[str, Any]) -> dict[str, str] | None:
    """What an event says about an image that has become active, by placeholder; None if it is another event.

    Sources: Glance's notification `image.activate`, also as oslo.messaging wraps it; the trace `createImage` of Cloud
    Trace Service, by itself or as its trigger sends it; our own detail-type.
    """
    if isinstance(wrapped := detail.get("oslo.message"), str):
        detail = read_json(wrapped, "detail.oslo.message")
    payload, trace = detail.get("payload"), detail.get("cts", detail)
    if detail.get("event_type") == "image.activate" and isinstance(payload, dict):
        return _placeholders(payload, "name", "id", "owner")
    if isinstance(trace, dict) and _SUCCESSFUL_TRACE.items() <= {"trace_status": "normal", **trace}.items():
        return values_of_trace(trace)
    return _placeholders(detail, "name", "image_id", "owner") if detail_type == DETAIL_TYPE else None


def values_of_trace(trace: Mapping[str, Any]) -> dict[str, str]:
    """What a trace `createImage` of Cloud Trace Service says about its image, by placeholder."""
    return _placeholders(trace, "resource_name", "resource_id", "project_id")


def request_for(values: Mapping[str, str], template: str, *, is_accepted: bool = False) -> Request:
    """Fill in the template and read the request. Raises InvalidRequest, also if the event lacks a value for it.

    With `is_accepted`, the event says only that making the image was accepted: the image need not be active yet.
    """
    request = read_request(_filled(read_json(template, TEMPLATE), values, ()))
    # What the event says of the image is checked in the project that it is in, before anything is done.
    if isinstance(request, SweepRequest) and request.projects:
        message = 'projects: an image is in one project: say "project_id": "{owner}" instead'
        raise InvalidRequest(message)
    return request._replace(activated=_activated_image(values, {} if is_accepted else {"status": "active"}))


def check(template: str) -> Request:
    """Fill in the template with an example; raises InvalidRequest if no event could turn it into a valid request."""
    return request_for(EXAMPLE, template)


def _activated_image(values: Mapping[str, str], state: Mapping[str, str]) -> Target:
    """The image, and what the event says of it: anyone who may send an event may write any name or owner into it."""
    said = {key: values[key] for key in ("name", "owner") if key in values}
    given = {"images": [{"id": _value("image_id", values, is_glob=False), "expect": {**said, **state}}]}
    try:
        (image,) = read_deletion(given).targets
    except InvalidRequest as error:
        message = f"image_id of the event: {error}"
        raise InvalidRequest(message) from error
    return image


def _placeholders(told: Mapping[str, Any], name: str, image_id: str, owner: str) -> dict[str, str]:
    values = {"name": told.get(name), "image_id": told.get(image_id), "owner": told.get(owner)}
    texts = {key: value for key, value in values.items() if isinstance(value, str) and value}
    return {**texts, "family": family(texts["name"])} if "name" in texts else texts


def _filled(value: Any, values: Mapping[str, str], place: tuple[str, ...]) -> Any:  # noqa: ANN401 (JSON may be anything)
    if isinstance(value, dict):
        return {key: _filled(item, values, (*place, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, values, place) for item in value]
    if not isinstance(value, str):
        return value
    is_glob = place == ("sweep", "select", "name")
    filled = _PLACEHOLDER.sub(lambda found: _value(found[1], values, is_glob=is_glob), value)
    # A long name may make the reason longer than the schema takes. That is no ground for turning the request down.
    return filled[:LONGEST_REASON] if place == ("reason",) else filled


def _value(key: str, values: Mapping[str, str], *, is_glob: bool) -> str:
    """The value of a placeholder. In a glob it is escaped: an image named `*` must not select every image."""
    if key not in EXAMPLE:
        message = f"{{{key}}} is none of {', '.join(f'{{{known}}}' for known in EXAMPLE)}"
        raise InvalidRequest(message)
    if key not in values:
        message = f"the event does not give the {key} of the image"
        raise InvalidRequest(message)
    return _GLOB.sub(r"[\1]", values[key]) if is_glob else values[key]
