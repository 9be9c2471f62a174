"""What is wrong with the credentials or the token. Glance and Nova trust no token here without asking Keystone."""

import base64
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.contract.asking import send, sign_in
from tests.contract.backends import Auth
from tests.openstack import Lab
from tests.openstack.gate import Forward, Gate, Passage
from tests.openstack.stage import Stage, down

DELETED = ("deleted", "")
DENIED = ("failed", "denied")
UNAVAILABLE = ("failed", "unavailable")
CREDENTIAL: Auth = "v3applicationcredential"


@pytest.fixture(scope="module", autouse=True)
def no_token_cache(lab: Lab) -> Iterator[None]:
    configure(lab, token_cache_seconds=-1)
    yield
    configure(lab)


def configure(lab: Lab, **settings: int) -> None:
    lab.configure(**settings)
    lab.image.restart()
    lab.compute.restart()


@pytest.fixture
def keystone(lab: Lab) -> Iterator[Gate]:
    """Keystone as the function sees it: its gate counts the tokens."""
    with Gate(lab.identity.url) as gate:
        yield gate


def through(gate: Gate, stage: Stage) -> dict[str, str]:
    return stage.lab.env() | {"OS_AUTH_URL": f"{gate.url}/v3"}


def new_credential(stage: Stage, **fields: object) -> tuple[dict[str, str], str]:
    """An application credential: the variables that use it, and where Keystone has it."""
    token = sign_in(stage.lab.env())
    user = token.body["token"]["user"]["id"]
    path = f"/users/{user}/application_credentials"
    wanted = {"name": secrets.token_hex(8), "secret": secrets.token_urlsafe(), **fields}
    url = stage.lab.identity.url + "/v3" + path
    made = send("POST", url, token.headers["X-Subject-Token"], payload={"application_credential": wanted})
    shown = made.body["application_credential"]
    env = stage.lab.env(CREDENTIAL) | {
        "OS_APPLICATION_CREDENTIAL_ID": shown["id"],
        "OS_APPLICATION_CREDENTIAL_SECRET": shown["secret"],
    }
    return env, f"{path}/{shown['id']}"


def await_refusal(env: dict[str, str]) -> None:
    while sign_in(env).status == 201:
        pass  # a second at the most


@pytest.mark.parametrize(
    "wrong",
    [{"OS_PASSWORD": "wrong"}, {"OS_PROJECT_NAME": "nowhere"}, {"OS_PROJECT_NAME": "other"}, {"OS_USERNAME": "nobody"}],
    ids=str,
)
def test_credentials_that_keystone_refuses_are_shown_once_and_delete_nothing(
    stage: Stage, keystone: Gate, wrong: dict[str, str]
) -> None:
    images = stage.add_images()
    assert stage.outcomes(images, through(keystone, stage) | wrong) == [DENIED] * 3
    assert [one.status for one in keystone.passed] == [401]  # an account is locked after some
    assert stage.left(images) == images
    assert stage.outcomes(images, through(keystone, stage)) == [DELETED] * 3
    assert stage.left(images) == []


def test_an_application_credential_that_expires_deletes_up_to_then(stage: Stage) -> None:
    images = stage.add_images()
    soon = datetime.now(UTC) + timedelta(seconds=1)
    env, _ = new_credential(stage, expires_at=soon.strftime("%Y-%m-%dT%H:%M:%S.%f"))
    await_refusal(env)
    assert stage.outcomes(images, env) == [DENIED] * 3
    assert stage.left(images) == images
    assert stage.outcomes(images, stage.lab.env(CREDENTIAL)) == [DELETED] * 3


def test_an_application_credential_that_is_deleted_stops_a_warm_function(stage: Stage) -> None:
    first, *others = stage.add_images()
    env, path = new_credential(stage)
    assert stage.outcomes([first], env) == [DELETED]
    token = sign_in(stage.lab.env()).headers["X-Subject-Token"]
    assert stage.cloud.keystone("DELETE", path, token).status == 204
    assert stage.outcomes(others, env) == [DENIED] * 2
    assert stage.left([first, *others]) == others
    assert stage.outcomes(others, stage.lab.env(CREDENTIAL)) == [DELETED] * 2


