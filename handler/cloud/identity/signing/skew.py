"""Whether a signature was refused because of a wrong clock, and by how much it is wrong.

A gateway refuses a signature whose time differs from its own by more than 15 minutes. The keys are not to blame then.
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
    """How wrong our clock is, and the cure, if that is why a signature was refused; else an empty string."""
    # If a signature is wrong in another way, the answer quotes what was signed, and with it the date.
    sentence = answer.message.partition("canonicalRequest")[0]
    told = _SERVER_TIME.search(sentence)
    theirs = _time(told[1]) if told else read_date(response.headers.get("Date", ""))
    ours = _time(str(response.request.headers.get(DATE, "")))
    ahead = ours - theirs if ours and theirs else timedelta()
    cure = "set the clock of this machine; the keys may be good"
    if abs(ahead) > ALLOWED:
        minutes, direction = round(abs(ahead) / timedelta(minutes=1)), "ahead of" if ahead > timedelta() else "behind"
        problem = f"the clock of this machine is {minutes} minutes {direction} the cloud's"
        return f"{problem}, and so its signatures are refused: {cure}"
    if _EXPIRED.search(sentence):
        return f"the cloud refuses the time of our signature, X-Sdk-Date ({answer}): {cure}"
    return ""


def _time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, DATE_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None
