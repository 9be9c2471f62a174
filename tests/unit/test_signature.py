"""The signature of a request, against known vectors and against the fake's own reading of the algorithm."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
import requests
from hypothesis import example, given
from hypothesis import strategies as st

from handler.cloud.identity.signing.access import Keys
from handler.cloud.identity.signing.auth import Signer
from handler.cloud.identity.signing.signature import (
    authorization,
    canonical_query,
    canonical_request,
    content_hash,
    signature,
)
from tests.fakecloud import DEMO
from tests.fakecloud.api import Headers, Request
from tests.fakecloud.keys import KEY_ID, KEY_SECRET, Key
from tests.fakecloud.keys import Keys as KnownKeys
from tests.fakecloud.signing import Signed

IMAGE = "/v2/images/6cad483b-e281-4985-a345-7afef1f3c5b7"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
IMS, JSON = "ims.eu-de.otc.t-systems.com", "application/json"
OLD_IMAGE = "/v2/images/4ca46bf1-5c61-48ff-b4f3-0ad4e5e3ba90"


class Vector(NamedTuple):
    """A request whose signature is known; `sha256` is that of its canonical request, or empty if it is not known."""

    method: str
    target: str
    signed: Mapping[str, str]
    expected: str
    sha256: str = ""
    content: str = EMPTY
    secret: str = KEY_SECRET
    date: str = "20260131T083000Z"
    host: str = IMS


def old(method: str, target: str, signed: Mapping[str, str], expected: str, **more: str) -> Vector:
    """A vector of the keys that Huawei's SDK is tested with."""
    return Vector(method, target, signed, expected, **{"secret": "SecretKey", "date": "20200608T023900Z", **more})


PROJECT = {"x-project-id": DEMO}
LISTED = (
    "/v2/cloudimages?__isregistered=true&created_at=lt%3A2026-01-01T00%3A00%3A00Z&limit=500"
    f"&name=ci%20base%20%28x%29%20%C3%A4&owner={DEMO}"
)
TAGS = b'{"image_id":"6cad483b-e281-4985-a345-7afef1f3c5b7","tag":"reaper-delete-after.2026-02-07"}'
VECTORS = {
    "0": Vector(
        "GET",
        "/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs?limit=2&marker=13551d6b-755d-4757-b956-536f674975c0",
        {"content-type": JSON},
        "7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe",
        "b25362e603ee30f4f25e7858e8a7160fd36e803bb2dfe206278659d71a9bcd7a",
        secret="MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc",
        date="20191115T033655Z",
        host="service.region.example.com",
    ),
    "1": old(
        "GET",
        "/resources?size=1",
        {},
        "cfb4171acec81de07d50e53d57eb77edd537414d66ddb1d7d780f128e12cd842",
        host="service.endpoint.myhuaweicloud.com",
    ),
    "3": old(
        "DELETE",
        OLD_IMAGE,
        {},
        "b0936eab10ba0b79d2ede3e7e2bf1306a06100406cd47196d54600ae07e569a4",
        sha256="c8f339823cc25fc1566c5751629471609abcb7c0d9c1b8a006f24923244e36ba",
    ),
    "4": old(
        "DELETE",
        OLD_IMAGE,
        {"content-type": JSON, **PROJECT},
        "7dec9672011ec9a9675165bb51d0e78c83d976d42395739903d4e08c5f4c0eeb",
        content=hashlib.sha256(b'{"delete_backup": true}').hexdigest(),
    ),
    "5": old(
        "GET",
        "/v2/cloudimages?__imagetype=private&created_at=lt:2018-10-28T10:00:00Z&limit=100",
        {"x-security-token": "TOKEN"},
        "8a36ef806ec35fb50a1bc8b8626fe2e799438d80284ef79cb8fa0fdf45d82cf3",
    ),
    "6": old(
        "DELETE",
        f"/v2.1/{DEMO}/images/6cad483b-e281-4985-a345-7afef1f3c5b7",
        PROJECT,
        "61d32fc37d08067df24c76df3a91a5481a40a17097bcc97554a987ab0d550b75",
        host="ecs.eu-de.otc.t-systems.com",
    ),
    "A": Vector(
        "GET",
        LISTED,
        PROJECT,
        "3373e66330b2ee24467a4feaea3954921b96f9e6acbdb74bfbf4b0882a9900cb",
        "8f9acf620357b30f8a514ca762b62c13bb46bf4845e360210aa3ae5344a7bb88",
    ),
    "B": Vector(
        "DELETE",
        IMAGE,
        PROJECT,
        "19a6c0b82613c49b0fae1fe435f4ad62659e15fbd5feb2e22c983308bda89671",
        "2dc12d000d8fbdeb852dfc153340ab084d4776e8d5260279977f7c23a796cf05",
    ),
    "C": Vector(
        "PUT",
        "/v1/cloudimages/tags",
        {"content-type": JSON, **PROJECT},
        "73e1b869aa6273f415ec6826cec1c020ab0165cc75a6dc0dbafbd08bd1d28e92",
        "69aae48b197b7a30b00d5994b69a58286be84ff9f9ae6a5bc0ae4ba16d321da9",
        content_hash(TAGS),
    ),
    "C with its content type unsigned": Vector(
        "PUT",
        "/v1/cloudimages/tags",
        PROJECT,
        "1772a978e62bd30e24671d45f4f0b8dc5197a6347dac78e947d9c8af0f34e250",
        "6dd572f5755973ddecbba7b073133873c78399febd0ac44325be51e2fe0d1005",
        content_hash(TAGS),
    ),
    "D": Vector(
        "DELETE",
        IMAGE,
        {**PROJECT, "x-security-token": "TEMPORARY-SECURITY-TOKEN=="},
        "f819cb545eafb6be269ccd9f9766b54688c45b71837c40399ce6ee3137d53522",
        "9f6a11540cbd53e6111b0b24ddc457a620098669c3c5a8a6008c337300c8c307",
    ),
    "E": Vector(
        "GET",
        "/v3/projects?name=eu-de",
        {"x-domain-id": "0123456789abcdef0123456789abcdef"},
        "afe4443a2eacb257ce875825af6bed6b6ff2410c7aa4a8b71e6aa2de2e8849f8",
        "a29dc3de0ac9fe701ec8e58a7d9adab39cedaeda18554a3a8b25a82b27018cf6",
        host="iam.eu-de.otc.t-systems.com",
    ),
    "F": Vector(
        "PATCH",
        IMAGE,
        {
            **PROJECT,
            "content-type": "application/openstack-images-v2.1-json-patch",
            "x-sdk-content-sha256": "UNSIGNED-PAYLOAD",
        },
        "821630cc26166490990e8b5c0df2bf279ebcf6c83f71fa475adeaf8ca666be8d",
        "ab115cd012e63a4cb8f8c8796a4bebc66dbf6204c5e15e289d0657bca49b590f",
        "UNSIGNED-PAYLOAD",
    ),
}
"""0 and 1 are published, the others were made with Huawei's SDK; E and F are requests that we never send."""


