"""What the settings say of the network: CA_BUNDLE as people paste it, and the address of a proxy."""

import base64
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from handler.config.settings import Settings
from handler.errors import InvalidSettings
from tests.conftest import Invoke
from tests.fakecloud import FakeCloud
from tests.unit.test_authorities import new_authority

NAMES = {"REAPER_CREDENTIALS_SECRET": "image-reaper", "AWS_REGION": "eu-central-1"}
BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
TYPED: dict[str, Callable[[str], str]] = {
    "as it is": lambda pem: pem,
    "with line breaks of Windows": lambda pem: pem.replace("\n", "\r\n"),
    "in one line, with escapes": lambda pem: pem.replace("\n", r"\n"),
    "in one line, with escapes of Windows": lambda pem: pem.replace("\n", r"\r\n"),
    "in one line, with blanks": lambda pem: pem.replace("\n", " "),
    "without line breaks": lambda pem: pem.replace("\n", ""),
    "with words around it": lambda pem: f"\ufeff# Subject: cloud\n{pem}\n# that is all\n",
}


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two authorities as PEM."""
    folder = tmp_path_factory.mktemp("authorities")
    return "".join(Path(new_authority(folder, name).ca).read_text() for name in ("one", "two"))


def settings(bundle: object, **changed: str) -> Settings:
    held = FakeCloud().env("https://cloud.example.com") | {"CA_BUNDLE": bundle}
    return Settings.from_env(NAMES | changed, read=lambda *_: held)


def authorities(pem: str) -> list[bytes]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=pem)
    return sorted(context.get_ca_certs(binary_form=True))


@pytest.mark.parametrize("typed", TYPED)
def test_a_bundle_is_read_however_it_was_pasted(typed: str, pems: str) -> None:
    read = settings(TYPED[typed](pems)).ca_bundle
    assert authorities(read) == authorities(pems)
    assert len(authorities(read)) == 2


def test_a_bundle_is_read_once_and_not_in_every_invocation(pems: str) -> None:
    assert settings(pems).ca_bundle is settings(pems).ca_bundle


def test_without_a_bundle_in_the_secret_there_is_none(pems: str) -> None:
    assert settings("", CA_BUNDLE=pems).ca_bundle == ""


def test_a_file_that_is_not_there_does_no_harm_beside_a_bundle(pems: str) -> None:
    assert settings(pems, OS_CACERT="/no/such/file.pem").credentials.cacert is None
    with pytest.raises(InvalidSettings, match=r"OS_CACERT: can't be read.* in a secret, CA_BUNDLE takes the text"):
        settings("", OS_CACERT="/no/such/file.pem")


@pytest.mark.parametrize(
    ("bundle", "problem"),
    [
        ("/etc/ssl/certs/s3cret.pem", "holds no certificate: give the text of the PEM file"),
        (" ", "holds no certificate"),
        (f"{BEGIN}{END}", "its certificate 1 can't be read"),
        (f"{BEGIN}s3cret!{END}", "its certificate 1 can't be read"),
        (f"{BEGIN}{base64.b64encode(b's3cret').decode()}{END}", "its certificate 1 can't be read"),
        (f"{BEGIN}s3cret", "holds no certificate"),
        ("-----BEGIN PRIVATE KEY-----s3cret-----END PRIVATE KEY-----", "holds a private key"),
        ("-----BEGIN RSA PRIVATE KEY-----s3cret", "holds a private key"),
        (f"-----BEGIN TRUSTED CERTIFICATE-----s3cret{END}", "holds no certificate"),
    ],
)
def test_a_bundle_that_can_not_be_read_refuses_to_start_and_is_not_shown(bundle: str, problem: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        settings(bundle)
    assert str(caught.value).startswith(f"REAPER_CREDENTIALS_SECRET: CA_BUNDLE: {problem}")
    assert "s3cret" not in repr(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("more", ["-----BEGIN X509 CRL-----", "-----BEGIN EC PRIVATE KEY-----", BEGIN, "cut"])
def test_a_bundle_of_which_only_a_part_can_be_read_refuses_to_start(more: str, pems: str) -> None:
    text = pems[:-40] if more == "cut" else pems + more
    with pytest.raises(InvalidSettings, match=r"CA_BUNDLE: (has . whole certificates, and begins|holds a private key)"):
        settings(text)


@pytest.mark.parametrize("bundle", [["pem"], None, 1])
def test_a_bundle_is_a_string(bundle: object) -> None:
    with pytest.raises(InvalidSettings, match="variables or CA_BUNDLE, all of them strings, and not CA_BUNDLE"):
        settings(bundle)


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize(
    "address",
    [
        *(
            "proxy.example.com:3128",
            "proxy",
            "//proxy:3128",
            "socks5://bob:s3cret@proxy:1080",
            "htp://bob:s3cret@proxy",
        ),
        *("http://", "http://:3128", "http://proxy:99999", "http://proxy:0", "http://[::1", "http://proxy:3128/s3cret"),
        *(
            "http://bob:s3/cret@proxy:3128",
            "http://bob:s3?cret@proxy",
            "http://bob:s3#cret@proxy",
            "http://pro xy:3128",
        ),
        # requests sends them in Latin-1, and the error that it has no euro sign would show the password.
        *("http://bob:s3%E2%82%ACcret@proxy:3128", "http://bob%E2%82%AC:s3cret@proxy", "http://bob:s3\u20accret@proxy"),
    ],
)
def test_a_proxy_that_could_not_be_used_refuses_to_start_and_is_not_shown(variable: str, address: str) -> None:
    with pytest.raises(
        InvalidSettings, match=f"^{variable}: must be the address of a proxy, such as http://"
    ) as caught:
        settings("", **{variable: address})
    assert not any(part in str(caught.value) for part in ("s3", "bob", "cret"))


@pytest.mark.parametrize(
    "given",
    [
        {"HTTPS_PROXY": "http://proxy.example.com:3128"},
        {"https_proxy": "HTTP://bob:s3cret%40@proxy:3128/"},
        {"HTTPS_PROXY": "https://[2001:db8::1]:3129"},
        # What a desktop sets: requests takes the first for https addresses.
        {"https_proxy": "http://proxy:3128", "ALL_PROXY": "socks://proxy:1080"},
    ],
)
def test_a_proxy_that_can_be_used_is_taken(given: dict[str, str]) -> None:
    assert settings("", **given).mode == "dry-run"


@pytest.mark.parametrize(("variable", "scheme"), [("Https_Proxy", "https"), ("HTTP_PROXY", "http")])
def test_a_proxy_that_was_not_looked_at_is_not_shown_either(
    variable: str, scheme: str, cloud: FakeCloud, invoke: Invoke
) -> None:
    given = {variable: "http://bob:s3%E2%82%ACcret@127.0.0.1:1", "REAPER_ALLOW_PLAINTEXT": "on"}
    run = invoke({"image_ids": [cloud.add_image()]}, OS_AUTH_URL=f"{scheme}://cloud.example.com/v3", **given)
    assert "a character of the credentials, or of the proxy's, can't be sent" in str(run)
    assert "cret" not in str(run).replace("secret", "")
