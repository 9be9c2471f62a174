"""Whether what is sent to an address can be read on the way there. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping

from handler.cloud.places.catalogue import Catalogue
from handler.errors import InvalidSettings, Unexpected
from handler.model.address import is_this_machine
from handler.model.masking import masked

RUNTIME = ("http://169.254.170.2/", "http://169.254.170.23/", "http://[fd00:ec2::23]/")
"""Where the runtime of AWS hands out keys: in plain text, over a link that does not leave the machine.

Source: AWS SDKs and tools reference guide, "Container credential provider".
"""

_EXAMPLES = {
    "OS_AUTH_URL": "https://keystone.example:5000/v3",
    "REAPER_IMAGE_ENDPOINT": "https://glance.example:9292",
    "REAPER_COMPUTE_ENDPOINT": "https://nova.example:8774/v2.1",
    "REAPER_FANOUT_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/image-reaper-workers",
}


def check_addresses(given: Mapping[str, str], names: Iterable[str], *, allowed: bool) -> None:
    """Refuse an address among settings that holds a password; or, unless that is `allowed`, one in plain text.

    Raises InvalidSettings, which names the setting and shows nothing of the address.
    """
    for name in filter(given.get, names):
        hands_out_keys = name == "AWS_CONTAINER_CREDENTIALS_FULL_URI" and given[name].startswith(RUNTIME)
        problem = ""
        if "@" in given[name]:
            problem = "must not hold a user or a password: leave out what stands before the @"
        elif not (allowed or hands_out_keys or is_confidential(given[name])):
            problem = _why_not_confidential(name, given[name])
        if problem:
            message = f"{name}: {problem}"
            raise InvalidSettings(message) from None


def _why_not_confidential(name: str, address: str) -> str:
    # A name alone is in no danger of being read on its way: nothing could be sent to it.
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://[^/]", address):
        return "must be an https address: what is sent there could be read on its way"
    return f"must be an https address with its host, such as {_EXAMPLES.get(name, 'https://service.example')}"


def is_confidential(address: str) -> bool:
    """Whether an address is https, or is on this machine, so that nobody on the way can read what it is sent."""
    # An address that another parser could understand in another way is trusted by none.
    if re.search(r"[\\\x00-\x20]", address):
        return False
    return address.lower().startswith("https://") or is_this_machine(address)


def check_confidential(catalogue: Callable[[], Catalogue], address: str) -> None:
    """Check that a token which goes to an address can't be read on its way.

    Raises Unexpected, which ends the run: every other image would meet the same address.
    """
    if is_confidential(address):
        return
    at = (endpoint.service for endpoint in catalogue().endpoints if address.startswith(endpoint.url))
    cure = "name one in the catalogue, in REAPER_IMAGE_ENDPOINT or in REAPER_COMPUTE_ENDPOINT"
    problem = f"the address of {next(at, 'a service')} is {masked(address)}"
    message = f"{problem}: a token goes only to an https address; {cure}"
    raise Unexpected(message, ends_run=True)


def allow(_address: str) -> None:
    """Let a token go to any address: REAPER_ALLOW_PLAINTEXT."""
