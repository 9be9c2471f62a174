"""The CPU time that a signature costs a request, compared with a token on the same request."""

import time

import requests
from requests.auth import AuthBase

from handler.clock import Deadline
from handler.cloud.identity.identity import Home
from handler.cloud.identity.signing.access import Keys, Signing
from handler.cloud.identity.signing.signed import SignedIdentity
from handler.cloud.identity.token import TokenAuth
from handler.cloud.places.session import new_session
from tests.bench.rows import Hold, Row, in_turns
from tests.fakecloud import DEMO

REQUESTS = 1000
IMAGE = "https://ims.eu-de.otc.t-systems.com/v2/images/6cad483b-e281-4985-a345-7afef1f3c5b7"
LISTED = {"owner": DEMO, "limit": "1000", "marker": "6cad483b-e281-4985-a345-7afef1f3c5b7"}
KEYS = Keys("EXAMPLEAK0000000000A", "exampleSecretKey0000000000000000000000AB", "t0k3n" * 600)
"""The keys of an agency, whose security token is long."""
MILLISECONDS = 0.15


class Signed:
    """The signature of each request, as a run gets it."""

    def __init__(self) -> None:
        signing = Signing(lambda: KEYS, DEMO, "eu-de")
        self._identity = SignedIdentity(signing, new_session(1, verify=True), home=Home())
        self._deadline = Deadline(lambda: 60.0)

    def __call__(self) -> AuthBase:
        return self._identity.auth(self._deadline)


class Token:
    """A token on each request."""

    def __init__(self) -> None:
        self._deadline = Deadline(lambda: 60.0)

    def __call__(self) -> AuthBase:
        return TokenAuth("t0k3n" * 36, str, self._deadline, lambda _url: None)


def cpu(auth: Signed | Token) -> float:
    """Milliseconds of CPU to prepare a request."""
    session = new_session(1, verify=True)
    begun = time.process_time()
    for number in range(REQUESTS):
        # Of three requests, one is a list.
        params = LISTED if number % 3 == 0 else None
        session.prepare_request(requests.Request("GET", IMAGE, params=params, auth=auth()))
    return (time.process_time() - begun) * 1000 / REQUESTS


def test_a_signature_costs_at_most_0_15_ms_of_cpu_more_than_a_token(hold: Hold) -> None:
    signed, token = Signed(), Token()
    ours, theirs = in_turns(lambda: cpu(signed), lambda: cpu(token))
    more = [our - their for our, their in zip(ours, theirs, strict=True)]
    hold(Row("a signature on a request, CPU more than a token", most=MILLISECONDS, ours=more, unit="ms"))
