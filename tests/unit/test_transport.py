import threading
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from time import time

import keystoneauth1.exceptions
import pytest
import requests
import requests.exceptions
from keystoneauth1.exceptions import ClientException, HTTPClientError, HttpServerError

from handler import errors
from handler.clock import ATTEMPTS, FIRST_PAUSE, LONGEST_PAUSE
from handler.cloud.asking.failures import WIRE_ERRORS
from handler.cloud.identity.keystone import KEYSTONE_ERRORS
from handler.cloud.meanings import Meaning
from handler.cloud.places.session import new_session
from tests.conftest import Invoke
from tests.fakecloud import FakeCloud, Server
from tests.fakecloud.api import Reply, Request
from tests.fakecloud.cloud import FaultOptions
from tests.faults import IMAGE_PATH, TOKENS_PATH, Clock, closed_port, debug_urllib3, new_connections, new_run, reap
from tests.faults import new_transport as transport_of

PASSING = {
    **{str(status): FaultOptions(status=status) for status in (408, 500, 502, 503, 504)},
    "page": FaultOptions(status=502, body="<html>Bad Gateway</html>", content_type="text/html"),
    "cut": FaultOptions(status=500, cut=True),
    "half": FaultOptions(status=500, cut="half", body="x" * 1000),
    "wrong length": FaultOptions(status=500, length=9999, body="x" * 1000),
}
THROTTLED = {
    **{str(status): FaultOptions(status=status) for status in (413, 429)},
    "429 of the gateway": FaultOptions(status=429, body={"error_code": "APIGW.0308", "error_msg": "throttled"}),
    "400 of IMS": FaultOptions(status=400, body={"error": {"code": "IMG.0060", "message": "Flow control."}}),
    "202 of ECS": FaultOptions(status=202, body={"error": {"code": "Common.0024", "message": "Flow limit exceeded."}}),
}
BROKEN_SUCCESS = {
    "cut": FaultOptions(status=None, cut=True),
    "half": FaultOptions(status=None, cut="half"),
    "wrong length": FaultOptions(status=None, length=9999),
}
FINAL = (400, 403, 404, 405, 406, 410, 411, 415, 418, 422, 451, 501)
NO_TIME = {
    "nonsense": "soon",
    "negative": "-5",
    "a fraction": "1.5",
    "infinite": "inf",
    "in the past": "Wed, 21 Oct 2015 07:28:00 GMT",
    "zero": "0",
    "no date": "Mon, 99 Foo 2026 99:99:99 GMT",
    "a year too far": "Mon, 01 Jan 99999 00:00:00 GMT",
    "5000 digits": "9" * 5000,
}
TOO_LONG = {"a day": "86400", "20 digits": "9" * 20, "2099": "Thu, 01 Jan 2099 00:00:00 GMT"}


def rows(names: str, ours: type[errors.CloudError]) -> dict[str, type[errors.CloudError]]:
    return dict.fromkeys(names.split(), ours)


UNREACHABLE, UNAVAILABLE, UNEXPECTED = errors.Unreachable, errors.Unavailable, errors.Unexpected
WIRE = {
    "ProxyError": UNREACHABLE,
    "SSLError": UNREACHABLE,
    "Timeout": errors.Unanswered,
    "ConnectTimeout": UNREACHABLE,
    "ReadTimeout": errors.Unanswered,
    "ConnectionError": errors.AnswerLost,
    "ChunkedEncodingError": errors.AnswerLost,
    "ContentDecodingError": errors.AnswerLost,
    **rows(
        "HTTPError InvalidHeader InvalidJSONError InvalidProxyURL InvalidSchema InvalidURL JSONDecodeError "
        "MissingSchema RequestException RetryError StreamConsumedError TooManyRedirects URLRequired "
        "UnrewindableBodyError",
        UNEXPECTED,
    ),
}
KEYSTONE = {
    "TooManyRequests": errors.Throttled,
    "RequestEntityTooLarge": errors.Throttled,
    "RequestTimeout": UNAVAILABLE,
    **rows(
        "HttpServerError InternalServerError HttpNotImplemented BadGateway ServiceUnavailable GatewayTimeout "
        "HttpVersionNotSupported",
        UNAVAILABLE,
    ),
    **rows(
        "HTTPClientError BadRequest Unauthorized PaymentRequired Forbidden NotFound MethodNotAllowed NotAcceptable "
        "ProxyAuthenticationRequired Conflict Gone LengthRequired PreconditionFailed RequestUriTooLong "
        "UnsupportedMediaType RequestedRangeNotSatisfiable ExpectationFailed UnprocessableEntity",
        errors.CredentialsRefused,
    ),
    **rows("ConnectionError ConnectTimeout ConnectFailure SSLError UnknownConnectionError", UNREACHABLE),
    **rows(
        "ClientException AuthorizationFailure MissingAuthMethods AuthPluginException MissingAuthPlugin "
        "NoMatchingPlugin UnsupportedParameters OptionError MissingRequiredOptions InvalidDiscoveryEndpoint "
        "InvalidOidcDiscoveryDocument OidcAccessTokenEndpointNotFound OidcAuthorizationEndpointNotFound "
        "OidcDeviceAuthorizationEndpointNotFound OidcDeviceAuthorizationTimeOut OidcInvalidCodeChallengeMethod "
        "OidcPluginNotSupported CatalogException EndpointNotFound EmptyCatalog DiscoveryFailure "
        "VersionNotAvailable HttpError InvalidResponse ServiceProviderNotFound",
        UNEXPECTED,
    ),
}


