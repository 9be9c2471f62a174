import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from handler.cloud.identity import life
from tests.conftest import Invoke
from tests.fakecloud import APP_CREDENTIAL_SECRET, DEMO, OTHER, FakeCloud, Server, accounts
from tests.fakecloud.cloud import FaultOptions
from tests.faults import IMAGE_PATH, KINDS, TOKENS_PATH, Stage, closed_port

REFUSALS = {
    "401": FaultOptions(status=401),
    "401 of the gateway": FaultOptions(status=401, body={"error_code": "APIGW.0307", "error_msg": "expired"}),
    "400 IMG.0087": FaultOptions(status=400, body={"error": {"code": "IMG.0087", "message": "X-Auth-Token"}}),
}
NO_TOKEN = {
    "429": (FaultOptions(status=429), "throttled"),
    "500": (FaultOptions(status=500), "unavailable"),
    "503": (FaultOptions(status=503, headers={"Retry-After": "30"}), "unavailable"),
    "cut": (FaultOptions(cut=True), "unavailable"),
    "401": (FaultOptions(status=401), "denied"),
    "403": (FaultOptions(status=403), "denied"),
    "web page": (FaultOptions(status=200, content_type="text/html", body="<h1>Welcome</h1>"), "unexpected"),
    "no X-Subject-Token": (FaultOptions(status=201, body={"token": {"expires_at": "2099-01-01"}}), "unexpected"),
    "not JSON": (FaultOptions(status=201, headers={"X-Subject-Token": "t"}, body="{"), "unexpected"),
    "no token": (FaultOptions(status=201, headers={"X-Subject-Token": "t"}, body={}), "unexpected"),
    "a list": (FaultOptions(status=201, headers={"X-Subject-Token": "t"}, body="[]"), "unexpected"),
}
TOKEN: dict[str, object] = {
    "expires_at": "2099-01-01T00:00:00.000000Z",
    "project": {"id": DEMO},
    "user": {},
    "catalog": [],
}
ENDPOINT = {"interface": "public", "region": "RegionOne"}
ODD_TOKENS: dict[str, dict[str, object]] = {
    "no catalogue": {"catalog": None},
    "a catalogue of numbers": {"catalog": [1]},
    "an endpoint without address": {"catalog": [{"type": "image", "endpoints": [ENDPOINT]}]},
    "an address that is a number": {"catalog": [{"type": "image", "endpoints": [{**ENDPOINT, "url": 5}]}]},
    "a project that is a text": {"project": "demo"},
    "no project": {"project": None},
    "no expiry": {"expires_at": None},
    "an expiry that is no time": {"expires_at": "tomorrow"},
}
WRONG = {
    "password": ("password", {"OS_PASSWORD": "guessed"}),
    "project": ("password", {"OS_PROJECT_NAME": "nowhere"}),
    "project without a role": ("password", {"OS_PROJECT_NAME": "other"}),
    "credential": ("v3applicationcredential", {"OS_APPLICATION_CREDENTIAL_ID": "0" * 32}),
    "credential secret": ("v3applicationcredential", {"OS_APPLICATION_CREDENTIAL_SECRET": "guessed"}),
    "token": ("v3token", {"OS_TOKEN": "gAAAAABguessed"}),
    "address": ("password", {"OS_AUTH_URL": "{url}/nowhere/v3"}),
}


@pytest.fixture
def stage(cloud: FakeCloud, server: Server, clean_environment: pytest.MonkeyPatch) -> Stage:
    stage = Stage(cloud, server, clean_environment)
    stage.set_up()
    return stage


@pytest.fixture
def other_server() -> Iterator[Server]:
    with Server(FakeCloud()) as running:
        yield running


def logins(cloud: FakeCloud) -> int:
    return len(cloud.calls_of("POST"))


def scope_asked_for(cloud: FakeCloud) -> object:
    return json.loads(cloud.calls_of("POST")[0].body)["auth"].get("scope")


