"""Objects of a bucket: against moto's server, which checks every signature, and against odd answers."""

import base64
import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from handler.engine import objects
from handler.engine.objects import Objects, Place
from handler.errors import DeadlineReached, EngineFault, Outdated
from tests.aws import REGION, Client, Keys, checks, client, keys_for
from tests.fakecloud import FakeCloud, Server
from tests.fakecloud.api import Reply, Request
from tests.faults import Clock, closed_port, silent_port

NAME, KEY = "reports", "runs/2026-11-26/p/r/page.html"
TOKEN, SECRET = "IQoJb3JpZ2luX2VjEXAMPLE/+=", "wJalrXUtnFEMI/K7MDENG"
ODD = [
    *(
        "a b",
        "a+b",
        "a%41b",
        "\xe4\xf6\xfc",
        "\u732b",
        "\U0001f408",
        "a#b?c=d&e",
        "[a]{b}",
        "'\"`",
        "a\\b",
        "~a-_.!*()",
    ),
    *("...", "a..b", ".a", "a;b,c:d@e$", "x" * 1000),
]
XML = "<?xml version='1.0'?><Error><Code>{}</Code><Message>{}</Message><RequestId>r</RequestId></Error>"


@pytest.fixture
def s3(moto: str) -> Iterator[Client]:
    s3 = client("s3", moto)
    s3.create_bucket(Bucket=NAME, CreateBucketConfiguration={"LocationConstraint": REGION})
    yield s3
    empty(s3, NAME)


def empty(s3: Client, bucket: str) -> None:
    found = s3.list_object_versions(Bucket=bucket)
    for version in [*found.get("Versions", ()), *found.get("DeleteMarkers", ())]:
        s3.delete_object(
            Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"], BypassGovernanceRetention=True
        )
    s3.delete_bucket(Bucket=bucket)


@pytest.fixture
def keys(moto: str, s3: Client) -> Keys:  # noqa: ARG001 (what the keys are for)
    ours = f"arn:aws:s3:::{NAME}/runs/*"
    return keys_for(moto, ("s3:PutObject", ours), ("s3:GetObject", ours))


def bucket(
    address: str,
    keys: tuple[str, str, str] = ("AKIDEXAMPLE", SECRET, TOKEN),
    clock: Clock | None = None,
    name: str = NAME,
) -> Objects:
    return Objects(name, Place(address, REGION, by_path=True), lambda: keys, (clock or Clock()).deadline())


def put(ours: Objects, key: str = KEY) -> None:
    ours.put(key, b"x", "text/plain")


def get(ours: Objects, key: str = KEY) -> bytes | None:
    return ours.get(key)


both = pytest.mark.parametrize("ask", [put, get])
Ask = Callable[..., object]


def body_of(s3: Client, key: str, bucket: str = NAME) -> bytes:
    return bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())


# A bucket that checks what it is asked


@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_an_object_is_stored_and_read_under_its_very_key(name: str, moto: str, s3: Client, keys: Keys) -> None:
    key = f"runs/{name}/page.html"[:1024]
    with checks(moto):
        ours = bucket(moto, keys)
        ours.put(key, b"\x00<p>\xc3\xa4", "text/html; charset=utf-8")
        assert ours.get(key) == b"\x00<p>\xc3\xa4"
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=NAME)["Contents"]] == [key]
    assert s3.head_object(Bucket=NAME, Key=key)["ContentType"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("content", [b"", b"x" * 3_000_000], ids=len)
def test_an_object_may_have_any_size(content: bytes, moto: str, keys: Keys) -> None:
    with checks(moto):
        ours = bucket(moto, keys)
        ours.put(KEY, content, "application/json")
        assert ours.get(KEY) == content


def test_an_object_takes_the_place_of_the_one_before(moto: str, s3: Client, keys: Keys) -> None:
    with checks(moto):
        for content in (b"old", b"new"):
            bucket(moto, keys).put(KEY, content, "text/plain")
    assert body_of(s3, KEY) == b"new"


@both
@pytest.mark.parametrize("wrong", ["key", "secret", "token"])
def test_wrong_keys_are_a_fault_and_store_nothing(wrong: str, ask: Ask, moto: str, s3: Client, keys: Keys) -> None:
    ours = bucket(moto, keys._replace(**{wrong: f"{getattr(keys, wrong)}0"}))
    with checks(moto), pytest.raises(EngineFault, match=f"the bucket {NAME} answered HTTP 40[03] ") as caught:
        ask(ours)
    assert not [part for part in keys if part in str(caught.value)]
    assert "Contents" not in s3.list_objects_v2(Bucket=NAME)


def test_what_is_not_permitted_can_not_be_stored_and_is_not_there_for_us(moto: str, s3: Client, keys: Keys) -> None:
    s3.put_object(Bucket=NAME, Key="private/x", Body=b"x")
    with checks(moto):
        ours = bucket(moto, keys)
        assert ours.get("private/x") is None
        with pytest.raises(EngineFault, match="HTTP 403 AccessDenied: "):
            ours.put("private/y", b"y", "text/plain")
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=NAME)["Contents"]] == ["private/x"]


