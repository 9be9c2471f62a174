"""No token and no password goes where it could be read on the way."""

from typing import Any

import pytest
import requests

from handler.clock import Deadline
from handler.cloud.identity.keystone import KeystoneIdentity, login_with
from handler.cloud.places.plaintext import is_confidential
from handler.cloud.places.session import new_session
from handler.config.settings import Settings
from handler.errors import InvalidSettings, Unexpected
from tests.conftest import Invoke
from tests.fakecloud import FakeCloud, Server
from tests.faults import TOKENS_PATH

SECRET = "hunter2"
HERE = ["http://127.0.0.1/", "http://127.8.9.1:80", "http://localhost:5000/v3", "http://[::1]:9292", "HTTP://LOCALHOST"]
MAPPED = "http://[::ffff:127.0.0.1]/"
CONFIDENTIAL = [*HERE, MAPPED, "https://cloud.example.com/", "HTTPS://cloud.example.com", "http://bob:pw@127.0.0.1:80/"]
IN_CLEAR = [
    "http://cloud.example.com/",
    "HTTP://cloud.example.com/",
    "http://10.0.0.1/",
    "http://0.0.0.0/",
    "http://[::]/",
    "http://[fe80::1]/",
    "http://localhost.example.com/",
    "http://127.0.0.1.example.com/",
    "http://127.0.0.1@cloud.example.com/",
    "http://cloud.example.com\\@127.0.0.1/",
    "http://cloud.example.com#@127.0.0.1/",
    "http://127.1/",
    "http://[::1",
    "http:///v3",
    "//127.0.0.1/",
    "ftp://127.0.0.1/",
    " https://cloud.example.com",
    "ht\ntps://cloud.example.com",
]


@pytest.mark.parametrize("address", CONFIDENTIAL)
def test_an_address_is_confidential_by_https_or_on_this_machine(address: str) -> None:
    assert is_confidential(address)


@pytest.mark.parametrize("address", IN_CLEAR)
def test_any_other_address_is_not(address: str) -> None:
    assert not is_confidential(address)


# Settings


