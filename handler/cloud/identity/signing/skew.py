"""Whether a signature was refused because of a wrong clock, and by how much it is wrong.

A gateway refuses signatures that are older or newer than 15 minutes. No key is to be blamed for that.
"""

import re
from datetime import UTC, datetime, timedelta

import requests

from handler.cloud.fields import read_date
from handler.cloud.identity.signing.auth import DATE, DATE_FORMAT
from handler.cloud.meanings import Answer

ALLOWED = timedelta(minutes=15)
_EXPIRED = re.compile(r"(?i)signature expired|x-sdk-date")
_SERVER_TIME = re.compile(r"(?i)server time: ?(\d{8}T\d{6}Z)")


def clock_problem(response: requests.Response, answer: Answer) -> str:
    """Say how wrong our clock is, if that is why a signature was refused; else an empty text."""
    # A signature that is wrong in another way is quoted, and its date with it.
    sentence = answer.message.partition("canonicalRequest")[0]
    told = _SERVER_TIME.search(sentence)
    theirs = _time(told[1]) if told else read_date(response.headers.get("Date", ""))
    ours = _time(str(response.request.headers.get(DATE, "")))
    ahead = ours - theirs if ours and theirs else timedelta()
    cure = "set the clock of this machine; the keys may be good"
    if abs(ahead) > ALLOWED:
        minutes, direction = round(abs(ahead) / timedelta(minutes=1)), "ahead of" if ahead > timedelta() else "behind"
        return (
            f"the clock of this machine is {minutes} minutes {direction} the cloud's, which refuses signatures: {cure}"
        )
    if _EXPIRED.search(sentence):
        return f"the cloud refuses the time of our signature, X-Sdk-Date ({answer}): {cure}"
    return ""


def _time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, DATE_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None