@pytest.fixture
def clock() -> Clock:
    return Clock(seconds=600)


def address(server: Server, image_id: str) -> str:
    return f"{server.url}/image/v2/images/{image_id}"


def within_bounds(pauses: list[float]) -> bool:
    longest = [FIRST_PAUSE * 2**n for n in range(len(pauses))]
    return all(most / 2 <= pause <= most for pause, most in zip(pauses, longest, strict=True))


def family(root: type[Exception]) -> Iterator[type[Exception]]:
    """A class and all its descendants that its own package defines."""
    yield root
    for child in root.__subclasses__():
        if child.__module__.startswith((requests.exceptions.__name__, keystoneauth1.exceptions.__name__)):
            yield from family(child)


def row_of(
    error: type[Exception], table: tuple[tuple[type[Exception], type[errors.CloudError]], ...]
) -> type[errors.CloudError]:
    return next(ours for theirs, ours in table if issubclass(error, theirs))


@pytest.mark.parametrize("fault", PASSING)
def test_a_read_is_tried_again_after_what_passes(fault: str, cloud: FakeCloud, server: Server, clock: Clock) -> None:
    image_id = cloud.add_image()
    cloud.fault("GET", IMAGE_PATH, **PASSING[fault] | FaultOptions(times=2))
    record = transport_of(cloud, server, clock).read(address(server, image_id))
    assert record
    assert record["id"] == image_id
    assert len(cloud.calls_of("GET")) == 3
    assert within_bounds(clock.pauses)


@pytest.mark.parametrize("fault", BROKEN_SUCCESS)
def test_a_success_of_which_only_a_part_arrives_is_asked_for_again(
    fault: str, cloud: FakeCloud, server: Server, clock: Clock
) -> None:
    image_id = cloud.add_image()
    cloud.fault("GET", IMAGE_PATH, **BROKEN_SUCCESS[fault])
    record = transport_of(cloud, server, clock).read(address(server, image_id))
    assert record
    assert record["id"] == image_id
    assert len(cloud.calls_of("GET")) == 2


@pytest.mark.parametrize("fault", PASSING)
def test_a_delete_is_tried_again_after_what_passes(fault: str, cloud: FakeCloud, server: Server, clock: Clock) -> None:
    image_id = cloud.add_image()
    cloud.fault("DELETE", IMAGE_PATH, **PASSING[fault] | FaultOptions(times=2))
    assert reap(new_run(cloud, server, clock), [image_id])[image_id].outcome == "deleted"
    assert list(cloud.dead) == [image_id]
    assert len(cloud.calls_of("DELETE")) == 3
    assert within_bounds(clock.pauses)


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_does_not_pass_is_met_four_times(
    fault: str, cloud: FakeCloud, server: Server, clock: Clock
) -> None:
    image_id = cloud.add_image()
    cloud.fault("DELETE", IMAGE_PATH, **PASSING[fault] | FaultOptions(times=None))
    outcome = reap(new_run(cloud, server, clock), [image_id])[image_id]
    assert (outcome.outcome, outcome.reason) == ("failed", "unavailable")
    assert len(cloud.calls_of("DELETE")) == ATTEMPTS
    assert image_id in cloud.images
    assert within_bounds(clock.pauses)


