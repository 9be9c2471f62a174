"""Traces of Cloud Trace Service (CTS) that say that an image is being made, from its trigger or through EventGrid.

A trace says that a call was accepted, but not what came of it. So the image is read first: it must be active by then,
and owned by our project, whatever the trace says. The times, the request and the response in a trace come in several
forms, and are not read.

Sources: FunctionGraph user manual, "Using a CTS trigger"; EventGrid user manual, "Event specifications".
"""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from handler.errors import InvalidRequest, UnknownEvent
from handler.model.message import Message
from handler.model.request import Request
from handler.sources import activation
from handler.sources.parsing import message_of
from handler.sources.surroundings import Surroundings

Event = Mapping[str, Any]
_FAILURE = re.compile("[45][0-9]{2}")
"""An HTTP status that says that a call failed."""


def is_trace(event: Event) -> bool:
    """Whether this is an event of CTS, or one or several of EventGrid."""
    return "cts" in event or "specversion" in event or "events" in event


def read_traces(event: Event, given: Surroundings) -> tuple[Message, ...]:
    """Read the request for each trace that says that an image was made; any other trace asks for nothing.

    Raises UnknownEvent for anything that is no trace.
    """
    traces = [trace for where, found in _places(event) if _says_image(trace := _trace(found, where))]
    return tuple(message_of(partial(_request, trace, given)) for trace in traces)


def _places(event: Event) -> list[tuple[str, object]]:
    """Each place in an event where a trace must be, with what is there."""
    if "cts" in event:
        return [("cts", event["cts"])]
    if "events" not in event:
        return [("data", event.get("data"))]
    events = event["events"]
    if not isinstance(events, list) or not events:
        message = "events: must be a list of at least one event"
        raise UnknownEvent(message)
    return [(f"events[{n}].data", one.get("data") if isinstance(one, dict) else None) for n, one in enumerate(events)]


def _trace(found: object, where: str) -> dict[str, Any]:
    named = isinstance(found, dict) and all(isinstance(found.get(key), str) for key in ("service_type", "trace_name"))
    if not isinstance(found, dict) or not named:
        message = f"{where}: must be a trace of CTS, with service_type and trace_name"
        raise UnknownEvent(message)
    return found


def _says_image(trace: dict[str, Any]) -> bool:
    """Whether a trace says that a call to make an image was accepted."""
    is_made = (trace["service_type"], trace["trace_name"]) == ("IMS", "createImage")
    states = {trace.get("trace_status"), trace.get("trace_rating")} if is_made and _are_texts(trace) else {"unknown"}
    code = trace.get("code")
    failed = isinstance(code, int | str) and _FAILURE.fullmatch(str(code))
    return states <= {None, "", "normal"} and not failed


def _are_texts(trace: dict[str, Any]) -> bool:
    return all(isinstance(trace.get(key), str | None) for key in ("trace_status", "trace_rating"))


def _request(trace: dict[str, Any], given: Surroundings) -> Request:
    """The operator's request, for the project that the trace names, if it names one."""
    project_id = trace.get("project_id")
    # Some traces have none.
    project_id = "" if project_id is None else project_id
    if not isinstance(project_id, str):
        message = "project_id of the trace: must be a string"
        raise InvalidRequest(message)
    if not given.lifecycle:
        message = f"the trace says that an image was made, but {activation.TEMPLATE} is not set"
        raise InvalidRequest(message)
    request = activation.request_for(activation.values_of_trace(trace), given.lifecycle, is_accepted=True)
    if project_id and request.project_id not in {"", project_id}:
        message = f"project_id: the trace is of project {project_id}, the request for {request.project_id}"
        raise InvalidRequest(message)
    # Later, a request for another project than that of the credentials is turned down.
    return request._replace(project_id=project_id or request.project_id)