def test_an_object_that_is_not_there_is_none(moto: str, keys: Keys) -> None:
    with checks(moto):
        assert bucket(moto, keys).get(KEY) is None


@both
def test_a_bucket_that_is_not_there_is_a_fault(ask: Ask, moto: str) -> None:
    keys = keys_for(moto, ("s3:*", "*"))
    with checks(moto), pytest.raises(EngineFault, match="the bucket nowhere answered HTTP 404 NoSuchBucket: "):
        ask(bucket(moto, keys, name="nowhere"))


def test_a_bucket_that_locks_its_objects_takes_them_and_a_second_version(moto: str) -> None:
    s3 = client("s3", moto)
    where = {"LocationConstraint": REGION}
    s3.create_bucket(Bucket="locked", CreateBucketConfiguration=where, ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    s3.put_object_lock_configuration(
        Bucket="locked", ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    keys = keys_for(moto, ("s3:PutObject", "arn:aws:s3:::locked/runs/*"))
    with checks(moto):
        ours = bucket(moto, keys, name="locked")
        for content in (b"first", b"second"):
            ours.put(KEY, content, "text/plain")
    assert len(s3.list_object_versions(Bucket="locked")["Versions"]) == 2
    assert body_of(s3, KEY, "locked") == b"second"
    empty(s3, "locked")


# What is sent


def test_a_file_is_sent_with_every_checksum_that_a_bucket_may_want(cloud: FakeCloud, server: Server) -> None:
    cloud.fault("PUT", status=200, headers={"ETag": '"e"'})
    bucket(server.url).put(KEY, b"content", "text/plain")
    (call,) = cloud.calls
    sent = {name.lower(): value for name, value in call.headers.items()}
    assert sent["content-md5"] == base64.b64encode(hashlib.md5(b"content", usedforsecurity=False).digest()).decode()
    assert sent["x-amz-checksum-sha256"] == base64.b64encode(hashlib.sha256(b"content").digest()).decode()
    assert sent["x-amz-sdk-checksum-algorithm"] == "SHA256"
    assert not [name for name in sent if "encryption" in name]
    assert "x-amz-checksum-sha256" in sent["authorization"]


@both
@pytest.mark.parametrize("key", ["", "/a", "a//b", "a/", ".", "a/./b", "../a", "a/..", "\ud800", "x" * 1025], ids=ascii)
def test_a_key_that_would_become_another_one_is_not_sent(key: str, ask: Ask, cloud: FakeCloud, server: Server) -> None:
    with pytest.raises(EngineFault, match="can't be the key of an object"):
        ask(bucket(server.url), key)
    assert cloud.calls == []


def test_keys_are_asked_for_at_each_try(cloud: FakeCloud, server: Server) -> None:
    cloud.fault("GET", status=503)
    cloud.fault("GET", status=200, headers={"ETag": "e"}, body="x")
    replaced = iter([("first", "s", ""), ("second", "s", "")])
    ours = Objects(NAME, Place(server.url, REGION, by_path=True), lambda: next(replaced), Clock().deadline())
    assert ours.get(KEY) == b"x"
    assert ["=first/" in call.headers["Authorization"] for call in cloud.calls] == [True, False]


def test_nothing_is_sent_once_the_run_has_ended(cloud: FakeCloud, server: Server) -> None:
    deadline = Clock().deadline()
    ours = Objects(NAME, Place(server.url, REGION, by_path=True), lambda: ("k", "s", ""), deadline)
    deadline.halt(DeadlineReached("the invocation has ended"))
    with pytest.raises(DeadlineReached):
        ours.put(KEY, b"x", "text/plain")
    assert cloud.calls == []


def test_what_keeps_a_thread_from_the_cloud_keeps_no_file_from_the_bucket(cloud: FakeCloud, server: Server) -> None:
    def refuse() -> None:
        message = "the DELETE that this thread was about to send"
        raise Outdated(message)

    cloud.fault("PUT", status=200, headers={"ETag": "e"})
    with Clock().deadline().fence.around(refuse):
        put(bucket(server.url))
    assert len(cloud.calls) == 1


def test_an_object_is_asked_for_as_it_is_stored(cloud: FakeCloud, server: Server) -> None:
    cloud.fault("GET", status=200, headers={"ETag": "e"}, body="x")
    get(bucket(server.url))
    assert cloud.calls[0].headers["Accept-Encoding"] == "identity"


# Odd answers


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (409, "ConditionalRequestConflict"),
        (409, "OperationAborted"),
        (400, "RequestTimeout"),
        (503, "SlowDown"),
        (500, "InternalError"),
        (429, ""),
        (502, ""),
    ],
)
def test_what_may_pass_is_tried_again(status: int, code: str, cloud: FakeCloud, server: Server) -> None:
    cloud.fault("PUT", status=status, body=XML.format(code, "wait") if code else "<html>", times=2)
    cloud.fault("PUT", status=200, headers={"ETag": "e"})
    clock = Clock()
    bucket(server.url, clock=clock).put(KEY, b"x", "text/plain")
    assert (len(cloud.calls), len(clock.pauses)) == (3, 2)
    assert {call.body for call in cloud.calls} == {b"x"}


