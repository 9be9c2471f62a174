"""OS_CACERT says whom the cloud's certificates are checked against, and says it for every call to the cloud."""

import datetime as dt
import ssl
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

import certifi
import pytest

# moto brings it.
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from handler.engine.aws.access import AwsAccess
from handler.engine.aws.calls import call
from handler.errors import AwsFault
from tests.conftest import Invocation, Invoke
from tests.fakecloud import FakeCloud, Server

BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class Authority(NamedTuple):
    """An authority, and a certificate that it gave to 127.0.0.1; both are files, the second with its key."""

    ca: str
    certificate: str


def new_authority(folder: Path, name: str) -> Authority:
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)

    def signed(subject: x509.Name, public: ec.EllipticCurvePublicKey, extension: x509.ExtensionType) -> bytes:
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(days=1))
        builder = builder.not_valid_after(now + dt.timedelta(days=1)).add_extension(extension, critical=True)
        return builder.sign(ca_key, SHA256()).public_bytes(Encoding.PEM)

    here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    ca, certificate = folder / f"{name}.pem", folder / f"{name}-server.pem"
    ca.write_bytes(signed(issuer, ca_key.public_key(), x509.BasicConstraints(ca=True, path_length=None)))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    certificate.write_bytes(private + signed(x509.Name([]), key.public_key(), here))
    return Authority(str(ca), str(certificate))


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The cloud's own authority."""
    return new_authority(tmp_path_factory.mktemp("ours"), "cloud")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority of the company's proxy."""
    return new_authority(tmp_path_factory.mktemp("other"), "company")


@pytest.fixture
def secure(cloud: FakeCloud, ours: Authority) -> Iterator[Server]:
    """The cloud over TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ours.certificate)
    server = Server(cloud)
    listener, accept = server._http, server._http.get_request

    def get_request() -> tuple[ssl.SSLSocket, object]:
        connection, address = accept()
        return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    listener.get_request = get_request  # type: ignore[method-assign]  # a TLS socket is one, too
    server.url = listener.base = server.url.replace("http:", "https:")
    with server:
        yield server


@pytest.fixture
def run(secure: Server, cloud: FakeCloud, invoke_with: Invoke, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    for name in BUNDLES:
        monkeypatch.delenv(name, raising=False)

    def run_once(image: str, **variables: str) -> Invocation:
        return invoke_with({"image_ids": [image]}, cloud.env(secure.url) | {"REAPER_MODE": "delete"} | variables, 3.0)

    return run_once


@pytest.mark.parametrize("bundle", BUNDLES)
def test_os_cacert_wins_for_every_call_to_the_cloud(
    bundle: str, run: Invoke, cloud: FakeCloud, ours: Authority, other: Authority
) -> None:
    image = cloud.add_image()
    cloud.add_server(image="")
    assert run(image, OS_CACERT=ours.ca, **{bundle: other.ca}).outcomes == {image: ("deleted", "")}


@pytest.mark.parametrize("bundle", BUNDLES)
def test_os_cacert_wins_also_where_it_is_the_wrong_one(
    bundle: str, run: Invoke, cloud: FakeCloud, ours: Authority, other: Authority
) -> None:
    invoked = run(cloud.add_image(), OS_CACERT=other.ca, **{bundle: ours.ca})
    assert list(invoked.outcomes.values()) == [("failed", "unavailable")]
    assert f"checked with {other.ca}" in invoked.answer["outcomes"][0]["detail"]


@pytest.mark.parametrize("bundle", BUNDLES)
def test_without_os_cacert_the_bundle_of_the_environment_counts(
    bundle: str, run: Invoke, cloud: FakeCloud, ours: Authority
) -> None:
    image = cloud.add_image()
    assert run(image, **{bundle: ours.ca}).outcomes == {image: ("deleted", "")}


@pytest.mark.parametrize("bundle", ["", *BUNDLES])
def test_a_certificate_that_is_refused_names_the_file_of_authorities(
    bundle: str, run: Invoke, cloud: FakeCloud, other: Authority
) -> None:
    invoked = run(cloud.add_image(), **({bundle: other.ca} if bundle else {}))
    file = other.ca if bundle else certifi.where()
    assert f"checked with {file}" in invoked.answer["outcomes"][0]["detail"]
    assert cloud.calls == []


def test_a_service_with_another_certificate_than_keystone_names_the_file_as_well(
    run: Invoke, cloud: FakeCloud, secure: Server, server: Server, other: Authority
) -> None:
    keystone = cloud.env(server.url)["OS_AUTH_URL"]
    image_service = f"{secure.url}/image"
    invoked = run(cloud.add_image(), OS_AUTH_URL=keystone, REAPER_IMAGE_ENDPOINT=image_service, OS_CACERT=other.ca)
    assert f"checked with {other.ca}" in invoked.answer["outcomes"][0]["detail"]


def test_calls_to_aws_keep_to_the_bundle_of_the_environment(
    secure: Server, ours: Authority, other: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = AwsAccess("r", "k", "s", endpoints=(("", f"{secure.url}/sink/aws"),))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", ours.ca)
    with pytest.raises(AwsFault, match=r"JSON|answered"):
        call("sqs", access, "a.b", {}, "1.0")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", other.ca)
    with pytest.raises(AwsFault, match="SSLError"):
        call("sqs", access, "a.b", {}, "1.0")