@pytest.mark.parametrize("fault", THROTTLED)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_what_is_throttled_is_tried_again_until_it_is_done(
    method: str, fault: str, cloud: FakeCloud, server: Server, clock: Clock
) -> None:
    image_id = cloud.add_image()
    cloud.fault(method, IMAGE_PATH, **THROTTLED[fault] | FaultOptions(times=ATTEMPTS + 5))
    assert reap(new_run(cloud, server, clock), [image_id])[image_id].outcome == "deleted"
    assert list(cloud.dead) == [image_id]


@pytest.mark.parametrize("fault", THROTTLED)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_what_is_throttled_to_the_end_is_asked_for_ever_more_slowly_and_fails(
    method: str, fault: str, cloud: FakeCloud, server: Server
) -> None:
    image_id, clock = cloud.add_image(), Clock(60)
    cloud.fault(method, IMAGE_PATH, **THROTTLED[fault] | FaultOptions(times=None))
    outcome = reap(new_run(cloud, server, clock), [image_id])[image_id]
    assert (outcome.outcome, outcome.reason, image_id in cloud.images) == ("failed", "throttled", True)
    assert f"{method} answered HTTP {THROTTLED[fault]['status']}" in outcome.detail
    assert clock.remaining() < 5
    assert ATTEMPTS < len(cloud.calls_of(method)) < 120


@pytest.mark.parametrize("status", FINAL)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_what_does_not_pass_is_not_tried_again(
    method: str, status: int, cloud: FakeCloud, server: Server, clock: Clock
) -> None:
    image_id = cloud.add_image()
    cloud.fault(method, IMAGE_PATH, status=status, times=None)
    outcome = reap(new_run(cloud, server, clock), [image_id])[image_id]
    assert (outcome.outcome, outcome.reason) == ("failed", "denied" if status == 403 else "unexpected")
    assert len([call for call in cloud.calls_of(method) if call.path.endswith(image_id)]) == 1
    assert image_id in cloud.images
    assert not clock.pauses


def test_pauses_follow_no_fixed_beat(cloud: FakeCloud, server: Server, clock: Clock) -> None:
    image_id = cloud.add_image()
    cloud.fault("GET", IMAGE_PATH, status=503, times=None)
    transport = transport_of(cloud, server, clock)
    for _ in range(3):
        with pytest.raises(errors.Unavailable):
            transport.read(address(server, image_id))
    assert len(set(clock.pauses)) == len(clock.pauses) == 9


@pytest.mark.parametrize("status", [429, 413, 503])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_the_cloud_may_name_the_seconds_to_wait(
    method: str, status: int, cloud: FakeCloud, server: Server, clock: Clock
) -> None:
    image_id = cloud.add_image()
    cloud.fault(method, IMAGE_PATH, status=status, headers={"Retry-After": "7"})
    run = new_run(cloud, server, clock)
    assert reap(run, [image_id])[image_id].outcome == "deleted"
    # What follows has a slot of its own.
    assert (clock.pauses[0], sum(clock.pauses[1:]) < 0.1) == (7.0, True)


def test_the_cloud_may_name_the_time_to_come_again(cloud: FakeCloud, server: Server, clock: Clock) -> None:
    image_id = cloud.add_image()
    cloud.fault("GET", IMAGE_PATH, status=429, headers={"Retry-After": formatdate(time() + 100, usegmt=True)})
    assert transport_of(cloud, server, clock).read(address(server, image_id))
    assert 60 < clock.pauses[0] <= 101


@pytest.mark.parametrize("header", NO_TIME)
def test_a_time_to_wait_that_is_none_is_ignored(header: str, cloud: FakeCloud, server: Server, clock: Clock) -> None:
    image_id = cloud.add_image()
    cloud.fault("GET", IMAGE_PATH, status=500, headers={"Retry-After": NO_TIME[header]}, times=2)
    assert transport_of(cloud, server, clock).read(address(server, image_id))
    assert within_bounds(clock.pauses)


@pytest.mark.parametrize("header", TOO_LONG)
def test_a_time_to_wait_beyond_the_deadline_is_not_waited_for(
    header: str, cloud: FakeCloud, server: Server, clock: Clock
) -> None:
    image_id = cloud.add_image()
    cloud.fault("DELETE", IMAGE_PATH, status=429, headers={"Retry-After": TOO_LONG[header]}, times=None)
    outcome = reap(new_run(cloud, server, clock), [image_id])[image_id]
    assert (outcome.outcome, outcome.reason) == ("failed", "throttled")
    assert len(cloud.calls_of("DELETE")) == 1
    assert image_id in cloud.images
    assert not clock.pauses


