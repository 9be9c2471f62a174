"""The owner of the images that keys list: nothing else proves that the keys are for the project in the settings.

A token names its project. Keys do not, and with the keys of another project every image of ours looks already gone.
"""

from collections.abc import Callable

import requests
from requests import exceptions as wire
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from handler.clock import Deadline
from handler.cloud.asking.failures import error_of, error_of_wire
from handler.cloud.fields import objects, read_body, text
from handler.cloud.meanings import read_answer
from handler.errors import Unexpected

_NOT_THEIRS = ": HUAWEICLOUD_SDK_PROJECT_ID must be a project of these keys, in the region OS_REGION_NAME"


def owner_in(
    session: requests.Session, listing: str, auth: AuthBase, deadline: Deadline, scrub: Callable[[str], str]
) -> str | None:
    """The owner of the first private image in a list, None if there is none in it. May raise CloudError."""
    timeout = deadline.timeout()
    try:
        # A fence of its own: if the thread has a permit for another request, that is no permit for this one.
        with deadline.fence.around():
            response = session.get(listing, auth=auth, timeout=timeout, allow_redirects=False)
    except (wire.RequestException, HTTPError) as exc:
        raise error_of_wire(exc, scrub, session) from exc
    answer = read_answer(response.status_code, response.content.decode(errors="replace"), response.headers, scrub)
    if error := error_of("GET", response, answer):
        # Made anew, without `is_paced`: this request has taken no slot from the pace.
        problem = f"{error}{_NOT_THEIRS}" if answer.code == "APIGW.0310" else str(error)
        raise type(error)(problem, retry_after=error.retry_after)
    if response.status_code != requests.codes.ok:
        message = f"GET answered {answer}"
        raise Unexpected(message)
    images = objects(read_body(response.content), "images")
    return text(images[0], "owner") if images else None