def looks(cloud: FakeCloud, image_id: str) -> int:
    return sum(call.path.endswith(image_id) for call in cloud.calls_of("GET"))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_credentials_deletes_an_image(kind: str, cloud: FakeCloud, invoke: Invoke) -> None:
    image_id = cloud.add_image()
    assert invoke({"image_ids": [image_id]}, auth=kind).outcomes == {image_id: ("deleted", "")}
    assert list(cloud.dead) == [image_id]
    method = {"v3applicationcredential": "application_credential", "v3token": "token"}.get(kind, kind)
    assert json.loads(cloud.calls_of("POST")[0].body)["auth"]["identity"]["methods"] == [method]


def test_a_password_asks_for_a_token_of_the_named_project(cloud: FakeCloud, invoke: Invoke) -> None:
    invoke({"image_ids": [cloud.add_image()]})
    assert scope_asked_for(cloud) == {"project": {"name": "demo", "domain": {"name": "Default"}}}


def test_a_project_may_be_given_by_its_id(cloud: FakeCloud, invoke: Invoke) -> None:
    image_id = cloud.add_image()
    invoke({"image_ids": [image_id]}, OS_PROJECT_ID=DEMO, OS_PROJECT_NAME="", OS_PROJECT_DOMAIN_NAME="")
    assert scope_asked_for(cloud) == {"project": {"id": DEMO}}
    assert list(cloud.dead) == [image_id]


def test_an_application_credential_asks_for_no_scope(cloud: FakeCloud, invoke: Invoke) -> None:
    invoke({"image_ids": [cloud.add_image()]}, auth="v3applicationcredential")
    assert scope_asked_for(cloud) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_of_another_project_than_the_pin_deletes_nothing(kind: str, cloud: FakeCloud, invoke: Invoke) -> None:
    ours, theirs = cloud.add_image(), cloud.add_image(owner=OTHER)
    report = invoke({"image_ids": [ours, theirs]}, auth=kind, REAPER_PROJECT_ID=OTHER)
    assert set(report.outcomes.values()) == {("failed", "denied")}
    assert not cloud.dead
    assert [call.method for call in cloud.calls] == ["POST"]


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize(("method", "sent"), [("GET", ["GET", "GET", "DELETE"]), ("DELETE", ["GET", "DELETE"] * 2)])
def test_a_refused_token_is_replaced_once_and_a_delete_that_it_came_with_is_judged_anew(
    method: str, sent: list[str], refusal: str, cloud: FakeCloud, invoke: Invoke
) -> None:
    image_id = cloud.add_image()
    cloud.fault(method, IMAGE_PATH, **REFUSALS[refusal])
    assert invoke({"image_ids": [image_id]}).outcomes == {image_id: ("deleted", "")}
    assert list(cloud.dead) == [image_id]
    assert logins(cloud) == 2
    assert [call.method for call in cloud.calls if call.path.endswith(image_id)] == sent
    first, second = [call for call in cloud.calls_of(method) if call.path.endswith(image_id)]
    assert first.headers["X-Auth-Token"] != second.headers["X-Auth-Token"]


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_new_token_that_is_refused_too_is_the_end_and_no_loop(
    method: str, refusal: str, cloud: FakeCloud, invoke: Invoke
) -> None:
    image_id = cloud.add_image()
    cloud.fault(method, IMAGE_PATH, **REFUSALS[refusal] | FaultOptions(times=None))
    assert invoke({"image_ids": [image_id]}).outcomes == {image_id: ("failed", "denied")}
    assert image_id in cloud.images
    # Each refused token is replaced, so that the next request has a new one, even if a DELETE is not sent with it.
    assert logins(cloud) == (2 if method == "GET" else 3)
    assert sum(call.path.endswith(image_id) for call in cloud.calls_of(method)) == 2


def test_sixteen_workers_that_meet_a_revoked_token_together_make_one_new_one(cloud: FakeCloud, invoke: Invoke) -> None:
    image_ids = [cloud.add_image() for _ in range(32)]
    together = threading.Barrier(16, timeout=10)
    cloud.fault("GET", IMAGE_PATH, status=401, times=16, then=together.wait)
    assert set(invoke({"image_ids": image_ids}).outcomes.values()) == {("deleted", "")}
    assert set(cloud.dead) == set(image_ids)
    assert cloud.tokens_issued == logins(cloud) == 2