def test_what_does_not_pass_ends_after_four_tries(cloud: FakeCloud, server: Server) -> None:
    cloud.fault("GET", status=503, body=XML.format("SlowDown", "Please reduce your request rate."), times=None)
    with pytest.raises(EngineFault, match="HTTP 503 SlowDown: Please reduce your request rate"):
        bucket(server.url).get(KEY)
    assert len(cloud.calls) == 4


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "ExpiredToken"),
        (403, "SignatureDoesNotMatch"),
        (403, "InvalidAccessKeyId"),
        (400, "BadDigest"),
        (412, "X"),
    ],
)
def test_what_lasts_is_tried_once(status: int, code: str, cloud: FakeCloud, server: Server) -> None:
    cloud.fault("GET", status=status, body=XML.format(code, "no"), times=None)
    with pytest.raises(EngineFault, match=f"HTTP {status} {code}: no"):
        bucket(server.url).get(KEY)
    assert len(cloud.calls) == 1


@both
@pytest.mark.parametrize("status", [200, 204, 403, 404, 407])
@pytest.mark.parametrize("body", ["", "<html>Log in</html>", '{"code": "NoSuchKey"}'])
def test_an_answer_that_no_bucket_gives_is_a_fault(
    status: int, body: str, ask: Ask, cloud: FakeCloud, server: Server
) -> None:
    cloud.fault(status=status, body=body, content_type="text/html")
    with pytest.raises(EngineFault, match=f"HTTP {status} came from something that is no bucket"):
        ask(bucket(server.url))


