import html
import json
import logging
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from keystoneauth1.identity.v3 import Token

from handler import app
from handler.cloud.identity.keystone import Login
from handler.compose import ending
from handler.config.settings import Settings
from handler.engine.aws.access import AwsAccess
from handler.model.message import StackCall
from tests.conftest import Context
from tests.fakecloud import APP_CREDENTIAL_SECRET, FakeCloud, Server
from tests.fakecloud.cloud import FaultOptions
from tests.faults import IMAGE_PATH, KINDS, SOURCES, TOKENS_PATH, Hurry, Kind, Stage, closed_port, envelope

HANDLER = Path(app.__file__).parent
PASSWORD = "s3cret-passw0rd"
FOREIGN = "n0t-0urs-and-s3cret"
"""A secret that nobody has told us of: only its place in an address says what it is."""
FAULTS = {
    "none": None,
    "token refused": ("GET", IMAGE_PATH, FaultOptions(status=401)),
    "always refused": (None, "/v2/", FaultOptions(status=401, times=None)),
    "denied": ("DELETE", IMAGE_PATH, FaultOptions(status=403, body="no", times=None)),
    "cut": ("DELETE", IMAGE_PATH, FaultOptions(cut=True, times=None)),
    "web page": ("GET", IMAGE_PATH, FaultOptions(status=200, body="<p>hello", times=None)),
    "redirect": ("GET", IMAGE_PATH, FaultOptions(status=302, headers={"Location": "http://x.invalid"}, times=None)),
    "no token": ("POST", TOKENS_PATH, FaultOptions(status=401, times=None)),
    "keystone down": ("POST", TOKENS_PATH, FaultOptions(status=503, times=None)),
    "keystone odd": ("POST", TOKENS_PATH, FaultOptions(status=201, body={"token": 1}, times=None)),
    "keystone cut": ("POST", TOKENS_PATH, FaultOptions(cut=True, times=None)),
}
HARD_TO_QUOTE = {
    "spaces": "two  spaces  s3cret-part",
    "markup": "tag<b>s3cret-part",
    "entity": "and&amp;s3cret-part",
    "quote": 'quo"te\\s3cret-part',
    "accent": "pässwörd-s3cret-part",
}


def test_no_value_that_holds_a_secret_shows_it() -> None:
    address = f"https://bucket/answer?X-Amz-Signature={PASSWORD}"
    values = (
        Login(Token("https://keystone/v3", token=PASSWORD), (PASSWORD,)),
        StackCall(address, "stack", "request", "logical", "physical"),
        AwsAccess("region", "key", PASSWORD, session_token=PASSWORD, container_token=PASSWORD),
    )
    assert PASSWORD not in repr(values)