SETTINGS = (
    "OS_AUTH_URL",
    "REAPER_IMAGE_ENDPOINT",
    "REAPER_COMPUTE_ENDPOINT",
    "REAPER_FANOUT_QUEUE_URL",
    "REAPER_FAILED_TO",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_SQS",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


def settings(environment: dict[str, str], variable: str, address: str, **more: str) -> Settings:
    return Settings.from_env(environment | {variable: address} | more)


@pytest.fixture
def environment(cloud: FakeCloud) -> dict[str, str]:
    return cloud.env("https://keystone.example.com")


@pytest.mark.parametrize("address", ["keystone", "keystone.example.com:5000/v3", "//keystone", "http:///v3"])
def test_what_is_no_address_at_all_is_told_how_one_looks(address: str, environment: dict[str, str]) -> None:
    with pytest.raises(InvalidSettings) as caught:
        settings(environment, "OS_AUTH_URL", address)
    example = "https://keystone.example:5000/v3"
    assert str(caught.value) == f"OS_AUTH_URL: must be an https address with its host, such as {example}"


@pytest.mark.parametrize("variable", SETTINGS)
def test_a_setting_in_plain_text_refuses_to_start(variable: str, environment: dict[str, str]) -> None:
    with pytest.raises(InvalidSettings, match=f"^{variable}: must be an https address") as caught:
        settings(environment, variable, "http://cloud.example.com/q")
    assert "PLAINTEXT" not in str(caught.value)
    allowed = settings(environment, variable, "http://cloud.example.com/q", REAPER_ALLOW_PLAINTEXT="on")
    assert allowed.allow_plaintext == "on"


@pytest.mark.parametrize("variable", SETTINGS)
def test_a_setting_may_name_this_machine(variable: str, environment: dict[str, str]) -> None:
    assert settings(environment, variable, "http://127.0.0.1:5000/q").allow_plaintext == "off"


@pytest.mark.parametrize("variable", SETTINGS)
@pytest.mark.parametrize("user", ["bob:hunter2", "hunter2", "bob:hun/hunter2", "bob:a@hunter2"])
def test_a_setting_with_a_user_in_its_address_refuses_to_start(
    variable: str, user: str, environment: dict[str, str]
) -> None:
    for scheme in ("http", "https"):
        with pytest.raises(InvalidSettings, match=f"^{variable}: ") as caught:
            settings(environment, variable, f"{scheme}://{user}@cloud.example.com/q", REAPER_ALLOW_PLAINTEXT="on")
        assert "leave out what stands before the @" in str(caught.value)
        assert SECRET not in f"{caught.value!r} {caught.value.__cause__!r}"


@pytest.mark.parametrize("host", ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"])
def test_the_runtime_may_hand_out_keys_where_it_does(host: str, environment: dict[str, str]) -> None:
    address = f"http://{host}/v1/credentials"
    assert settings(environment, "AWS_CONTAINER_CREDENTIALS_FULL_URI", address).aws.container_credentials_uri == address
    with pytest.raises(InvalidSettings, match=r"^AWS_ENDPOINT_URL: "):
        settings(environment, "AWS_ENDPOINT_URL", address)


@pytest.mark.parametrize("value", ["ON", "true", "yes", "1", "on "])
def test_only_on_allows_plain_text(value: str, environment: dict[str, str]) -> None:
    with pytest.raises(InvalidSettings, match=r"^REAPER_ALLOW_PLAINTEXT: "):
        Settings.from_env(environment | {"REAPER_ALLOW_PLAINTEXT": value})


# The catalogue


def in_clear(kind: str, server: Server) -> Any:  # noqa: ANN401 (what the fake cloud takes)
    """The answer of Keystone with one service under a name of this machine that looks like another."""

    def edit(body: Any) -> object:  # noqa: ANN401 (any JSON)
        for service in body["token"]["catalog"]:
            for endpoint in service["endpoints"] if service["type"] == kind else ():
                endpoint["url"] = endpoint["url"].replace("127.0.0.1", "127.1")
        return body

    assert "127.0.0.1" in server.url
    return edit


@pytest.mark.parametrize("kind", ["image", "compute", "volumev3"])
def test_no_token_goes_to_an_address_of_the_catalogue_in_plain_text(
    kind: str, invoke: Invoke, cloud: FakeCloud, server: Server
) -> None:
    images = [cloud.add_image() for _ in range(3)]
    cloud.add_server(image="")
    cloud.fault("POST", TOKENS_PATH, status=None, edit=in_clear(kind, server), times=None)
    run = invoke({"image_ids": images})
    assert set(run.outcomes.values()) == {("failed", "unexpected")}
    detail = run.answer["outcomes"][0]["detail"]
    assert f"the address of {kind} is http://127.1:" in detail
    assert "https" in detail
    assert "PLAINTEXT" not in detail
    assert (cloud.dead, [call for call in cloud.calls if kind == "image" and "/images" in call.path]) == ({}, [])


@pytest.mark.parametrize("kind", ["image", "compute"])
def test_a_token_may_go_there_where_that_is_allowed(
    kind: str, invoke: Invoke, cloud: FakeCloud, server: Server
) -> None:
    image = cloud.add_image()
    cloud.fault("POST", TOKENS_PATH, status=None, edit=in_clear(kind, server), times=None)
    assert invoke({"image_ids": [image]}, REAPER_ALLOW_PLAINTEXT="on").outcomes == {image: ("deleted", "")}


def test_a_token_is_put_on_no_request_in_plain_text(cloud: FakeCloud, server: Server) -> None:
    session = new_session(1, verify=True)
    identity = KeystoneIdentity(login_with(Settings.from_env(cloud.env(server.url)).credentials), session)
    request = requests.Request("GET", "http://cloud.example.com/v2/images").prepare()
    with pytest.raises(Unexpected, match=r"a service is http://cloud\.example\.com/v2/images") as caught:
        identity.auth(Deadline(lambda: 60.0))(request)
    assert caught.value.ends_run
    assert "X-Auth-Token" not in request.headers


def test_no_proxy_is_asked_on_the_way_to_this_machine(
    invoke: Invoke, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://proxy.invalid:3128")
    image = cloud.add_image()
    assert invoke({"image_ids": [image]}).outcomes == {image: ("deleted", "")}