def canonical_of(vector: Vector) -> str:
    path, _, query = vector.target.partition("?")
    headers = {"host": vector.host, "x-sdk-date": vector.date, **vector.signed}
    return canonical_request(vector.method, path, canonical_query(query), headers, vector.content)


@pytest.mark.parametrize("name", VECTORS)
def test_a_signature_is_the_one_that_is_known(name: str) -> None:
    vector = VECTORS[name]
    canonical = canonical_of(vector)
    assert signature(vector.secret, vector.date, canonical) == vector.expected
    assert hashlib.sha256(canonical.encode()).hexdigest() == vector.sha256 or not vector.sha256


def test_a_canonical_request_is_the_one_that_is_documented() -> None:
    assert canonical_of(VECTORS["A"]).splitlines() == [
        "GET",
        "/v2/cloudimages/",
        LISTED.partition("?")[2],
        f"host:{IMS}",
        f"x-project-id:{DEMO}",
        "x-sdk-date:20260131T083000Z",
        "",
        "host;x-project-id;x-sdk-date",
        EMPTY,
    ]
    assert authorization("AK", "host;x-sdk-date", "00") == (
        "SDK-HMAC-SHA256 Access=AK, SignedHeaders=host;x-sdk-date, Signature=00"
    )


def test_a_query_is_spelled_as_in_the_published_vector() -> None:
    given_as = "test=%E4%B8%80+%28%26%3D%3F%21%23%25.%2A%29&multi=3&multi=1&multi=2&path=/tmp/123&limit=1&enable=true"
    assert canonical_query(given_as) == (
        "enable=true&limit=1&multi=1&multi=2&multi=3&path=%2Ftmp%2F123&test=%E4%B8%80%20%28%26%3D%3F%21%23%25.%2A%29"
    )


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ODD = st.one_of(
    TEXTS, st.sampled_from(["", "a b", "~", "%2F", "ä=&", "+", "a+b", "100%", "%", "日本", "a;b", "'", "#"])
)
PARAMS = st.lists(st.tuples(ODD, ODD), max_size=5)
BODIES = st.one_of(st.none(), st.binary(max_size=64))
SEGMENTS = st.lists(st.sampled_from(["v2", "a b", "ä", "~x", "%2F", "a+b", "x.y-z_", "=", "%7E", "@:"]), max_size=4)