class Heard:
    """Everything that a run lets out: both outputs, exceptions with all that they come from, and answers."""

    def __init__(self, stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
        self.stage, self.capsys, self.text = stage, capsys, ""

    def run(self, event: object, context: ending.Context) -> None:
        try:
            self.text += str(app.lambda_handler(event, context))
        except Exception as error:  # noqa: BLE001 (whatever it is, it must hold no secret)
            self.text += "".join(traceback.format_exception(error))
            link: BaseException | None = error
            while link is not None:
                self.text += repr(link)
                link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
        self.text += "".join(self.capsys.readouterr())

    def reap(self, source: str = "direct", *, hurry: bool = False) -> None:
        """Let one image be deleted, and one that is protected not."""
        cloud = self.stage.cloud
        request = {"image_ids": [cloud.add_image(), cloud.add_image(protected=True)]}
        self.run(envelope(source, request, self.stage.server.url), Hurry() if hurry else Context())

    def leaked(self) -> list[str]:
        """The secrets of which at least 12 characters in a row were let out."""
        secrets = [PASSWORD, FOREIGN, APP_CREDENTIAL_SECRET, *(token[7:] for token in self.stage.cloud.tokens)]
        pieces = {secret: {secret[n : n + 12] for n in range(len(secret) - 11)} for secret in secrets}
        return [secret for secret in secrets if any(piece in self.text for piece in pieces[secret])]


@pytest.fixture
def heard(
    cloud: FakeCloud,
    server: Server,
    clean_environment: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Heard]:
    """Listens to every logger there is, at the level DEBUG."""
    handler = logging.StreamHandler(sys.stderr)
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    clean_environment.setenv("LOG_LEVEL", "DEBUG")
    stage = Stage(cloud, server, clean_environment)
    stage.set_up()
    yield Heard(stage, capsys)
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", FAULTS)
def test_no_secret_is_let_out_whatever_happens(fault: str, kind: Kind, cloud: FakeCloud, heard: Heard) -> None:
    heard.stage.set_up(kind)
    if script := FAULTS[fault]:
        cloud.fault(*script[:2], **script[2])
    for source in SOURCES:
        heard.reap(source, hurry=True)
    assert '"message":"image' in heard.text
    assert "Starting new HTTP connection" in heard.text  # so the level DEBUG is heard
    assert heard.leaked() == []


@pytest.mark.parametrize("kind", KINDS)
def test_settings_and_credentials_show_no_secret(kind: Kind, cloud: FakeCloud, server: Server, heard: Heard) -> None:
    settings = Settings.from_env(cloud.env(server.url, kind))
    heard.text = f"{settings} {settings!r} {settings.credentials!r} {settings.model_dump()} {settings.policy!r}"
    heard.text += settings.model_dump_json()
    assert heard.leaked() == []


def test_settings_that_are_refused_show_no_secret(heard: Heard) -> None:
    heard.stage.set_up(REAPER_MODE="purge", OS_AUTH_TYPE="basic")
    heard.reap()
    assert "InvalidSettings" in heard.text
    assert heard.leaked() == []


@pytest.mark.parametrize("shape", ['{{"message": "not with {0}!"}}', "<p>not with {0}!</p>", '["{0}"]', "{0}"])
@pytest.mark.parametrize("place", [("GET", IMAGE_PATH, 403), ("DELETE", IMAGE_PATH, 409)])
def test_a_token_or_password_that_the_image_service_repeats_is_masked(
    place: tuple[str, str, int], shape: str, cloud: FakeCloud, heard: Heard
) -> None:
    heard.reap()
    method, path, status = place
    for secret in (PASSWORD, list(cloud.tokens)[-1]):
        for source in ("direct", "topic"):
            cloud.fault(method, path, status=status, body=shape.format(secret))
            heard.reap(source, hurry=True)
    assert heard.text.count("***") >= 4
    assert heard.leaked() == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_a_secret_that_keystone_repeats_is_masked(status: int, kind: Kind, cloud: FakeCloud, heard: Heard) -> None:
    heard.stage.set_up(kind)
    known = {"password": PASSWORD, "v3applicationcredential": APP_CREDENTIAL_SECRET}
    secret = known.get(kind) or list(cloud.tokens)[-1]
    body = {"error": {"code": status, "message": f"'{secret}' is wrong", "title": "No"}}
    cloud.fault("POST", TOKENS_PATH, status=status, body=body, times=None)
    for source in SOURCES:
        heard.reap(source, hurry=True)
    assert "***" in heard.text
    assert heard.leaked() == []


def test_the_token_before_the_last_is_masked_as_well(cloud: FakeCloud, heard: Heard) -> None:
    heard.reap()
    (old,) = cloud.tokens
    cloud.revoke_tokens()
    cloud.fault("DELETE", status=403, body={"message": f"the token {old} was replaced"})
    heard.reap()
    assert "was replaced" in heard.text
    assert heard.leaked() == []


@pytest.mark.parametrize("before", [100, 200, 280, 19_990])
def test_a_secret_that_is_cut_in_two_is_masked(before: int, cloud: FakeCloud, heard: Heard) -> None:
    heard.reap()
    for secret in (PASSWORD, list(cloud.tokens)[-1]):
        for number in range(0, 12, 4):
            cloud.fault("DELETE", status=403, body={"message": "." * (before + number) + secret})
            heard.reap()
    assert "answered HTTP" in heard.text
    assert heard.leaked() == []


@pytest.mark.parametrize("place", ["code", "request"])
def test_a_secret_in_place_of_a_short_name_is_masked_before_that_is_cut(
    place: str, cloud: FakeCloud, heard: Heard
) -> None:
    heard.reap()
    for before in range(0, 60, 4):
        said = "." * before + list(cloud.tokens)[-1]
        headers = {"x-openstack-request-id": said} if place == "request" else {}
        cloud.fault(
            "DELETE", status=403, body={"code": said if place == "code" else "", "message": "no"}, headers=headers
        )
        heard.reap()
    assert "answered HTTP" in heard.text
    assert heard.leaked() == []


ADDRESS = f"https://user:{FOREIGN}{'x' * 60}@store.example/a"
UNREADABLE = {"tags": [ADDRESS, 1], "visibility": ADDRESS, "name": [ADDRESS], "owner": {"a": ADDRESS}}


@pytest.mark.parametrize("path", [IMAGE_PATH, "/v2/images$"])
@pytest.mark.parametrize("field", [*UNREADABLE, "os_glance_import_task"])
def test_a_password_in_a_field_that_cannot_be_read_is_masked_before_that_is_cut(
    field: str, path: str, cloud: FakeCloud, heard: Heard
) -> None:
    def spoil(body: Any) -> Any:  # noqa: ANN401 (any JSON)
        for record in body.get("images", [body]):
            record[field] = UNREADABLE.get(field, ADDRESS)
        return body

    cloud.fault("GET", path, status=None, edit=spoil, times=None)
    heard.reap()
    heard.run({"sweep": {"select": {"name": "ci-*"}, "limit_percent": 100}}, Context())
    assert heard.leaked() == []


@pytest.mark.parametrize("event", [{"image_ids": [], ADDRESS: 1}, {"Records": [{"eventSource": ADDRESS}]}])
def test_a_password_in_an_event_that_is_turned_down_is_masked_before_it_is_cut(
    event: dict[str, Any], heard: Heard
) -> None:
    heard.run(event, Context())
    assert "Error" in heard.text or "Unknown" in heard.text or "Invalid" in heard.text
    assert heard.leaked() == []


@pytest.mark.parametrize("shape", ["json", "odd json", "page"])
@pytest.mark.parametrize("name", HARD_TO_QUOTE)
def test_a_password_that_is_hard_to_quote_is_masked(name: str, shape: str, cloud: FakeCloud, heard: Heard) -> None:
    secret = cloud.users["reaper"].password = HARD_TO_QUOTE[name]
    heard.stage.set_up()
    bodies: dict[str, str] = {
        "json": json.dumps({"message": f"{secret} is no token"}),
        "odd json": json.dumps({"detail": [f"{secret} is no token"]}),
        "page": f"<p>{html.escape(secret)} is no token</p>",
    }
    cloud.fault("DELETE", status=403, body=bodies[shape])
    heard.reap()
    assert "answered HTTP" in heard.text
    assert "s3cret-part" not in heard.text


# Addresses


SIGNED = f"/sink/stack?X-Amz-Signature={FOREIGN}&X-Amz-Security-Token={FOREIGN}"
NOT_TAKEN = {
    "cut": FaultOptions(cut=True, times=None),
    "refused": FaultOptions(status=403, body=f"<Key>{SIGNED}</Key>", times=None),
    "moved": FaultOptions(status=307, headers={"Location": f"https://bob:{FOREIGN}@x.invalid{SIGNED}"}, times=None),
    "busy": FaultOptions(status=503, times=None),
}


@pytest.mark.parametrize("fault", NOT_TAKEN)
def test_the_signed_address_of_cloudformation_is_shown_nowhere(fault: str, cloud: FakeCloud, heard: Heard) -> None:
    cloud.fault("PUT", "/sink/", **NOT_TAKEN[fault])
    event = envelope("stack", {"image_ids": [cloud.add_image()]})
    heard.run(event | {"ResponseURL": heard.stage.server.url + SIGNED}, Context())
    assert "AnswerNotDelivered" in heard.text
    assert "Starting new HTTP connection" in heard.text
    assert heard.leaked() == []


def test_the_signed_address_of_a_cloudformation_that_is_not_there_is_shown_nowhere(
    cloud: FakeCloud, heard: Heard
) -> None:
    event = envelope("stack", {"image_ids": [cloud.add_image()]})
    with closed_port() as port:
        heard.run(event | {"ResponseURL": f"http://127.0.0.1:{port}{SIGNED}"}, Context())
    assert "AnswerNotDelivered" in heard.text
    assert heard.leaked() == []


def with_user(body: Any) -> object:  # noqa: ANN401 (any JSON)
    """The answer of Keystone with a password in each address of its catalogue."""
    return json.loads(json.dumps(body).replace("http://", f"http://bob:{FOREIGN}@"))


@pytest.mark.parametrize("status", [200, 403, 503])
@pytest.mark.parametrize("source", SOURCES)
def test_a_password_in_an_address_of_the_catalogue_is_shown_nowhere(
    source: str, status: int, cloud: FakeCloud, heard: Heard
) -> None:
    cloud.fault("POST", TOKENS_PATH, status=None, edit=with_user, times=None)
    cloud.fault("GET", IMAGE_PATH, status=status, body=f"no https://bob:{FOREIGN}@x.invalid/y", times=None)
    heard.reap(source, hurry=True)
    assert '"message":"image' in heard.text
    assert heard.leaked() == []


def test_a_password_in_an_address_of_the_catalogue_that_is_not_there_is_shown_nowhere(
    cloud: FakeCloud, heard: Heard
) -> None:
    with closed_port() as port:
        gone = f"http://bob:{FOREIGN}@127.0.0.1:{port}/"
        cloud.fault("POST", TOKENS_PATH, status=None, edit=lambda body: moved(body, gone), times=None)
        heard.reap("topic", hurry=True)
        cloud.revoke_tokens()
        cloud.fault("POST", TOKENS_PATH, status=None, edit=lambda body: moved(body, gone + "[::x"), times=None)
        heard.reap("topic", hurry=True)
    assert heard.text.count("ImagesFailed") >= 2
    assert heard.leaked() == []


def moved(body: Any, address: str) -> object:  # noqa: ANN401 (any JSON)
    return json.loads(re.sub(r"http://[0-9.:]+/", lambda _: address, json.dumps(body)))


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_password_of_a_proxy_is_shown_nowhere(variable: str, heard: Heard) -> None:
    heard.stage.set_up(OS_AUTH_URL="https://keystone.invalid/v3")
    for scheme in ("http", "sock"):
        with closed_port() as port:
            heard.stage.environment.setenv(variable, f"{scheme}://bob:{FOREIGN}@127.0.0.1:{port}")
            for source in SOURCES:
                heard.reap(source, hurry=True)
    assert '"message":"image' in heard.text
    assert heard.leaked() == []


@pytest.mark.parametrize("status", [403, 409, 500])
def test_a_password_in_an_address_that_an_answer_is_cut_in_is_shown_nowhere(
    status: int, cloud: FakeCloud, heard: Heard
) -> None:
    for before in range(270, 300):
        text = "." * (before - len(FOREIGN)) + f" https://bob:{FOREIGN}@x.invalid/y"
        cloud.fault("DELETE", IMAGE_PATH, status=status, body={"message": text}, times=None)
        heard.reap(hurry=True)
        cloud.faults.clear()
    assert "answered HTTP" in heard.text
    assert heard.leaked() == []


def test_a_bug_shows_no_address_of_its_own(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(*_: object) -> None:
        message = f"https://bob:{FOREIGN}@x.invalid/y and https://x.invalid/y?Signature={FOREIGN}"
        raise RuntimeError(message)

    monkeypatch.setattr("handler.work.parallel.outcome_of", raises)
    heard.reap()
    assert "run.fault" in heard.text
    assert heard.leaked() == []


def test_every_door_masks_the_loggers_of_others() -> None:
    doors = [path for path in HANDLER.rglob("*.py") if "coldstart.end()" in path.read_text()]
    assert {path.name for path in doors} == {"app.py", "carrying.py", "functiongraph.py"}
    assert not [path for path in doors if "mask_loggers()\n" not in path.read_text()]