def test_keystone_is_tried_again_as_well(cloud: FakeCloud, server: Server, clock: Clock) -> None:
    cloud.fault("POST", TOKENS_PATH, status=503)
    cloud.fault("POST", TOKENS_PATH, status=429, headers={"Retry-After": "7"})
    cloud.fault("POST", TOKENS_PATH, cut=True)
    assert transport_of(cloud, server, clock).project_id()
    assert len(cloud.calls_of("POST")) == ATTEMPTS
    assert clock.pauses[1] == 7.0


def test_keystone_that_throttles_is_asked_at_growing_pauses_until_it_answers(
    cloud: FakeCloud, server: Server, clock: Clock
) -> None:
    cloud.fault("POST", TOKENS_PATH, status=429, times=ATTEMPTS + 5)
    assert transport_of(cloud, server, clock).project_id()
    longest = [min(FIRST_PAUSE * 2**n, LONGEST_PAUSE) for n in range(ATTEMPTS + 5)]
    assert all(most / 2 <= pause <= most for pause, most in zip(clock.pauses, longest, strict=True))


@pytest.mark.parametrize("lost", [{"cut": True}, {"status": 502}, {"status": 504}, {"cut": "half", "body": "x" * 9}])
def test_a_delete_of_ours_whose_answer_is_lost_is_told_as_ours(
    lost: FaultOptions, cloud: FakeCloud, server: Server, clock: Clock
) -> None:
    image_id = cloud.add_image()
    cloud.fault("DELETE", IMAGE_PATH, **lost | FaultOptions(apply=True))
    outcome = reap(new_run(cloud, server, clock), [image_id])[image_id]
    assert (outcome.outcome, outcome.detail) == ("deleted", "the answer to its DELETE was lost")
    assert (outcome.name, outcome.size) == (cloud.dead[image_id].name, cloud.dead[image_id].size)
    assert list(cloud.dead) == [image_id]
    assert len(cloud.calls_of("DELETE")) == 1  # a look is enough


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_delete_that_was_turned_down_before_the_image_went_is_not_told_as_ours(
    status: int, cloud: FakeCloud, server: Server, clock: Clock
) -> None:
    image_id = cloud.add_image()
    cloud.fault("DELETE", IMAGE_PATH, status=status, then=lambda: cloud.images.pop(image_id))
    assert reap(new_run(cloud, server, clock), [image_id])[image_id].outcome == "already_gone"


@pytest.mark.parametrize("fault", [PASSING["503"], THROTTLED["429"], PASSING["cut"]])
def test_an_image_that_changed_before_a_delete_is_repeated_stays(
    fault: FaultOptions, cloud: FakeCloud, server: Server, clock: Clock
) -> None:
    image_id = cloud.add_image()
    cloud.fault("DELETE", IMAGE_PATH, **fault | FaultOptions(then=lambda: cloud.images[image_id].tags.append("keep")))
    outcome = reap(new_run(cloud, server, clock), [image_id])[image_id]
    assert (outcome.outcome, outcome.reason) == ("refused", "kept")
    assert len(cloud.calls_of("DELETE")) == 1
    assert image_id in cloud.images


@pytest.mark.parametrize("place", ["GET", "DELETE"])
def test_a_fault_inside_a_repeated_attempt_is_not_multiplied(
    place: str, cloud: FakeCloud, server: Server, clock: Clock
) -> None:
    image_id = cloud.add_image()
    cloud.fault("GET", IMAGE_PATH, status=503, times=None, skip=1)
    cloud.fault("DELETE", IMAGE_PATH, status=503 if place == "GET" else 202, times=None)
    assert reap(new_run(cloud, server, clock), [image_id])[image_id].reason == "unavailable"
    assert len([call for call in cloud.calls_of("GET") if call.path.endswith(image_id)]) == 1 + ATTEMPTS
    assert len(cloud.calls_of("DELETE")) == 1


def test_a_refusal_is_an_answer_and_asked_for_once(cloud: FakeCloud, server: Server, clock: Clock) -> None:
    answer, _ = transport_of(cloud, server, clock).delete(
        address(server, cloud.add_image(protected=True)), None, lambda: None
    )
    assert answer.meaning is Meaning.PROTECTED
    assert len(cloud.calls_of("DELETE")) == 1