def test_a_redirect_is_not_followed_and_says_where_the_bucket_is(cloud: FakeCloud, server: Server) -> None:
    there = {"Location": f"{server.url}/elsewhere", "x-amz-bucket-region": "us-east-1"}
    cloud.fault("GET", status=301, headers=there, body=XML.format("PermanentRedirect", "Elsewhere."))
    with pytest.raises(EngineFault, match=r"PermanentRedirect: Elsewhere\.; it is in us-east-1, and was asked for in"):
        bucket(server.url).get(KEY)
    assert len(cloud.calls) == 1


@pytest.mark.parametrize("cut", [True, "half"])
def test_an_object_that_ends_early_is_read_again(cut: Any, cloud: FakeCloud, server: Server) -> None:  # noqa: ANN401
    cloud.fault("GET", status=200, headers={"ETag": "e"}, body="x" * 100_000, cut=cut)
    cloud.fault("GET", status=200, headers={"ETag": "e"}, body="whole")
    assert bucket(server.url).get(KEY) == b"whole"


def test_an_object_that_is_too_large_is_not_read(
    cloud: FakeCloud, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "LARGEST", 100_000)
    cloud.fault("GET", status=200, headers={"ETag": "e"}, body="x" * 100_000)
    cloud.fault("GET", status=200, headers={"ETag": "e"}, body="x" * 100_001)
    ours = bucket(server.url)
    assert len(ours.get(KEY) or b"") == 100_000
    with pytest.raises(EngineFault, match="more than the 100000 bytes"):
        ours.get(KEY)


def test_of_an_error_only_the_beginning_is_read(cloud: FakeCloud, server: Server) -> None:
    late = " " * 5000 + XML.format("NoSuchKey", "no")
    cloud.fault("GET", status=404, body=late)
    cloud.fault("GET", status=404, body=XML.format("NoSuchThing", "n" * 4000))
    ours = bucket(server.url)
    with pytest.raises(EngineFault, match="no bucket"):
        ours.get(KEY)
    with pytest.raises(EngineFault) as caught:
        ours.get(KEY)
    assert len(str(caught.value)) < 500


@pytest.mark.slow("a time-out")
def test_a_silent_bucket_is_a_fault_before_the_deadline() -> None:
    with silent_port() as port, pytest.raises(EngineFault, match="can't be reached: nothing came within"):
        bucket(f"http://127.0.0.1:{port}", clock=Clock(2.2)).put(KEY, b"x", "text/plain")


def test_a_bucket_that_can_not_be_reached_is_tried_four_times() -> None:
    clock = Clock()
    with closed_port() as port, pytest.raises(EngineFault, match="can't be reached: connection refused"):
        bucket(f"http://127.0.0.1:{port}", clock=clock).get(KEY)
    assert len(clock.pauses) == 3


# Secrets


class Echo:
    """Turns every request down, and repeats what it was sent."""

    def handle(self, request: Request) -> Reply:
        proof = request.headers["Authorization"]
        parts = (proof, proof.rpartition("=")[2], request.headers["x-amz-security-token"], "AKIDEXAMPLE")
        body = XML.format("SignatureDoesNotMatch", " ".join(("sent", *parts))) + f"<Token-0>{TOKEN}</Token-0>"
        return Reply(403, {"Content-Type": "application/xml"}, body.encode())


def test_no_error_shows_what_was_sent_as_a_proof() -> None:
    with Server(Echo()) as server, pytest.raises(EngineFault, match=r"SignatureDoesNotMatch: sent( \*\*\*){4}$"):
        bucket(server.url).get(KEY)


@pytest.mark.parametrize("end", ["\r", "\n", "\u20ac"], ids=ascii)
@pytest.mark.parametrize("place", [0, 2])
def test_a_key_that_no_header_may_hold_is_not_shown(place: int, end: str, cloud: FakeCloud, server: Server) -> None:
    keys = ["AKIDEXAMPLE", SECRET, TOKEN]
    keys[place] += end
    with pytest.raises(EngineFault, match="can't be asked: ") as caught:
        bucket(server.url, (keys[0], keys[1], keys[2])).get(KEY)
    assert not [part for part in ("AKIDEXAMPLE", SECRET, TOKEN) if part in str(caught.value)]
    assert caught.value.__suppress_context__
    assert cloud.calls == []
