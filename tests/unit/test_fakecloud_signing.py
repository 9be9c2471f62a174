"""The fake gateway that checks signatures, the front with the real names of hosts, and the topics of SMN."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests

from handler.cloud.identity.signing.access import Keys
from handler.cloud.identity.signing.auth import Signer
from tests.fakecloud import DEMO, OTHER, FakeCloud, Server
from tests.fakecloud.front import Front
from tests.fakecloud.keys import KEY_ID, KEY_SECRET, LOCKED_FOR, NEIGHBOUR_ID
from tests.signing import keys_of

IMS = "https://ims.eu-de.otc.t-systems.com"
OURS = Keys(KEY_ID, KEY_SECRET)


class Caller:
    """Sends signed requests through the front, and may spoil them before they leave."""

    def __init__(self, front: Front) -> None:
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.proxies = {"https": front.url}
        self.session.verify = front.ca_file

    def ask(  # noqa: PLR0913, PLR0917 (a request has that many parts)
        self,
        url: str,
        keys: Keys = OURS,
        method: str = "GET",
        body: object = None,
        project: str = DEMO,
        spoil: tuple[str, str | None] = ("", None),
    ) -> requests.Response:
        prepared = requests.Request(method, url, json=body).prepare()
        signed = Signer(keys, project, lambda _url: None)(prepared)
        name, value = spoil
        if value is not None:
            signed.headers[name] = value
        elif name:
            del signed.headers[name]
        return self.session.send(signed)


@pytest.fixture
def cloud() -> FakeCloud:
    return FakeCloud("otc")


@pytest.fixture
def front(cloud: FakeCloud) -> Iterator[Front]:
    with Server(cloud) as server, Front(server) as front:
        yield front


@pytest.fixture
def caller(front: Front) -> Caller:
    return Caller(front)


def said(response: requests.Response) -> tuple[int, str, str]:
    """Status, code and sentence of a refusal by the gateway."""
    body: dict[str, Any] = response.json()
    return response.status_code, body["error_code"], body["error_msg"].removeprefix("Incorrect IAM authentication inf")


def test_a_signed_request_is_served_in_the_project_of_its_key(cloud: FakeCloud, caller: Caller) -> None:
    ours, theirs = cloud.add_image(), cloud.add_image(owner=OTHER)
    assert caller.ask(f"{IMS}/v2/images/{ours}").json()["id"] == ours
    assert caller.ask(f"{IMS}/v2/images/{theirs}").status_code == 404
    neighbour = keys_of(cloud.keys.known[NEIGHBOUR_ID])
    assert caller.ask(f"{IMS}/v2/images/{theirs}", neighbour, project=OTHER).status_code == 200
    assert said(caller.ask(f"{IMS}/v2/images/{ours}", neighbour))[:2] == (403, "APIGW.0310")


REFUSED = {
    "signature": ({"keys": Keys(KEY_ID, "guessed")}, "verify aksk signature fail, canonicalRequest:GET|/v2/images/||"),
    "key": ({"keys": Keys("AK", KEY_SECRET)}, "Get secretKey failed,ak:AK,err:ak not exist"),
    "date": ({"spoil": ("X-Sdk-Date", None)}, "x-sdk-date is missing or invalid"),
    "date of another form": ({"spoil": ("X-Sdk-Date", "2026-01-01")}, "x-sdk-date is missing or invalid"),
    "old date": ({"spoil": ("X-Sdk-Date", "20200101T000000Z")}, "signature expired, signature time:20200101T000000Z"),
    "project": ({"spoil": ("X-Project-Id", OTHER)}, "verify aksk signature fail"),
    "host": ({"spoil": ("Host", "ims.eu-nl.otc.t-systems.com")}, "verify aksk signature fail"),
    "missing header": ({"spoil": ("X-Project-Id", None)}, "verify aksk signature fail"),
    "authorization": ({"spoil": ("Authorization", "SDK-HMAC-SHA256 nothing")}, "can't be read"),
    "token of lasting keys": ({"keys": Keys(KEY_ID, KEY_SECRET, "token")}, "the access key is not temporary"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_wrong_signature_is_turned_down_in_the_words_of_the_gateway(what: str, caller: Caller) -> None:
    options, sentence = REFUSED[what]
    status, code, message = said(caller.ask(f"{IMS}/v2/images", **options))  # type: ignore[arg-type]  # of each kind
    assert (status, code) == (401, "APIGW.0301")
    assert sentence in message


def test_neither_the_order_nor_the_spelling_of_a_query_matters(caller: Caller) -> None:
    signed = Signer(OURS, DEMO, lambda _url: None)(
        requests.Request("GET", f"{IMS}/v2/images?name=~a&limit=1").prepare()
    )
    for query, status in (
        ("name=%7Ea&limit=1", 200),
        ("limit=1&name=~a", 200),
        ("name=~a", 401),
        ("limit=1&name=b", 401),
    ):
        signed.url = f"{IMS}/v2/images?{query}"
        assert caller.session.send(signed).status_code == status


def test_what_is_not_signed_and_has_no_token_is_turned_down(caller: Caller) -> None:
    assert "X-Auth-Token not found" in said(caller.session.get(f"{IMS}/v2/images"))[2]


def test_temporary_keys_need_their_token_until_they_expire(cloud: FakeCloud, caller: Caller) -> None:
    keys = keys_of(cloud.keys.temporary(lives=3600))
    assert caller.ask(f"{IMS}/v2/images", keys).status_code == 200
    assert "security token is missing" in said(caller.ask(f"{IMS}/v2/images", keys._replace(security_token="")))[2]
    cloud.keys.known[keys.access_key].expires = cloud.keys.now
    assert "security token has expired" in said(caller.ask(f"{IMS}/v2/images", keys))[2]


def test_more_than_five_failures_in_a_row_lock_a_key_for_five_minutes(cloud: FakeCloud, caller: Caller) -> None:
    wrong = Keys(KEY_ID, "guessed")
    for keys in [*[wrong] * 5, OURS, *[wrong] * 5, OURS, *[wrong] * 5]:
        answer = caller.ask(f"{IMS}/v2/images", keys)
        assert (answer.status_code == 200) == (keys == OURS)
    caller.ask(f"{IMS}/v2/images", wrong)
    assert "AK access failed to reach the limit,forbidden" in said(caller.ask(f"{IMS}/v2/images"))[2]
    until = cloud.keys.known[KEY_ID].locked_until
    assert until is not None
    cloud.keys.known[KEY_ID].locked_until = until - LOCKED_FOR
    assert caller.ask(f"{IMS}/v2/images").status_code == 200


@pytest.mark.parametrize("minutes", [16, -16])
def test_a_signature_of_another_time_is_refused_with_either_code(
    minutes: int, cloud: FakeCloud, caller: Caller
) -> None:
    cloud.keys.ahead = timedelta(minutes=minutes)
    refused = caller.ask(f"{IMS}/v2/images")
    assert said(refused)[1] == "APIGW.0301"
    off = parsedate_to_datetime(refused.headers["Date"]) - datetime.now(UTC)
    assert round(off / timedelta(minutes=1)) == minutes
    cloud.keys.skew_code = "APIGW.0303"
    status, code, message = said(caller.ask(f"{IMS}/v2/images"))
    assert (status, code) == (401, "APIGW.0303")
    assert "Incorrect app authentication information: signature expired" in message


def test_keys_that_may_not_do_something_are_told_the_action(cloud: FakeCloud, caller: Caller) -> None:
    keys = keys_of(cloud.keys.temporary(may=["ims:images:get"]))
    image = cloud.add_image()
    assert caller.ask(f"{IMS}/v2/images/{image}", keys).status_code == 200
    refused = caller.ask(f"{IMS}/v2/images/{image}", keys, "DELETE")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "IMG.0026")
    assert "ims:images:delete" in refused.json()["error"]["message"]
    ecs = caller.ask(f"https://ecs.eu-de.otc.t-systems.com/v2.1/{DEMO}/servers/detail", keys)
    assert (ecs.status_code, ecs.json()["error"]["code"]) == (403, "Ecs.0003")


def test_links_and_the_catalogue_name_the_hosts_that_were_asked(cloud: FakeCloud, caller: Caller) -> None:
    for _ in range(2):
        cloud.add_server()
    ecs = "https://ecs.eu-de.otc.t-systems.com"
    listed = caller.ask(f"{ecs}/v2.1/{DEMO}/servers/detail?limit=1").json()
    assert listed["servers"][0]["links"][0]["href"].startswith(f"{ecs}/v2.1/{DEMO}/servers/")
    assert listed["servers_links"][0]["href"].startswith(f"{ecs}/v2.1/{DEMO}/servers/detail?")
    auth = {"identity": {"methods": ["token"], "token": {"id": cloud.env("", "v3token")["OS_TOKEN"]}}}
    scoped = {"auth": auth | {"scope": {"project": {"id": DEMO}}}}
    token = caller.session.post("https://iam.eu-de.otc.t-systems.com/v3/auth/tokens", json=scoped).json()["token"]
    urls = {service["type"]: service["endpoints"][0]["url"] for service in token["catalog"]}
    assert urls["image"] == IMS
    assert urls["volumev3"] == f"https://evs.eu-de.otc.t-systems.com/v3/{DEMO}"


def test_the_front_leads_nowhere_else(front: Front, caller: Caller) -> None:
    with pytest.raises(requests.exceptions.ProxyError):
        caller.session.get("https://example.com/")
    assert front.connects == ["example.com"]


def test_another_program_goes_through_the_front_with_variables_alone(cloud: FakeCloud, front: Front) -> None:
    image = cloud.add_image()
    token = cloud.env("", "v3token")["OS_TOKEN"]
    script = (
        "import requests, sys\n"
        f"answer = requests.get('{IMS}/v2/images/{image}', headers={{'X-Auth-Token': sys.argv[1]}})\n"
        "print(answer.status_code)"
    )
    environment = {"PATH": os.environ["PATH"], **front.client_environment()}
    done = subprocess.run([sys.executable, "-c", script, token], env=environment, capture_output=True, check=True)  # noqa: S603 (our own)
    assert done.stdout == b"200\n"


SMN = f"https://smn.eu-de.otc.t-systems.com/v2/{DEMO}/notifications/topics"


def test_what_is_published_to_a_topic_is_kept(cloud: FakeCloud, caller: Caller) -> None:
    topic = cloud.add_topic()
    message = {"subject": "failed", "message": json.dumps({"image_ids": []})}
    answer = caller.ask(f"{SMN}/{topic}/publish", method="POST", body=message)
    assert (answer.status_code, set(answer.json())) == (200, {"message_id", "request_id"})
    assert cloud.topics[topic] == [message]


UNPUBLISHED = {
    "no such topic": ("urn:smn:eu-de:x:nowhere", {"message": "m"}, 404),
    "nothing": ("", {}, 400),
    "no text": ("", {"message": {}}, 400),
    "too large": ("", {"message": "ä" * (128 * 1024) + "b"}, 400),
    "a long subject": ("", {"message": "m", "subject": "s" * 513}, 400),
}


@pytest.mark.parametrize("what", UNPUBLISHED)
def test_what_can_not_be_published_is_turned_down(what: str, cloud: FakeCloud, caller: Caller) -> None:
    topic, body, status = UNPUBLISHED[what]
    ours = cloud.add_topic()
    answer = caller.ask(f"{SMN}/{topic or ours}/publish", method="POST", body=body)
    assert (answer.status_code, answer.json()["code"][:4]) == (status, "SMN.")
    assert not cloud.topics[ours]


def test_keys_that_may_not_publish_are_told_so(cloud: FakeCloud, caller: Caller) -> None:
    topic = cloud.add_topic()
    keys = keys_of(cloud.keys.temporary(may=[]))
    answer = caller.ask(f"{SMN}/{topic}/publish", keys, "POST", {"message": "m"})
    assert answer.status_code == 403
    assert "smn:topic:publish" in answer.json()["message"]
