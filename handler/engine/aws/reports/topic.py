"""Notices by SNS. Source: Amazon SNS API reference, Publish; developer guide, "Amazon SNS message attributes"."""

import json
import re
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

import requests

from handler.clock import Deadline
from handler.engine.aws.access import AwsAccess
from handler.engine.aws.calls import patiently, post, refusal, succeeded
from handler.engine.notices import MOST_BYTES, subject_of, text_of, values_of
from handler.errors import AwsFault, CloudError
from handler.model.notice import Notice

MOST_ATTRIBUTES = 9
"""A subscription that gets messages as they are loses those with more than ten."""
LONGEST_VALUE = 20_000
"""Bytes of one attribute, so that there is room for the text beside all of them."""
_ID = re.compile(rb"<MessageId>[0-9A-Za-z-]+</MessageId>")


class _Attribute(NamedTuple):
    name: str
    data_type: str
    value: str

    @property
    def size(self) -> int:
        return sum(len(part.encode()) for part in self)


def notify(notice: Notice, topic: str, access: AwsAccess, deadline: Deadline) -> str:
    """Publish a notice to a topic, by its ARN; returns why it was not published, or an empty string. Raises nothing.

    What does not fit into a message is left out of it. If an answer is lost, a notice may come twice.
    """
    form = {"Action": "Publish", "Version": "2010-03-31", "TopicArn": topic, **_fields(notice)}
    try:
        deadline.check()
        return _problem(patiently(lambda: post("sns", access.in_region_of(topic), {}, form)))
    except (AwsFault, CloudError) as exc:
        return str(exc)


def _problem(response: requests.Response) -> str:
    # A 200 is not enough: it may come from a proxy. Only an id shows that SNS has the message.
    if succeeded(response) and _ID.search(response.content):
        return ""
    return refusal("sns", response)


def _fields(notice: Notice) -> dict[str, str]:
    """The notice as the fields of a form; nothing in it is empty, since SNS takes nothing that is."""
    attributes = _attributes(notice.attributes)
    subject = subject_of(notice.subject)
    room = MOST_BYTES - len(subject) - sum(attribute.size for attribute in attributes)
    fields = {"Subject": subject, "Message": text_of(notice.text, room) or subject}
    for number, attribute in enumerate(attributes, 1):
        entry = f"MessageAttributes.entry.{number}"
        fields[f"{entry}.Name"] = attribute.name
        fields[f"{entry}.Value.DataType"] = attribute.data_type
        fields[f"{entry}.Value.StringValue"] = attribute.value
    return {name: value for name, value in fields.items() if value}


def _attributes(given: Mapping[str, str | tuple[str, ...]]) -> list[_Attribute]:
    found = (_attribute(name, value) for name, value in given.items())
    return [attribute for attribute in found if attribute][:MOST_ATTRIBUTES]


def _attribute(name: str, value: str | tuple[str, ...]) -> _Attribute | None:
    """An attribute of a message, None if it would be empty. A value that is too long for it can't be filtered by."""
    values = _fitting(values_of(value))
    if not values:
        return None
    if isinstance(value, str):
        return _Attribute(name=name, data_type="String", value=values[0])
    return _Attribute(name=name, data_type="String.Array", value=json.dumps(values))


def _fitting(values: Sequence[str]) -> list[str]:
    """The first values, as many as have room in one attribute."""
    # As JSON in ASCII, with quotes and a comma: never shorter than as it is.
    sizes = accumulate(len(json.dumps(value)) + len(", ") for value in values)
    return [value for value, size in zip(values, sizes, strict=True) if size <= LONGEST_VALUE]