def test_sixteen_workers_whose_credentials_are_refused_together_ask_once(cloud: FakeCloud, invoke: Invoke) -> None:
    images = [cloud.add_image() for _ in range(40)]
    invoke({"image_ids": images[:1]})
    together = threading.Barrier(16, timeout=10)
    cloud.fault("GET", IMAGE_PATH, status=401, times=16, then=together.wait)
    cloud.fault("POST", TOKENS_PATH, status=401, times=None)
    cloud.calls.clear()
    assert set(invoke({"image_ids": images[1:]}).outcomes.values()) == {("failed", "denied")}
    assert len(cloud.calls_of("POST")) == 1  # more of them would lock the account


def test_a_token_that_is_about_to_expire_is_replaced_before_it_is_used(
    cloud: FakeCloud, invoke: Invoke, clean_environment: pytest.MonkeyPatch
) -> None:
    first, second = cloud.add_image(), cloud.add_image()
    invoke({"image_ids": [first]})
    day, _ = life.clocks()
    clean_environment.setattr(life, "clocks", lambda: (day + cloud.token_ttl - 60, 0.0))
    cloud.revoke_tokens()
    cloud.calls.clear()
    invoke({"image_ids": [second]})
    assert set(cloud.dead) == {first, second}
    assert {call.status for call in cloud.calls} <= {200, 201, 204}


def test_a_warm_function_uses_its_token_again(cloud: FakeCloud, invoke: Invoke) -> None:
    image_ids = [cloud.add_image() for _ in range(3)]
    for image_id in image_ids:
        invoke({"image_ids": [image_id]})
    assert set(cloud.dead) == set(image_ids)
    assert logins(cloud) == 1


@pytest.mark.parametrize("kind", ["password", "v3applicationcredential"])
@pytest.mark.parametrize("loss", ["revoke_tokens", "expire_tokens"])
def test_a_token_lost_between_invocations_is_replaced(loss: str, kind: str, cloud: FakeCloud, invoke: Invoke) -> None:
    first, second = cloud.add_image(), cloud.add_image()
    invoke({"image_ids": [first]}, auth=kind)
    getattr(cloud, loss)()
    assert invoke({"image_ids": [second]}, auth=kind).outcomes == {second: ("deleted", "")}
    assert set(cloud.dead) == {first, second}
    assert logins(cloud) == 2


def test_a_rotated_password_is_refused_until_the_setting_follows(cloud: FakeCloud, invoke: Invoke) -> None:
    first, second = cloud.add_image(), cloud.add_image()
    invoke({"image_ids": [first]})
    old = cloud.users["reaper"].password
    cloud.rotate_password("br4nd-new")
    assert invoke({"image_ids": [second]}, OS_PASSWORD=old).outcomes == {second: ("failed", "denied")}
    assert second in cloud.images
    assert invoke({"image_ids": [second]}).outcomes == {second: ("deleted", "")}
    assert second in cloud.dead


@pytest.mark.parametrize("what", WRONG)
def test_wrong_credentials_fail_every_image_with_one_question(
    what: str, cloud: FakeCloud, server: Server, invoke: Invoke
) -> None:
    image_ids = [cloud.add_image() for _ in range(3)]
    kind, settings = WRONG[what]
    report = invoke({"image_ids": image_ids}, auth=kind, **{k: v.format(url=server.url) for k, v in settings.items()})
    assert report.outcomes == dict.fromkeys(image_ids, ("failed", "denied"))
    assert not cloud.dead
    assert [call.method for call in cloud.calls] == ["POST"]
    invoke({"image_ids": image_ids}, auth=kind)
    assert set(cloud.dead) == set(image_ids)


def test_the_secret_that_was_sent_is_the_one_that_was_set(cloud: FakeCloud, invoke: Invoke) -> None:
    invoke({"image_ids": [cloud.add_image()]}, auth="v3applicationcredential")
    sent = json.loads(cloud.calls_of("POST")[0].body)["auth"]["identity"]["application_credential"]
    assert sent["secret"] == APP_CREDENTIAL_SECRET