def test_the_latency_of_a_delete_is_measured(cloud: FakeCloud, server: Server, clock: Clock) -> None:
    _, latency = transport_of(cloud, server, clock).delete(address(server, cloud.add_image()), None, lambda: None)
    assert latency > 0


def test_every_error_of_requests_has_an_intended_row() -> None:
    found = {error.__name__: row_of(error, WIRE_ERRORS) for error in family(requests.exceptions.RequestException)}
    assert found == WIRE


def test_every_error_of_keystoneauth_has_an_intended_row() -> None:
    found = {error.__name__: row_of(error, KEYSTONE_ERRORS) for error in family(ClientException)}
    assert found == KEYSTONE


@pytest.mark.parametrize("root", [HTTPClientError, HttpServerError])
def test_no_error_status_of_keystone_falls_to_the_last_row(root: type[Exception]) -> None:
    assert all(row_of(error, KEYSTONE_ERRORS) is not errors.Unexpected for error in family(root))


def test_a_refused_connection_ends_the_run_and_a_cut_one_does_not(
    cloud: FakeCloud, server: Server, clock: Clock
) -> None:
    transport = transport_of(cloud, server, clock)
    with closed_port() as port, pytest.raises(errors.Unreachable):
        transport.read(f"http://127.0.0.1:{port}/")
    cloud.fault("GET", cut=True, times=None)
    with pytest.raises(errors.Unavailable) as cut:
        transport.read(address(server, "any"))
    assert not cut.value.ends_run


class Gauge:
    """Counts how many requests a cloud has in hand at once."""

    def __init__(self, cloud: FakeCloud) -> None:
        self.cloud, self.now, self.most, self.lock = cloud, 0, 0, threading.Lock()

    def handle(self, request: Request) -> Reply:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        reply = self.cloud.handle(request)
        with self.lock:
            self.now -= 1
        return reply


@pytest.mark.parametrize("most", [1, 4])
def test_as_many_requests_as_the_setting_says_are_in_flight_and_no_more(
    most: int, cloud: FakeCloud, clock: Clock
) -> None:
    gauge = Gauge(cloud)
    image_ids = [cloud.add_image() for _ in range(40)]
    together = threading.Barrier(most, timeout=10)
    cloud.fault("GET", IMAGE_PATH, status=None, times=None, then=together.wait)
    with Server(gauge) as server:
        outcomes = reap(new_run(cloud, server, clock, REAPER_CONCURRENCY=str(most)), image_ids)
    assert {outcome.outcome for outcome in outcomes.values()} == {"deleted"}
    assert set(cloud.dead) == set(image_ids)
    assert gauge.most == most


def test_connections_are_used_again_by_the_next_invocation_too(
    cloud: FakeCloud, invoke: Invoke, caplog: pytest.LogCaptureFixture
) -> None:
    debug_urllib3(caplog)
    first, second = ([cloud.add_image() for _ in range(40)] for _ in range(2))
    invoke({"image_ids": first}, REAPER_CONCURRENCY="4")
    opened = new_connections(caplog)
    invoke({"image_ids": second}, REAPER_CONCURRENCY="4")
    assert len(cloud.dead) == 80
    assert new_connections(caplog) == opened <= 4 + 1


def test_the_proxies_of_the_environment_are_those_of_requests_for_each_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "inside")
    ours, plain = new_session(1, verify=True), requests.Session()
    for url in ("https://glance/v2", "https://inside/v2", "https://glance/v2/images", "http://glance/v2"):
        found = [session.merge_environment_settings(url, {}, None, None, None) for session in (ours, plain)]
        assert found[0] == found[1]
    for here in ("https://127.0.0.1:5000/v3", "https://[::1]/v3", "https://localhost/v3"):
        assert ours.merge_environment_settings(here, {}, None, None, None)["proxies"] == {}


def test_a_request_is_what_a_plain_session_makes_of_it_without_cookies_and_without_netrc(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine cloud login somebody password else")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    ours, plain = new_session(connections=1, verify=True), requests.Session()
    plain.trust_env = False
    plain.headers.update(ours.headers)
    ours.cookies.set("session", "of another")

    def prepared(session: requests.Session) -> tuple[object, ...]:
        options = {"headers": {"X-Of": "ours"}, "params": {"limit": "1"}, "json": {"delete_backup": True}}
        request = session.prepare_request(requests.Request("DELETE", "https://cloud/v2/images/ä", **options))
        return request.method, request.url, request.headers, request.body

    assert prepared(ours) == prepared(plain)
