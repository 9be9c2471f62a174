"""The keys of an identity that signs, made by hand: rotation, how long refused keys rest, and the regions' hosts."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from handler.clock import Deadline
from handler.cloud.calls import Cloud, Options
from handler.cloud.identity.identity import Home
from handler.cloud.identity.signing import refusals
from handler.cloud.identity.signing.access import CloudName, Keys, Signing
from handler.cloud.identity.signing.places import places_of
from handler.cloud.identity.signing.refusals import REST, Refusals
from handler.cloud.identity.signing.signed import SignedIdentity
from handler.cloud.places.regions import regions_sharing
from handler.cloud.places.session import new_session
from handler.cloud.transport import Transport
from handler.errors import CloudError, CredentialsRefused, Outdated, Unexpected
from tests.fakecloud import DEMO, OTHER, FakeCloud, Server
from tests.fakecloud.keys import KEY_ID, NEIGHBOUR_ID
from tests.signing import Agency, keys_of

WRONG = Keys(KEY_ID, "guessed")


class Hands:
    """An identity made by hand, on addresses of this machine; `others` are the signings that take its place."""

    def __init__(self, cloud: FakeCloud, server: Server) -> None:
        self.cloud = cloud
        self.right = keys_of(cloud.keys.known[KEY_ID])
        self.agency = Agency(self.right)
        self.others: list[Signing] = []
        self.rotations = 0
        self._options = Options("ims", "", f"{server.url}/ims", f"{server.url}/ecs")
        self.session = new_session(2, verify=True)
        self.home = Home()
        self.identity = self.made(Signing(self.agency, DEMO, "eu-de"))

    def made(self, signing: Signing) -> SignedIdentity:
        return SignedIdentity(signing, self.session, home=self.home, rotate=self.rotate)

    def rotate(self) -> Signing | None:
        self.rotations += 1
        return self.others.pop(0) if self.others else None

    def run(self) -> Cloud:
        """A run of its own, of the same environment."""
        return Cloud(Transport(self.session, self.identity, Deadline(lambda: 60.0)), self._options)

    def refusal(self, image_id: str = "x") -> str:
        with pytest.raises(CloudError) as raised:
            self.run().image(image_id)
        assert isinstance(raised.value, CredentialsRefused)
        assert raised.value.ends_run
        return str(raised.value)


@pytest.fixture
def cloud() -> FakeCloud:
    return FakeCloud("otc")


@pytest.fixture
def hands(cloud: FakeCloud) -> Iterator[Hands]:
    with Server(cloud) as server:
        yield Hands(cloud, server)


def signing(keys: Keys, project: str = DEMO, region: str = "eu-de") -> Signing:
    return Signing(lambda: keys, project, region)


def test_keys_that_are_refused_are_rotated_and_the_request_is_sent_once_more(hands: Hands) -> None:
    hands.agency.keys, hands.others = WRONG, [signing(hands.right)]
    image = hands.cloud.add_image()
    assert hands.run().image(image) is not None
    assert (hands.cloud.keys.refused, hands.rotations) == (1, 1)


def test_without_others_the_same_are_not_tried_again_and_the_secret_is_read_in_each_run(hands: Hands) -> None:
    hands.agency.keys = WRONG
    assert "there are no others" in hands.refusal()
    assert "verify aksk signature fail" in hands.refusal()
    assert hands.refusal().endswith("; check HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK")
    assert (len(hands.cloud.calls), hands.rotations) == (1, 3)
    hands.others = [signing(hands.right)]
    assert hands.run().image(hands.cloud.add_image()) is not None


def test_sixteen_threads_that_are_refused_together_read_the_secret_once(hands: Hands) -> None:
    run, image = hands.run(), hands.cloud.add_image()
    assert run.image(image) is not None
    together = threading.Barrier(16, timeout=10)
    hands.cloud.fault("GET", f"{image}$", status=401, times=16, then=together.wait)
    with ThreadPoolExecutor(16) as pool:
        errors = [future.exception() for future in [pool.submit(run.image, image) for _ in range(16)]]
    assert {type(error) for error in errors} == {CredentialsRefused}
    assert hands.rotations == 1


def test_rotated_keys_that_are_wrong_as_well_are_tried_once(hands: Hands) -> None:
    hands.agency.keys = WRONG
    hands.others = [signing(Keys(KEY_ID, "guessed-again"))] * 3
    for _ in range(3):
        hands.refusal()
    assert hands.cloud.keys.refused == 2


def test_lasting_keys_in_the_place_of_temporary_ones_send_no_token(hands: Hands) -> None:
    hands.agency.keys = keys_of(hands.cloud.keys.temporary(lives=-1))
    hands.others = [signing(hands.right)]
    assert hands.run().image(hands.cloud.add_image()) is not None
    assert hands.cloud.keys.refused == 1
    assert "x-security-token" not in hands.cloud.calls[-1].headers


def test_other_keys_of_the_runtime_that_are_wrong_as_well_are_tried_once(hands: Hands) -> None:
    image = hands.cloud.add_image()
    run = hands.run()
    assert run.image(image) is not None
    hands.cloud.keys.known[KEY_ID].secret = "rotated"

    def then() -> None:
        hands.agency.keys = Keys(KEY_ID, "guessed-again")

    hands.cloud.fault("GET", f"{image}$", apply=True, status=None, then=then)
    with pytest.raises(CredentialsRefused, match="there are no others"):
        run.image(image)
    hands.refusal()
    assert hands.cloud.keys.refused == 2


def test_rotated_keys_are_not_used_before_it_is_known_whose_they_are(hands: Hands) -> None:
    hands.cloud.add_image(owner=OTHER)
    run, neighbour = hands.run(), hands.cloud.keys.known[NEIGHBOUR_ID]
    image = hands.cloud.add_image()
    assert run.image(image) is not None
    neighbour.heeds_project = False
    hands.cloud.keys.known[KEY_ID].secret = "rotated"
    hands.others = [signing(keys_of(neighbour))] * 2
    hands.cloud.fault("GET", "/cloudimages$", status=503)
    with pytest.raises(CredentialsRefused, match=OTHER):
        run.image(image)
    assert hands.rotations == 2


def test_a_runtime_that_raises_where_it_has_no_keys_ends_the_run(hands: Hands) -> None:
    def none() -> Keys:
        message = "the runtime gave no keys"
        raise CredentialsRefused(message)

    hands.identity = hands.made(Signing(none, DEMO, "eu-de"))
    assert "the runtime gave no keys" in hands.refusal()
    assert not hands.cloud.calls


def test_rotated_keys_of_another_project_than_they_say_send_nothing_more(hands: Hands) -> None:
    image, theirs = hands.cloud.add_image(), hands.cloud.add_image(owner=OTHER)
    run = hands.run()
    assert run.image(image) is not None
    neighbour = hands.cloud.keys.known[NEIGHBOUR_ID]
    neighbour.heeds_project = False
    hands.cloud.keys.known[KEY_ID].secret = "rotated"
    hands.others = [signing(keys_of(neighbour))]
    hands.cloud.calls.clear()
    with pytest.raises(CredentialsRefused, match=OTHER):
        run.image(image)
    assert [call.query for call in hands.cloud.calls] == ["", "__imagetype=private&limit=1"]
    assert theirs in hands.cloud.images


@pytest.mark.parametrize(("project", "region"), [(OTHER, "eu-de"), (DEMO, "eu-nl")])
def test_rotated_keys_for_another_project_or_region_are_turned_down(hands: Hands, project: str, region: str) -> None:
    hands.run().project_id  # noqa: B018 (the first one is the home)
    hands.agency.keys, hands.others = WRONG, [signing(hands.right, project, region)]
    assert "works for one project in one region" in hands.refusal()


@pytest.mark.parametrize("keys", [WRONG, WRONG._replace(security_token="token")], ids=["lasting", "temporary"])
def test_keys_are_tried_once_more_after_a_rest(hands: Hands, monkeypatch: pytest.MonkeyPatch, keys: Keys) -> None:
    moments = [0.0]
    hands.agency.keys = keys
    monkeypatch.setattr(hands.identity, "_refusals", Refusals(lambda: moments[0]))
    for seconds, tries in ((0, 1), (REST - 1, 1), (REST + 1, 2), (REST + 2, 2)):
        moments[0] = seconds
        hands.refusal()
        assert len(hands.cloud.calls) == tries


def test_only_the_last_refusals_are_remembered() -> None:
    known = Refusals()
    for number in range(100):
        known.note(Keys("AK", "SK", f"{number}"), "expired")
    assert [bool(known.of(Keys("AK", "SK", f"{number}"))) for number in (67, 68, 99)] == [False, True, True]
    assert refusals.REMEMBERED == 32


def test_keys_that_a_delete_is_refused_with_are_rotated_before_it_is_judged_again(hands: Hands) -> None:
    run, image = hands.run(), hands.cloud.add_image()
    hands.others = [signing(hands.right._replace(secret_key="second"))]

    def then() -> None:
        hands.cloud.keys.known[KEY_ID].secret = "second"

    hands.cloud.fault("DELETE", status=401, then=then)
    used = list[str]()

    def permit() -> None:
        if used:
            raise Outdated(used[0])
        used.append("used")

    with pytest.raises(CredentialsRefused, match="HTTP 401"):
        run.delete(image, permit, delete_backup=False)
    assert [call.query for call in hands.cloud.calls[-2:]] == ["", "__imagetype=private&limit=1"]
    assert run.image(image) is not None  # the run goes on, with the new keys


@pytest.mark.parametrize("address", ["http://ims.example.com/v2", "http://169.254.1.1/v2", "ftp://x/"])
def test_a_signature_goes_to_no_address_where_it_could_be_read(hands: Hands, address: str) -> None:
    deadline = Deadline(lambda: 60.0)
    request = requests.Request("GET", address, auth=hands.identity.auth(deadline))
    with pytest.raises(Unexpected, match="goes only to an https address"):
        request.prepare()
    plain = SignedIdentity(signing(hands.right), hands.session, home=Home(), plaintext=True)
    assert requests.Request("GET", address, auth=plain.auth(deadline)).prepare().headers["Authorization"]


@pytest.mark.parametrize("spoilt", [Keys("A K", "SK"), Keys("AK", "S\nK"), Keys("AK", "SK", "tök"), Keys("AK", "")])
def test_keys_that_can_not_be_sent_are_not_shown(hands: Hands, spoilt: Keys) -> None:
    hands.agency.keys = spoilt
    said = hands.refusal()
    assert not any(part in said for part in ("A K", "S\nK", "tök"))
    assert not hands.cloud.calls


def test_without_a_project_nothing_is_sent(hands: Hands) -> None:
    hands.identity = hands.made(signing(hands.right, ""))
    assert "HUAWEICLOUD_SDK_PROJECT_ID" in hands.refusal()
    assert not hands.cloud.calls


def test_keys_and_signatures_are_scrubbed_from_texts(hands: Hands) -> None:
    run = hands.run()
    run.image(hands.cloud.add_image())
    call = hands.cloud.calls[-1]
    made = call.headers["authorization"][-64:]
    said = f"{hands.right.access_key} {hands.right.secret_key} {call.headers['authorization']}, not {made}"
    scrubbed = hands.identity.scrub(f'{{"told": "{said}"}}')
    assert not any(part in scrubbed for part in (*hands.right[:2], made))
    assert hands.right.secret_key not in repr((signing(hands.right), hands.right, hands.identity))


PLACES: dict[tuple[CloudName, str], str] = {
    ("otc", "eu-de"): "eu-de.otc.t-systems.com",
    ("otc", "eu-nl"): "eu-nl.otc.t-systems.com",
    ("otc", "eu-ch2"): "eu-ch2.sc.otc.t-systems.com",
    ("huawei", "cn-north-4"): "cn-north-4.myhuaweicloud.com",
    ("huawei", "eu-west-101"): "eu-west-101.myhuaweicloud.com",
}


@pytest.mark.parametrize("where", PLACES)
def test_the_places_of_a_region_are_those_that_its_catalogue_would_name(where: tuple[CloudName, str]) -> None:
    domain = PLACES[where]
    catalogue = places_of(Signing(lambda: WRONG, DEMO, where[1], where[0]))
    urls = {endpoint.service: endpoint.url for endpoint in catalogue.endpoints}
    assert urls["image"] == f"https://ims.{domain}"
    assert urls["smn"] == f"https://smn.{domain}"
    (region,) = regions_sharing(catalogue, DEMO)
    assert region.servers.urls == (f"https://ecs.{domain}/v2.1/{DEMO}/servers/detail",)
    assert region.volumes.urls == (f"https://evs.{domain}/v3/{DEMO}/volumes/detail",)
    assert region.scaling.urls == (f"https://as.{domain}/autoscaling-api/v1/{DEMO}/scaling_configuration",)