@pytest.mark.parametrize("fault", NO_TOKEN)
def test_without_a_token_every_image_fails_and_the_next_invocation_heals(
    fault: str, cloud: FakeCloud, stage: Stage
) -> None:
    image_ids = [cloud.add_image() for _ in range(3)]
    options, reason = NO_TOKEN[fault]
    cloud.fault("POST", TOKENS_PATH, **options | FaultOptions(times=None))
    assert stage.outcomes(image_ids) == dict.fromkeys(image_ids, ("failed", reason))
    assert not cloud.dead
    assert [call.method for call in cloud.calls] == ["POST"]
    cloud.faults.clear()
    assert stage.outcomes(image_ids) == dict.fromkeys(image_ids, ("deleted", ""))
    assert set(cloud.dead) == set(image_ids)


def test_a_keystone_that_refuses_connections_fails_every_image(cloud: FakeCloud, stage: Stage) -> None:
    image_ids = [cloud.add_image() for _ in range(3)]
    with closed_port() as port:
        stage.set_up(OS_AUTH_URL=f"http://127.0.0.1:{port}/v3")
        assert stage.outcomes(image_ids) == dict.fromkeys(image_ids, ("failed", "unavailable"))
    assert not cloud.calls
    stage.set_up()
    assert stage.outcomes(image_ids) == dict.fromkeys(image_ids, ("deleted", ""))
    assert set(cloud.dead) == set(image_ids)


@pytest.mark.parametrize("oddity", ODD_TOKENS)
def test_a_token_that_can_not_be_read_fails_the_image_and_the_next_invocation_heals(
    oddity: str, cloud: FakeCloud, invoke: Invoke
) -> None:
    image_id = cloud.add_image()
    body = {"token": TOKEN | ODD_TOKENS[oddity]}
    cloud.fault("POST", TOKENS_PATH, status=201, headers={"X-Subject-Token": "gAAAAABodd"}, body=body)
    report = invoke({"image_ids": [image_id]})
    assert report.error is None
    assert report.outcomes[image_id] in {("failed", "unexpected"), ("failed", "denied")}
    assert image_id in cloud.images
    assert invoke({"image_ids": [image_id]}).outcomes == {image_id: ("deleted", "")}


@pytest.mark.parametrize("fault", ["401", "429", "500", "503", "cut", "web page"])
def test_where_no_new_token_is_to_be_had_in_the_middle_the_rest_fails_at_once(
    fault: str, cloud: FakeCloud, stage: Stage
) -> None:
    stage.outcomes([cloud.add_image()])
    cloud.revoke_tokens()
    options, reason = NO_TOKEN[fault]
    cloud.fault("POST", TOKENS_PATH, **options | FaultOptions(times=None))
    image_ids = [cloud.add_image() for _ in range(200)]
    cloud.calls.clear()
    assert stage.outcomes(image_ids) == dict.fromkeys(image_ids, ("failed", reason))
    assert set(cloud.images) == set(image_ids)
    assert logins(cloud) <= 2 * 16


@pytest.mark.parametrize("digits", [10, 300, 400, 4000])
def test_keystone_may_ask_for_any_time(digits: int, cloud: FakeCloud, invoke: Invoke) -> None:
    image_id = cloud.add_image()
    cloud.fault("POST", TOKENS_PATH, status=429, headers={"Retry-After": "9" * digits})
    assert invoke({"image_ids": [image_id]}).outcomes == {image_id: ("failed", "throttled")}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("place", [("POST", TOKENS_PATH), ("GET", IMAGE_PATH), ("DELETE", IMAGE_PATH)])
def test_a_redirect_carries_neither_token_nor_password_elsewhere(
    place: tuple[str, str], status: int, cloud: FakeCloud, invoke: Invoke, other_server: Server
) -> None:
    image_id = cloud.add_image()
    location = {"Location": f"{other_server.url}/image/v2/images/{image_id}"}
    cloud.fault(*place, status=status, headers=location, times=None)
    assert invoke({"image_ids": [image_id]}).outcomes == {image_id: ("failed", "unexpected")}
    assert isinstance(other_server.cloud, FakeCloud)
    assert not other_server.cloud.calls
    assert image_id in cloud.images


