"""OS_CACERT, or CA_BUNDLE in the secret, says whom every certificate of the cloud is checked against."""

import datetime as dt
import ssl
from collections.abc import Callable, Iterator
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

from handler.compose import secret
from handler.connections import trust
from handler.engine.aws.access import AwsAccess
from handler.engine.aws.calls import call
from handler.errors import AwsFault
from tests.aws import KEYS
from tests.conftest import Invocation, Invoke
from tests.fakecloud import FakeCloud, Server
from tests.unit.conftest import SECRET_NAME, Store

pytestmark = pytest.mark.slow("it makes certificates, and tries again what is refused")

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
def shown(ours: Authority) -> ssl.SSLContext:
    """The certificate that the cloud shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ours.certificate)
    return context


@pytest.fixture
def secure(cloud: FakeCloud, shown: ssl.SSLContext) -> Iterator[Server]:
    """The cloud over TLS."""
    server = Server(cloud)
    listener, accept = server._http, server._http.get_request

    def get_request() -> tuple[ssl.SSLSocket, object]:
        connection, address = accept()
        return shown.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    listener.get_request = get_request  # type: ignore[method-assign]  # a TLS socket is one, too
    server.url = listener.base = server.url.replace("http:", "https:")
    with server:
        yield server


@pytest.fixture
def show(secure: Server, shown: ssl.SSLContext) -> Callable[[Authority], None]:
    """Have the cloud show a certificate of this authority from now on."""

    def show_now(authority: Authority) -> None:
        shown.load_cert_chain(authority.certificate)
        secure._http.hang_up()

    return show_now


@pytest.fixture
def run(secure: Server, cloud: FakeCloud, invoke_with: Invoke, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    for name in BUNDLES:
        monkeypatch.delenv(name, raising=False)

    def run_once(image: str, **variables: str) -> Invocation:
        return invoke_with({"image_ids": [image]}, cloud.env(secure.url) | {"REAPER_MODE": "delete"} | variables, 6.0)

    return run_once


@pytest.fixture
def run_with(run: Invoke, cloud: FakeCloud, store: Store, moto: str) -> Invoke:
    """Run with this authority as CA_BUNDLE, and the password, in the secret."""

    def run_once(authority: Authority | None = None, **variables: str) -> Invocation:
        if authority:
            bundle = {"CA_BUNDLE": Path(authority.ca).read_text()}
            store(bundle | {"OS_PASSWORD": cloud.users["reaper"].password})
        where = {"REAPER_CREDENTIALS_SECRET": SECRET_NAME, "OS_PASSWORD": "", "AWS_ENDPOINT_URL": moto}
        return run(cloud.add_image(), **KEYS | where | variables)

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
    with pytest.raises(AwsFault, match="its certificate is refused"):
        call("sqs", access, "a.b", {}, "1.0")


@pytest.mark.parametrize("variable", ["OS_CACERT", *BUNDLES])
def test_the_bundle_in_the_secret_wins_for_every_call_to_the_cloud(
    variable: str, run_with: Invoke, cloud: FakeCloud, ours: Authority, other: Authority
) -> None:
    cloud.add_server(image="")
    assert run_with(ours, **{variable: other.ca}).answer["counts"] == {"deleted": 1}
    assert run_with(ours, **{variable: "/no/such/file.pem"}).answer["counts"] == {"deleted": 1}


@pytest.mark.parametrize("variable", ["OS_CACERT", *BUNDLES])
def test_the_bundle_in_the_secret_is_all_that_is_trusted(
    variable: str, run_with: Invoke, cloud: FakeCloud, ours: Authority, other: Authority
) -> None:
    (outcome,) = run_with(other, **{variable: ours.ca}).answer["outcomes"]
    assert (outcome["outcome"], outcome["reason"]) == ("failed", "unavailable")
    assert outcome["detail"].endswith("its certificate was checked with CA_BUNDLE of the secret")
    assert cloud.calls == []


def test_the_public_authorities_are_not_trusted_beside_a_bundle(
    run_with: Invoke, ours: Authority, other: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", ours.ca)
    assert run_with(other).answer["counts"] == {"failed": 1}
    assert run_with(ours).answer["counts"] == {"deleted": 1}


def test_a_restored_snapshot_trusts_what_the_secret_holds_by_then(
    run_with: Invoke, ours: Authority, other: Authority
) -> None:
    assert run_with(other).answer["counts"] == {"failed": 1}
    secret.forget()
    assert run_with(ours).answer["counts"] == {"deleted": 1}


def test_a_warm_function_trusts_a_new_authority_once_a_certificate_was_refused(
    run_with: Invoke, cloud: FakeCloud, show: Callable[[Authority], None], ours: Authority, other: Authority
) -> None:
    assert run_with(ours).answer["counts"] == {"deleted": 1}
    show(other)
    cloud.rotate_password("new-passw0rd")
    counts = [run_with(other).answer["counts"] for _ in range(3)]
    assert counts == [{"failed": 1}, {"deleted": 1}, {"deleted": 1}]


def test_a_bundle_is_not_used_for_aws(secure: Server, run_with: Invoke, ours: Authority) -> None:
    ended = run_with(ours, AWS_ENDPOINT_URL=f"{secure.url}/sink/vault")
    assert "secretsmanager can't be reached: its certificate is refused: " in str(ended.error)


def test_a_file_of_authorities_is_read_once_and_again_when_it_was_replaced(  # noqa: PLR0913, PLR0917 (fixtures)
    run: Invoke,
    cloud: FakeCloud,
    show: Callable[[Authority], None],
    ours: Authority,
    other: Authority,
    tmp_path: Path,
) -> None:
    file, before = tmp_path / "ca.pem", trust._context.cache_info().misses
    for authority, read in ((ours, 1), (ours, 1), (other, 2)):
        if not file.exists() or file.read_text() != Path(authority.ca).read_text():
            file.write_text(Path(authority.ca).read_text())
        show(authority)
        secret.forget()
        image = cloud.add_image()
        assert run(image, OS_CACERT=str(file)).outcomes == {image: ("deleted", "")}
        assert trust._context.cache_info().misses - before == read
    show(ours)
    secret.forget()
    assert list(run(cloud.add_image(), OS_CACERT=str(file)).outcomes.values()) == [("failed", "unavailable")]