def arrived(request: requests.PreparedRequest) -> Request:
    """A request as a server reads it from the wire."""
    target = request.path_url
    path, _, query = target.partition("?")
    headers = Headers({name: str(value) for name, value in request.headers.items()})
    body = request.body if isinstance(request.body, bytes) else (request.body or "").encode()
    return Request(str(request.method), path, query, headers, body)


@given(params=PARAMS, body=BODIES, segments=SEGMENTS, method=st.sampled_from(["GET", "PUT", "POST", "DELETE"]))
@example(params=[("a", ""), ("a", "b"), ("a", "")], body=None, segments=[], method="GET")
@example(params=[("name", "a b+c"), ("tag", "k=v"), ("q", "~%2F")], body=b"{}", segments=["v2", "%2F"], method="POST")
def test_a_gateway_that_reads_the_algorithm_anew_accepts_whatever_we_sign(
    params: list[tuple[str, str]], body: bytes | None, segments: list[str], method: str
) -> None:
    url = f"https://{IMS}/" + "/".join(segments)
    prepared = requests.Request(method, url, params=params, data=body).prepare()
    keys = Keys(KEY_ID, KEY_SECRET)
    request = arrived(Signer(keys, DEMO, lambda _url: None)(prepared))
    assert KnownKeys().admit(request).project_id == DEMO
    assert request.query == canonical_query(request.query)
    assert sorted(request.params) == sorted(params)


@given(st.data())
def test_whatever_is_changed_on_the_way_is_noticed(data: st.DataObject) -> None:
    prepared = requests.Request("PUT", f"https://{IMS}/v2/images?a=1", data=b"body").prepare()
    request = arrived(Signer(Keys(KEY_ID, KEY_SECRET), DEMO, lambda _url: None)(prepared))
    spoilt = data.draw(
        st.sampled_from(
            [
                replace(request, method="POST"),
                replace(request, path="/v2/image"),
                replace(request, query="a=2"),
                replace(request, query=""),
                replace(request, body=b"bodY"),
                replace(request, headers=Headers({**request.headers, "host": "ims.eu-nl.otc.t-systems.com"})),
                replace(request, headers=Headers({**request.headers, "x-project-id": "0" * 32})),
            ]
        )
    )
    signed = Signed.of(spoilt)
    assert signed is not None
    assert not signed.is_by(KEY_SECRET, spoilt)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://ims.eu-de.otc.t-systems.com/v2", IMS),
        ("https://ims.eu-de.otc.t-systems.com:443/v2", IMS),
        ("https://IMS.eu-de.otc.t-systems.com/v2", IMS),
        ("https://ims.eu-de.otc.t-systems.com:8443/v2", f"{IMS}:8443"),
        ("http://127.0.0.1:80/ims", "127.0.0.1"),
        ("http://127.0.0.1:8080/ims", "127.0.0.1:8080"),
        ("http://[::1]:8080/ims", "[::1]:8080"),
    ],
)
def test_the_host_that_is_signed_is_the_one_that_is_sent(url: str, host: str) -> None:
    signed = Signer(Keys(KEY_ID, KEY_SECRET), DEMO, lambda _url: None)(requests.Request("GET", url).prepare())
    assert signed.headers["Host"] == host


def test_a_temporary_key_signs_its_token_as_well() -> None:
    known = KnownKeys()
    key = known.add(Key("AK", "SK", (DEMO,), token="T==", expires=datetime.max.replace(tzinfo=UTC)))
    prepared = requests.Request("GET", f"https://{IMS}/v2/images").prepare()
    request = arrived(Signer(Keys(key.access, key.secret, key.token), DEMO, lambda _url: None)(prepared))
    assert known.admit(request).project_id == DEMO
    assert "x-security-token" in str(request.headers["Authorization"])
