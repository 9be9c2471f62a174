"""A cloud behind a firewall: reached through a proxy, with certificates of an authority that only its owner trusts."""

import json
import re
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from handler.engine.aws.callbacks import answer_stack
from handler.errors import AnswerNotDelivered
from handler.model.message import StackCall
from tests.aws import KEYS, REGION
from tests.conftest import Invocation, Invoke
from tests.fakecloud import FakeCloud, Server
from tests.fakecloud.front import Front
from tests.unit.conftest import SECRET_NAME, Store

HOST = "cloud.corp.invalid"
VAULT = f"secretsmanager.{REGION}.amazonaws.com"
Run = Callable[..., Invocation]


@pytest.fixture(params=["token", "signed"])
def proof(request: pytest.FixtureRequest) -> str:
    """What proves to the cloud who we are."""
    return str(request.param)


@pytest.fixture
def cloud(proof: str) -> FakeCloud:
    return FakeCloud(flavour="openstack" if proof == "token" else "otc")


@pytest.fixture
def server(cloud: FakeCloud) -> Iterator[Server]:
    with Server(cloud, called=f"https://{HOST}") as server:
        yield server


@pytest.fixture
def front(server: Server, moto: str) -> Iterator[Front]:
    """The proxy, which leads to the cloud, and to AWS."""
    at = urlsplit(moto)
    with Front(server, more={HOST: server.address, ".amazonaws.com": (str(at.hostname), at.port or 0)}) as front:
        front.login = "bob:s3cret@proxy"
        yield front


@pytest.fixture
def run(invoke_with: Invoke, store: Store, front: Front, cloud: FakeCloud, proof: str) -> Run:
    """Let a function delete an image that knows only where its secret is, and the proxy."""
    given = cloud.env(f"https://{HOST}") if proof == "token" else cloud.signing_env()
    ours = {name: value for name, value in given.items() if name.startswith("REAPER_")}
    held = {name: value for name, value in given.items() if name not in ours}
    store(held | {"CA_BUNDLE": Path(front.ca_file).read_text().replace("\n", r"\n")})
    # For AWS: the company's proxy opens what goes there, and closes it again with a certificate of its own.
    way = {"HTTPS_PROXY": front.url.replace("//", "//bob:s3cret%40proxy@"), "REQUESTS_CA_BUNDLE": front.ca_file}
    named = {"REAPER_CREDENTIALS_SECRET": SECRET_NAME, "REAPER_MODE": "delete"}

    def run_once(seconds: float = 30.0, **changed: str) -> Invocation:
        return invoke_with({"image_ids": [cloud.add_image()]}, KEYS | way | named | ours | changed, seconds)

    return run_once


def test_an_image_is_deleted_through_a_proxy_and_with_the_authority_in_the_secret(
    run: Run, cloud: FakeCloud, front: Front, moto: str, proof: str
) -> None:
    cloud.add_server(image="")
    ended = run(AWS_ENDPOINT_URL=moto, REQUESTS_CA_BUNDLE="")
    assert ended.answer["counts"] == {"deleted": 1}
    assert (len(cloud.images), len(cloud.dead)) == (0, 1)
    services = {f"{name}.eu-de.otc.t-systems.com" for name in ("ims", "ecs", "evs")}
    others = {HOST} if proof == "token" else services
    assert set(front.connects) == others
    assert "s3cret" not in ended.printed


@pytest.mark.parametrize("refusal", ["403 Forbidden", "502 Bad Gateway"])
def test_what_the_proxy_refuses_is_not_told_as_an_answer_of_the_cloud_and_deletes_nothing(
    refusal: str, run: Run, cloud: FakeCloud, front: Front
) -> None:
    assert run().answer["counts"] == {"deleted": 1}
    assert front.connects[0] == VAULT
    front.refusal = refusal
    cloud.calls.clear()
    front.hang_up()
    cloud.revoke_tokens()
    ended = run(5.0)  # enough for a first try, however busy the machine is
    (outcome,) = ended.answer["outcomes"]
    assert (outcome["outcome"], outcome["reason"]) == ("failed", "unavailable")
    assert re.search(rf"the proxy does not connect to \S+:443: it answered {refusal}$", outcome["detail"])
    assert (len(cloud.images), len(cloud.dead), cloud.calls) == (1, 1, [])


def test_a_wrong_password_of_the_proxy_keeps_the_secret_from_being_read(
    run: Run, cloud: FakeCloud, front: Front
) -> None:
    ended = run(HTTPS_PROXY=front.url.replace("//", "//bob:wr0ng-s3cret@"))
    refused = f"the proxy does not connect to {VAULT}:443: it answered 407 Proxy Authentication Required"
    assert str(ended.error) == f"REAPER_CREDENTIALS_SECRET: secretsmanager can't be reached: {refused}"
    assert "s3cret" not in "".join(traceback.format_exception(ended.error)) + ended.printed
    assert (len(cloud.images), cloud.calls) == (1, [])


def test_a_login_that_the_proxy_refuses_is_no_login_that_the_cloud_refuses(
    run: Run, cloud: FakeCloud, front: Front, moto: str
) -> None:
    ended = run(2.5, AWS_ENDPOINT_URL=moto, HTTPS_PROXY=front.url.replace("//", "//bob:wr0ng-s3cret@"))
    (outcome,) = ended.answer["outcomes"]
    assert (outcome["outcome"], outcome["reason"]) == ("failed", "unavailable")
    assert outcome["detail"].endswith(":443: it answered 407 Proxy Authentication Required")
    assert "s3cret" not in ended.printed
    assert (len(cloud.images), cloud.calls) == (1, [])


@pytest.mark.parametrize("proof", ["token"], indirect=True)
def test_a_host_of_no_proxy_is_asked_without_it(run: Run, cloud: FakeCloud, front: Front) -> None:
    ended = run(2.5, NO_PROXY="127.0.0.1,.corp.invalid")
    assert ended.answer["counts"] == {"failed": 1}
    assert set(front.connects) == {VAULT}
    assert cloud.calls == []


@pytest.mark.parametrize("proof", ["token"], indirect=True)
def test_cloudformation_is_answered_through_the_proxy(
    front: Front, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", front.url.replace("//", "//bob:s3cret%40proxy@"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", front.ca_file)
    call = StackCall(f"https://{HOST}/sink/stack?Signature=x", "stack", "request", "logical", "physical")
    answer_stack(call, "physical")
    assert json.loads(cloud.sink["stack"][0])["Status"] == "SUCCESS"
    front.refusal = "403 Forbidden"
    with pytest.raises(
        AnswerNotDelivered, match=f"the proxy does not connect to {HOST}:443: it answered 403"
    ) as caught:
        answer_stack(call, "physical")
    assert "Signature" not in str(caught.value)