def test_a_redirect_after_a_refused_token_is_not_followed_either(
    cloud: FakeCloud, invoke: Invoke, other_server: Server
) -> None:
    image_id = cloud.add_image()
    cloud.fault("GET", IMAGE_PATH, status=401)
    cloud.fault("GET", IMAGE_PATH, status=307, headers={"Location": other_server.url}, times=None)
    assert invoke({"image_ids": [image_id]}).outcomes == {image_id: ("failed", "unexpected")}
    assert isinstance(other_server.cloud, FakeCloud)
    assert not other_server.cloud.calls
    assert image_id in cloud.images


@pytest.mark.slow("fifty images are deleted")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seconds", [20, 60, 119, 121])
def test_a_token_of_short_life_serves_many_images(seconds: int, kind: str, cloud: FakeCloud, invoke: Invoke) -> None:
    cloud.token_ttl = seconds
    image_ids = [cloud.add_image() for _ in range(50)]
    invoke({"image_ids": image_ids}, auth=kind)
    assert set(cloud.dead) == set(image_ids)
    assert logins(cloud) == 1


@pytest.mark.parametrize("ours", [timedelta(minutes=-7), timedelta(minutes=7), timedelta(hours=2), timedelta(days=-1)])
@pytest.mark.parametrize("seconds", [60, 3600])
def test_a_clock_that_differs_from_keystones_costs_no_login(
    seconds: int, ours: timedelta, cloud: FakeCloud, invoke: Invoke, clean_environment: pytest.MonkeyPatch
) -> None:
    cloud.token_ttl = seconds
    clean_environment.setattr(accounts, "wall_clock", lambda: datetime.now(UTC) - ours)
    for image_id in [cloud.add_image() for _ in range(3)]:
        assert invoke({"image_ids": [image_id]}).outcomes == {image_id: ("deleted", "")}
    assert logins(cloud) == 1


@pytest.mark.parametrize("expires", ["2001-01-01T00:00:00.000000Z", "2099-01-01T00:00:00.000000Z"])
def test_a_token_that_does_not_say_when_it_was_made_is_used_all_the_same(
    expires: str, cloud: FakeCloud, server: Server, invoke: Invoke
) -> None:
    token = cloud.env(server.url, "v3token")["OS_TOKEN"]
    image = {"type": "image", "endpoints": [ENDPOINT | {"url": f"{server.url}/image"}]}
    nova = {"type": "compute", "endpoints": [ENDPOINT | {"url": f"{server.url}/compute/v2.1"}]}
    body = {"token": TOKEN | {"expires_at": expires, "catalog": [image, nova]}}
    cloud.fault("POST", TOKENS_PATH, status=201, headers={"X-Subject-Token": token}, body=body, times=None)
    image_ids = [cloud.add_image() for _ in range(20)]
    assert invoke({"image_ids": image_ids}).outcomes == dict.fromkeys(image_ids, ("deleted", ""))
    assert logins(cloud) == 1


LIVES = [(3600, 3479, 3481), (600, 479, 481), (240, 179, 181), (60, 44, 46), (20, 29, 31), (0, 29, 31), (-900, 29, 31)]


@pytest.mark.parametrize("stopped", [0, 1], ids=["the day is set back", "the environment was frozen"])
@pytest.mark.parametrize(("lives", "still", "over"), LIVES)
def test_a_token_is_given_up_before_its_end_by_a_margin_that_fits_its_life(
    lives: int, still: int, over: int, stopped: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = datetime(2026, 1, 1, tzinfo=UTC)
    clocks = [0.0, 1000.0]
    monkeypatch.setattr(life, "clocks", lambda: (clocks[0], clocks[1]))
    token = life.Life.of(made, made + timedelta(seconds=lives), life.clocks())
    clocks[1 - stopped] += still
    assert not token.is_over()
    clocks[stopped] -= 5 * (1 - stopped)
    clocks[1 - stopped] += over - still
    assert token.is_over()