def test_a_user_that_may_only_read_deletes_nothing(stage: Stage) -> None:
    images = stage.add_images()
    assert stage.outcomes(images, stage.lab.env(user="reader")) == [DENIED] * 3
    assert stage.left(images) == images
    assert stage.outcomes(images) == [DELETED] * 3


def test_the_pin_holds_the_function_to_its_project(stage: Stage) -> None:
    images = stage.add_images()
    assert stage.outcomes(images, REAPER_PROJECT_ID=stage.lab.projects["other"]) == [DENIED] * 3
    assert stage.left(images) == images
    assert stage.outcomes(images, REAPER_PROJECT_ID=stage.lab.projects["demo"]) == [DELETED] * 3


def test_the_neighbours_credentials_find_none_of_our_images(stage: Stage) -> None:
    images = stage.add_images()
    env = stage.lab.env(user="neighbour", project="other")
    assert stage.outcomes(images, env) == [("already_gone", "")] * 3
    assert stage.left(images) == images


def test_a_warm_function_whose_token_is_revoked_gets_one_new_token(stage: Stage, keystone: Gate) -> None:
    first, *others = stage.add_images(6)
    env = through(keystone, stage)
    assert stage.outcomes([first], env) == [DELETED]
    (token,) = keystone.tokens
    assert stage.cloud.keystone("DELETE", "/auth/tokens", token, about=token).status == 204
    assert stage.outcomes(others, env) == [DELETED] * 5
    assert len(keystone.tokens) == 2
    assert stage.left([first, *others]) == []


def test_a_warm_function_whose_token_has_expired_gets_one_new_token(stage: Stage, keystone: Gate) -> None:
    images = stage.add_images(5)
    token = stage.cloud.backend.let_tokens_expire(lambda: warm_up(stage, keystone, images[0]))
    before = len(keystone.tokens)
    assert token == keystone.tokens[-1]
    assert stage.outcomes(images, through(keystone, stage)) == [DELETED] * 5
    assert len(keystone.tokens) == before + 1
    assert stage.left(images) == []


def warm_up(stage: Stage, keystone: Gate, image: str) -> str:
    """Let the function sign in, and then do nothing that must be done while its token lives: that is a second."""
    nowhere = {"REAPER_IMAGE_ENDPOINT": stage.lab.identity.url, "REAPER_IN_USE_CHECK": "off"}
    assert stage.outcomes([image], through(keystone, stage), **nowhere) == [("failed", "unexpected")]
    return keystone.tokens[-1]


def test_a_warm_function_outlives_a_keystone_that_knows_none_of_its_tokens_any_more(
    stage: Stage, keystone: Gate
) -> None:
    first, *others = stage.add_images(6)
    env = through(keystone, stage)
    assert stage.outcomes([first], env) == [DELETED]
    for key in (stage.lab.home / "fernet").iterdir():
        key.write_bytes(base64.urlsafe_b64encode(secrets.token_bytes(32)))
    stage.lab.identity.restart()
    stage.cloud.backend.tokens.clear()
    assert stage.outcomes(others, env) == [DELETED] * 5
    assert len(keystone.tokens) == 2
    assert stage.left([first, *others]) == []


def test_a_keystone_that_is_restarted_between_token_and_use_goes_unnoticed(stage: Stage, keystone: Gate) -> None:
    images = stage.add_images()

    def way(_: str, forward: Forward) -> Passage | None:
        answer = forward()
        stage.lab.identity.restart()
        return answer

    keystone.way = way
    assert stage.outcomes(images, through(keystone, stage)) == [DELETED] * 3
    assert len(keystone.tokens) == 1
    assert stage.left(images) == []


@pytest.mark.parametrize("warm", [False, True])
def test_nothing_is_deleted_while_keystone_is_down(stage: Stage, *, warm: bool) -> None:
    first, *others = stage.add_images(4)
    if warm:
        assert stage.outcomes([first]) == [DELETED]
    with down(stage.lab.identity):
        # Nova asks a dead Keystone for half a minute before it says so, and that is its affair.
        assert stage.outcomes(others, REAPER_IN_USE_CHECK="off") == [UNAVAILABLE] * 3
    assert stage.left(others) == others
    assert stage.outcomes(others) == [DELETED] * 3
    assert stage.left(others) == []
