"""The seam between the cloud and who we are to it: another proof of identity changes nothing behind it."""

import pytest
import requests
from requests.auth import AuthBase

from handler.clock import Deadline
from handler.cloud.calls import Cloud, Options
from handler.cloud.identity.identity import Identity, Secrets
from handler.cloud.places.catalogue import Catalogue, Endpoint
from handler.cloud.places.session import new_session
from handler.cloud.transport import Transport
from handler.errors import CloudError
from tests.fakecloud import DEMO, FakeCloud, Server

SERVICES = {"image": "/image", "compute": "/compute"}


class Badge(AuthBase):
    """A proof of identity that is put on a request."""

    def __init__(self, word: str) -> None:
        self.word = word

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["X-Auth-Token"] = self.word
        return request


class Guest:
    """An identity that knows its project and its addresses by heart, and never asks Keystone."""

    def __init__(self, word: str, url: str) -> None:
        self._word = word
        self._url = url
        self._secrets = Secrets(word)

    def project_id(self, _deadline: Deadline) -> str:
        return DEMO

    def catalogue(self, _deadline: Deadline) -> Catalogue:
        found = (
            Endpoint(service=name, region="here", interface="public", url=self._url + path)
            for name, path in SERVICES.items()
        )
        return Catalogue(tuple(found))

    def auth(self, _deadline: Deadline) -> AuthBase:
        return Badge(self._word)

    def confirm(self, _listing: str, _deadline: Deadline) -> bool:
        return True

    def scrub(self, text: str) -> str:
        return self._secrets.scrub(text)


@pytest.fixture
def word(cloud: FakeCloud, server: Server) -> str:
    return cloud.env(server.url, "v3token")["OS_TOKEN"]


@pytest.fixture
def guest(word: str, server: Server) -> Identity:
    return Guest(word, server.url)


@pytest.fixture
def seen(guest: Identity) -> Cloud:
    return Cloud(Transport(new_session(2, verify=True), guest, Deadline(lambda: 60.0)), Options())


def test_another_identity_reads_and_deletes_without_a_word_to_keystone(seen: Cloud, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1")
    found = seen.image(image)
    assert found is not None
    (region,) = seen.regions
    assert (seen.project_id, found.name, region.name) == (DEMO, "ci-1", "here")
    assert seen.servers(region.servers.urls[0]).items == ()
    seen.delete(image, lambda: None, delete_backup=False)
    assert set(cloud.dead) == {image}
    assert not [call for call in cloud.calls if "/v3/" in call.path]


def test_what_another_identity_keeps_secret_stands_in_no_error(
    seen: Cloud, guest: Identity, cloud: FakeCloud, word: str
) -> None:
    image = cloud.add_image()
    cloud.fault("GET", f"{image}$", status=403, body=f"{word} may not")
    with pytest.raises(CloudError) as raised:
        seen.image(image)
    assert "*** may not" in str(raised.value)
    assert word not in guest.scrub(f"it was {word}")


@pytest.mark.parametrize("secret", ["s3cret", 'with "quotes"', "<b>&amp;", "back\\slash", "ümlaut"])
def test_a_secret_is_scrubbed_in_every_form_that_it_may_be_quoted_in(secret: str) -> None:
    secrets = Secrets("other")
    secrets.add(secret, "")
    for text in (secret, repr(secret), f"<p>{secret}</p>"):
        assert "***" in secrets.scrub(text)
        assert secret not in secrets.scrub(text)


def test_of_secrets_that_follow_each_other_the_last_ones_are_remembered() -> None:
    secrets = Secrets("for ever")
    for number in range(1000):
        secrets.follow(f"token-{number:04}-")
    assert secrets.scrub("for ever, token-0999-, token-0990-") == "***, ***, ***"
    assert secrets.scrub("token-0001-") == "token-0001-"


def test_a_secret_that_begins_like_one_that_passes_leaves_nothing_of_it() -> None:
    secrets = Secrets("gAAAA")
    secrets.follow("gAAAABcdef")
    assert secrets.scrub("gAAAABcdef") == "***"
