"""No key, token or signature gets out where requests are signed, whatever the gateway quotes."""

import json
import logging
import sys
import traceback
from collections.abc import Iterator

import pytest

from handler import app
from handler.compose import ending
from handler.config.settings import Settings
from tests.conftest import Invoke
from tests.fakecloud import FakeCloud
from tests.fakecloud.api import Reply, Request
from tests.fakecloud.cloud import FaultOptions
from tests.faults import IMAGE_PATH, SOURCES, Hurry, envelope
from tests.signing import Signatory, keys_of, signing

FAULTS = {
    "none": None,
    "refused": ("GET", IMAGE_PATH, FaultOptions(status=401)),
    "refused DELETE": ("DELETE", IMAGE_PATH, FaultOptions(status=401)),
    "always refused": (None, "/v2/", FaultOptions(status=401, times=None)),
    "denied": ("DELETE", IMAGE_PATH, FaultOptions(status=403, body="no", times=None)),
    "cut": ("DELETE", IMAGE_PATH, FaultOptions(cut=True, times=None)),
    "web page": ("GET", IMAGE_PATH, FaultOptions(status=200, body="<p>hello", times=None)),
    "redirect": ("GET", IMAGE_PATH, FaultOptions(status=302, headers={"Location": "http://x.invalid"}, times=None)),
    "no owner": ("GET", "/v2/cloudimages$", FaultOptions(status=503, times=None)),
}


class Echoing(FakeCloud):
    """A cloud that may answer with what it was sent."""

    status = 0

    def handle(self, request: Request) -> Reply:
        """Answer, and quote the headers of the request in a refusal."""
        reply = super().handle(request)
        quoted = {"error_msg": f"{dict(request.headers)}", "error_code": "APIGW.0201"}
        return Reply(self.status, {}, json.dumps(quoted).encode()) if self.status else reply


class Heard:
    """Everything that a run lets out: both outputs, exceptions with all that they come from, and answers."""

    def __init__(self, function: Signatory, capsys: pytest.CaptureFixture[str]) -> None:
        self.function, self.capsys, self.text = function, capsys, ""

    def reap(self, source: str = "direct", context: ending.Context | None = None) -> None:
        cloud = self.function.cloud
        request = {"image_ids": [cloud.add_image(), cloud.add_image(protected=True)]}
        try:
            self.text += str(
                app.lambda_handler(envelope(source, request, self.function.server.url), context or Hurry())
            )
        except Exception as error:  # noqa: BLE001 (whatever it is, it must hold no secret)
            self.text += "".join(traceback.format_exception(error)) + repr(error)
        self.text += "".join(self.capsys.readouterr())

    def leaked(self) -> list[str]:
        """The secrets of which at least 12 characters in a row were let out."""
        cloud = self.function.cloud
        keys = [part for key in cloud.keys.known.values() for part in (key.access, key.secret, key.token) if part]
        signatures = [call.headers["authorization"][-64:] for call in cloud.calls if "authorization" in call.headers]
        pieces = {secret: {secret[n : n + 12] for n in range(len(secret) - 11)} for secret in [*keys, *signatures]}
        # The ids of images have twelve zeros in a row as well.
        telling = {secret: {piece for piece in parts if len(set(piece)) > 3} for secret, parts in pieces.items()}
        return [secret for secret, parts in telling.items() if any(piece in self.text for piece in parts)]


@pytest.fixture
def cloud() -> Echoing:
    return Echoing("otc")


@pytest.fixture(params=["lasting", "temporary"])
def heard(
    request: pytest.FixtureRequest,
    cloud: Echoing,
    invoke_with: Invoke,
    clean_environment: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Heard]:
    """Listens to every logger there is, at the level DEBUG."""
    handler = logging.StreamHandler(sys.stderr)
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    key = cloud.keys.temporary() if request.param == "temporary" else None
    with signing(cloud, invoke_with, clean_environment) as function:
        settings = cloud.signing_env(key) | function.front.environment()
        for name, value in {**settings, "REAPER_MODE": "delete", "LOG_LEVEL": "DEBUG"}.items():
            clean_environment.setenv(name, value)
        yield Heard(function, capsys)
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize("fault", FAULTS)
def test_no_key_is_let_out_whatever_happens(fault: str, cloud: Echoing, heard: Heard) -> None:
    if script := FAULTS[fault]:
        cloud.fault(*script[:2], **script[2])
    for source in SOURCES:
        heard.reap(source)
    assert '"message":"image' in heard.text
    assert "Starting new HTTPS connection" in heard.text  # so the level DEBUG is heard
    assert cloud.calls
    assert heard.leaked() == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 500])
def test_what_a_gateway_quotes_is_masked(status: int, cloud: Echoing, heard: Heard) -> None:
    heard.reap()
    cloud.status = status
    heard.reap()
    assert "***" in heard.text
    assert heard.leaked() == []


def test_keys_that_are_refused_are_not_quoted(cloud: Echoing, heard: Heard) -> None:
    for key in cloud.keys.known.values():
        key.secret += "-rotated"
    heard.reap()
    assert "verify aksk signature fail" in heard.text
    assert heard.leaked() == []


def test_settings_show_no_key(heard: Heard) -> None:
    settings = Settings.from_env()
    heard.text = f"{settings} {settings!r} {settings.proof!r} {settings.model_dump()} {settings.model_dump_json()}"
    assert heard.leaked() == []


def test_the_listener_hears_a_secret_that_is_let_out(cloud: Echoing, heard: Heard) -> None:
    key = next(iter(cloud.keys.known.values()))
    heard.text = f"the key is {key.secret[5:20]}"
    assert key.secret in heard.leaked()
    assert keys_of(key).secret_key not in repr(keys_of(key))
