"""Signed requests from end to end: each image API under the real names of hosts, and what happens to keys."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests import aws
from tests.conftest import Invoke
from tests.fakecloud import DEMO, OTHER, FakeCloud
from tests.fakecloud.cloud import FaultOptions
from tests.fakecloud.keys import KEY_ID, KEY_SECRET, NEIGHBOUR_ID, Key
from tests.fakecloud.rights import LEAST
from tests.faults import IMAGE_PATH
from tests.signing import Agency, Signatory, keys_of, signing
from tests.unit.conftest import SECRET_NAME, Store

pytestmark = pytest.mark.slow("each test asks for keys, and signs every request")

APIS = ("ims", "glance", "ecs-v2.1", "ecs-v2")
LIST_PATH = r"/v2/cloudimages$"
WRONG = {
    "secret": Key(KEY_ID, "guessed", (DEMO,)),
    "key": Key("NOBODYSAK00000000000", "guessed", (DEMO,)),
    "security token": Key(KEY_ID, "exampleSecretKey0000000000000000000000AB", (DEMO,), token="made-up"),
}


@pytest.fixture
def cloud() -> FakeCloud:
    return FakeCloud("otc")


@pytest.fixture
def function(cloud: FakeCloud, invoke_with: Invoke, clean_environment: pytest.MonkeyPatch) -> Iterator[Signatory]:
    with signing(cloud, invoke_with, clean_environment) as signatory:
        yield signatory


def temporary(function: Signatory, **options: object) -> Key:
    """Let the function have an agency, whose keys these are."""
    key = function.cloud.keys.temporary(**options)  # type: ignore[arg-type]  # passed on
    function.agency = Agency(keys_of(key))
    return key


@pytest.mark.parametrize("api", APIS)
def test_every_image_api_takes_signed_requests(api: str, cloud: FakeCloud, function: Signatory) -> None:
    ours, used = cloud.add_image(), cloud.add_image()
    cloud.add_server(image=used)
    run = function.reap(ours, used, REAPER_IMAGE_API=api)
    assert run.outcomes == {ours: ("deleted", ""), used: ("refused", "in_use")}
    assert list(cloud.dead) == [ours]
    assert not [call for call in cloud.calls if "x-auth-token" in call.headers]
    assert cloud.keys.refused == 0


def test_each_service_is_asked_at_its_own_host(cloud: FakeCloud, function: Signatory) -> None:
    data, volume_made = cloud.add_image(), cloud.add_image()
    cloud.add_scaling_configuration(image=cloud.add_image(), data_images=[data])
    cloud.add_volume(image=volume_made)
    run = function.reap(data, volume_made, REAPER_IN_USE_ALSO="scaling,volumes")
    assert run.outcomes == dict.fromkeys([data, volume_made], ("refused", "in_use"))
    hosts = {host.partition(".")[0] for host in function.front.connects}
    assert hosts == {"ims", "ecs", "evs", "as"}
    assert {host.partition(".")[2] for host in function.front.connects} == {"eu-de.otc.t-systems.com"}


def test_on_huawei_cloud_its_own_hosts_are_asked(cloud: FakeCloud, function: Signatory) -> None:
    image = cloud.add_image()
    run = function.reap(image, REAPER_CLOUD="huawei", OS_REGION_NAME="cn-north-4")
    assert run.outcomes == {image: ("deleted", "")}
    assert set(function.front.connects) <= {f"{name}.cn-north-4.myhuaweicloud.com" for name in ("ims", "ecs", "evs")}


def test_a_shared_image_stays_as_its_members_tell(cloud: FakeCloud, function: Signatory) -> None:
    image = cloud.add_image(visibility="shared", members={OTHER: "accepted"})
    assert function.reap(image).outcomes == {image: ("refused", "shared")}


def test_a_sweep_with_grace_marks_first_and_deletes_later(cloud: FakeCloud, function: Signatory) -> None:
    image, stays = cloud.add_image("ci-1"), cloud.add_image("web 1 ~ä")
    sweep = {"sweep": {"select": {"name": "ci-*"}, "grace": "7d", "limit_percent": 100}}
    assert function.carry_out(sweep).outcomes[image] == ("marked", "")
    tags = cloud.images[image].tags
    assert any(tag.startswith("reaper-delete-after=") for tag in tags)
    assert (list(cloud.images), cloud.keys.refused) == ([image, stays], 0)


def test_the_keys_of_an_agency_are_asked_for_at_each_request(cloud: FakeCloud, function: Signatory) -> None:
    key = temporary(function)
    image = cloud.add_image()
    assert function.reap(image).outcomes == {image: ("deleted", "")}
    assert {call.headers["x-security-token"] for call in cloud.calls} == {key.token}
    assert function.agency is not None
    assert function.agency.asked >= len(cloud.calls)


HELD = dict.fromkeys(("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK", "HUAWEICLOUD_SDK_SECURITY_TOKEN"), "")
"""Not in the environment, but in the secret."""


def test_keys_in_a_secret_are_read_again_once_they_are_refused(
    cloud: FakeCloud, function: Signatory, store: Store, moto: str
) -> None:
    known = cloud.keys.known[KEY_ID]
    settings = {**aws.KEYS, **HELD, "REAPER_CREDENTIALS_SECRET": SECRET_NAME, "AWS_ENDPOINT_URL": moto}
    for secret in ("first", "second"):
        known.secret = secret
        store({"HUAWEICLOUD_SDK_AK": KEY_ID, "HUAWEICLOUD_SDK_SK": secret})
        image = cloud.add_image()
        assert function.reap_with(settings, image).outcomes == {image: ("deleted", "")}
    assert cloud.keys.refused == 1
    known.secret = "third"
    image = cloud.add_image()
    for _ in range(3):
        assert function.reap_with(settings, image).outcomes == {image: ("failed", "denied")}
    assert cloud.keys.refused == 2


def test_keys_in_a_secret_that_are_replaced_by_those_of_another_project_delete_nothing(
    cloud: FakeCloud, function: Signatory, store: Store, moto: str
) -> None:
    cloud.add_image(owner=OTHER)
    settings = {**aws.KEYS, **HELD, "REAPER_CREDENTIALS_SECRET": SECRET_NAME, "AWS_ENDPOINT_URL": moto}
    store({"HUAWEICLOUD_SDK_AK": KEY_ID, "HUAWEICLOUD_SDK_SK": KEY_SECRET})
    function.reap_with(settings, cloud.add_image())
    cloud.keys.known[KEY_ID].secret = "rotated"
    neighbour = cloud.keys.known[NEIGHBOUR_ID]
    neighbour.heeds_project = False
    store({"HUAWEICLOUD_SDK_AK": NEIGHBOUR_ID, "HUAWEICLOUD_SDK_SK": neighbour.secret})
    image = cloud.add_image()
    for _ in range(2):
        run = function.reap_with(settings, image)
        assert run.outcomes == {image: ("failed", "denied")}
        assert OTHER in run.answer["outcomes"][0]["detail"]


def expire(function: Signatory, *, replaced: bool) -> None:
    """Let the keys of the agency run out once one image is gone."""
    known, agency = function.cloud.keys, function.agency
    first = next(key for key in known.known.values() if key.token)

    def then() -> None:
        first.expires = known.now
        if replaced and agency:
            agency.keys = keys_of(known.temporary(2))

    function.cloud.fault("DELETE", IMAGE_PATH, apply=True, status=None, then=then)


def test_keys_that_are_replaced_between_two_images_delete_both(cloud: FakeCloud, function: Signatory) -> None:
    temporary(function)
    images = [cloud.add_image() for _ in range(3)]
    expire(function, replaced=True)
    run = function.reap(*images, REAPER_CONCURRENCY="1")
    assert run.outcomes == dict.fromkeys(images, ("deleted", ""))
    assert cloud.keys.refused <= 1


def test_keys_that_expire_and_are_not_replaced_fail_the_rest_at_once(cloud: FakeCloud, function: Signatory) -> None:
    temporary(function)
    images = [cloud.add_image() for _ in range(20)]
    expire(function, replaced=False)
    run = function.reap(*images, REAPER_CONCURRENCY="1")
    assert sum(outcome == ("failed", "denied") for outcome in run.outcomes.values()) >= 19
    assert len(cloud.dead) == cloud.keys.refused == 1


@pytest.mark.slow("sixteen workers at once")
def test_sixteen_workers_whose_keys_expire_together_find_the_new_ones(cloud: FakeCloud, function: Signatory) -> None:
    temporary(function)
    images = [cloud.add_image() for _ in range(32)]
    together = threading.Barrier(16, timeout=10)
    second = keys_of(cloud.keys.temporary(2))

    def then() -> None:
        together.wait()
        assert function.agency is not None
        function.agency.keys = second

    cloud.fault("GET", IMAGE_PATH, status=401, times=16, then=then)
    assert function.reap(*images).outcomes == dict.fromkeys(images, ("deleted", ""))


def test_sixteen_workers_whose_keys_are_refused_for_good_try_no_others(cloud: FakeCloud, function: Signatory) -> None:
    images = [cloud.add_image() for _ in range(40)]
    function.reap(images[0])
    together = threading.Barrier(16, timeout=10)
    cloud.fault("GET", IMAGE_PATH, status=401, times=None, then=together.wait)
    cloud.calls.clear()
    assert function.reap(*images[1:]).outcomes == dict.fromkeys(images[1:], ("failed", "denied"))
    assert sum(call.status == 401 for call in cloud.calls) == 16  # those that were on their way


def test_a_refused_delete_is_not_sent_again_unjudged(cloud: FakeCloud, function: Signatory) -> None:
    temporary(function)
    image = cloud.add_image()
    second = keys_of(cloud.keys.temporary(2))

    def then() -> None:
        assert function.agency is not None
        function.agency.keys = second

    cloud.fault("DELETE", IMAGE_PATH, status=401, then=then)
    assert function.reap(image).outcomes == {image: ("deleted", "")}
    sent = [call.method for call in cloud.calls if call.path.endswith(image)]
    first = sent.index("DELETE")
    assert sent[first : first + 3] == ["DELETE", "GET", "DELETE"]


@pytest.mark.parametrize("what", WRONG)
def test_wrong_keys_are_tried_once_and_never_again(what: str, cloud: FakeCloud, function: Signatory) -> None:
    images = [cloud.add_image() for _ in range(20)]
    runs = [function.reap(*images, key=WRONG[what]) for _ in range(8)]
    assert all(run.outcomes == dict.fromkeys(images, ("failed", "denied")) for run in runs)
    assert len(cloud.calls) == 1
    assert not any(key.locked_until for key in cloud.keys.known.values())
    assert all("the keys were refused" in run.answer["outcomes"][0]["detail"] for run in runs)


@pytest.mark.parametrize("code", ["APIGW.0301", "APIGW.0303"])
@pytest.mark.parametrize(("ahead", "said"), [(20, "20 minutes behind"), (-20, "20 minutes ahead of")])
def test_a_wrong_clock_is_told_as_such_and_no_key_is_blamed(
    ahead: int, said: str, code: str, cloud: FakeCloud, function: Signatory
) -> None:
    images = [cloud.add_image() for _ in range(20)]
    cloud.keys.ahead, cloud.keys.skew_code = timedelta(minutes=ahead), code  # type: ignore[assignment]  # one of two
    run = function.reap(*images)
    assert run.outcomes == dict.fromkeys(images, ("failed", "denied"))
    assert all(f"clock of this machine is {said} the cloud's" in line["detail"] for line in run.answer["outcomes"])
    assert "set the clock" in run.answer["outcomes"][0]["detail"]
    assert len(cloud.calls) == 1
    cloud.keys.ahead = timedelta()
    assert set(function.reap(*images).outcomes.values()) == {("deleted", "")}


@pytest.mark.parametrize(("ahead", "said"), [(20, "20 minutes behind"), (-16, "16 minutes ahead"), (14, ""), (-14, "")])
def test_the_date_of_a_refusal_tells_a_wrong_clock_if_its_words_do_not(
    ahead: int, said: str, cloud: FakeCloud, function: Signatory
) -> None:
    theirs = format_datetime(datetime.now(UTC) + timedelta(minutes=ahead), usegmt=True)
    cloud.fault("GET", LIST_PATH, status=401, body="no", headers={"Date": theirs})
    detail = function.reap(cloud.add_image()).answer["outcomes"][0]["detail"]
    assert said in detail
    assert ("clock" in detail) == bool(said)


def test_a_clock_that_is_off_by_less_does_no_harm(cloud: FakeCloud, function: Signatory) -> None:
    cloud.keys.ahead = timedelta(minutes=14)
    image = cloud.add_image()
    assert function.reap(image).outcomes == {image: ("deleted", "")}


@pytest.mark.parametrize("words", ["X-Sdk-Date is not of this time", "signature expired, server time:20269999T999999Z"])
def test_a_clock_that_is_refused_without_a_time_is_told_as_well(
    words: str, cloud: FakeCloud, function: Signatory
) -> None:
    refusal = {"error_code": "APIGW.0303", "error_msg": words}
    cloud.fault("GET", LIST_PATH, status=401, body=refusal, headers={"Date": "soon"})
    image = cloud.add_image()
    run = function.reap(image)
    assert "the cloud refuses the time of our signature, X-Sdk-Date" in run.answer["outcomes"][0]["detail"]
    assert function.reap(image).outcomes == {image: ("deleted", "")}


def test_a_clock_that_is_right_is_not_blamed_for_a_wrong_key(cloud: FakeCloud, function: Signatory) -> None:
    run = function.reap(cloud.add_image(), key=WRONG["secret"])
    detail = run.answer["outcomes"][0]["detail"]
    assert "x-sdk-date" in detail  # the gateway quotes the request that it has signed
    assert "clock" not in detail


def test_a_function_without_an_agency_sends_nothing_and_says_what_it_needs(
    cloud: FakeCloud, function: Signatory
) -> None:
    temporary(function)
    assert function.agency is not None
    function.agency.keys = function.agency.keys._replace(access_key="", secret_key="", security_token="")
    image = cloud.add_image()
    run = function.reap(image)
    assert run.outcomes == {image: ("failed", "denied")}
    assert "give the function an agency" in run.answer["outcomes"][0]["detail"]
    assert not cloud.calls


def test_an_agency_without_rights_is_told_in_the_words_of_the_service(cloud: FakeCloud, function: Signatory) -> None:
    temporary(function, may=())
    image = cloud.add_image()
    run = function.reap(image)
    assert run.outcomes == {image: ("failed", "denied")}
    assert "Policy doesn't allow ims:images:list" in run.answer["outcomes"][0]["detail"]


@pytest.mark.parametrize("action", sorted(LEAST - {"evs:volumes:list", "ims:images:share", "ims:images:list"}))
def test_an_agency_that_lacks_one_right_deletes_nothing(action: str, cloud: FakeCloud, function: Signatory) -> None:
    temporary(function, may=LEAST - {action})
    image = cloud.add_image()
    run = function.reap(image)
    assert run.outcomes == {image: ("failed", "denied")}
    assert action in run.answer["outcomes"][0]["detail"]
    assert image in cloud.images


def test_the_least_rights_are_enough(cloud: FakeCloud, function: Signatory) -> None:
    temporary(function, may=LEAST)
    image, shared = cloud.add_image(), cloud.add_image(visibility="shared")
    assert function.reap(image, shared).outcomes == dict.fromkeys([image, shared], ("deleted", ""))


@pytest.mark.parametrize("api", APIS)
def test_keys_of_another_project_end_the_run_before_an_image_looks_gone(
    api: str, cloud: FakeCloud, function: Signatory
) -> None:
    cloud.add_image(owner=OTHER)
    images = [cloud.add_image() for _ in range(3)]
    neighbour = cloud.keys.known[NEIGHBOUR_ID]
    neighbour.heeds_project = False
    run = function.reap(*images, key=neighbour, REAPER_IMAGE_API=api)
    assert run.outcomes == dict.fromkeys(images, ("failed", "denied"))
    detail = run.answer["outcomes"][0]["detail"]
    assert all(word in detail for word in (DEMO, OTHER, "HUAWEICLOUD_SDK_PROJECT_ID"))
    assert len(cloud.calls) == 1


def test_a_project_that_the_gateway_does_not_give_the_keys_is_named_with_its_cure(
    cloud: FakeCloud, function: Signatory
) -> None:
    run = function.reap(cloud.add_image(), key=cloud.keys.known[NEIGHBOUR_ID])
    detail = run.answer["outcomes"][0]["detail"]
    assert "APIGW.0310" in detail
    assert detail.endswith("HUAWEICLOUD_SDK_PROJECT_ID must be a project of these keys, in the region OS_REGION_NAME")


@pytest.mark.parametrize("request_of", ["ids", "sweep"])
def test_no_image_looks_gone_to_keys_of_another_project_that_is_empty(
    request_of: str, cloud: FakeCloud, function: Signatory
) -> None:
    image = cloud.add_image("ci-1")
    neighbour = cloud.keys.known[NEIGHBOUR_ID]
    neighbour.heeds_project = False
    asked = {"image_ids": [image]} if request_of == "ids" else {"sweep": {"select": {"name": "*"}}}
    run = function.carry_out(asked, key=neighbour, REAPER_IN_USE_CHECK="off")
    assert not run.answer["ok"]
    assert "already_gone" not in run.answer["counts"]


def test_a_sweep_with_keys_of_another_project_finds_out_before_it_finds_nothing(
    cloud: FakeCloud, function: Signatory
) -> None:
    cloud.add_image(owner=OTHER)
    neighbour = cloud.keys.known[NEIGHBOUR_ID]
    neighbour.heeds_project = False
    run = function.carry_out({"sweep": {"select": {"name": "*"}}}, key=neighbour)
    assert not run.answer["ok"]
    assert OTHER in run.answer["outcomes"][0]["detail"]


def test_lasting_keys_are_asked_about_once_and_an_agencys_in_each_run(cloud: FakeCloud, function: Signatory) -> None:
    for _ in range(3):
        function.reap(cloud.add_image())
    asked = [call for call in cloud.calls if "__imagetype" in call.query]
    assert len(asked) == 1
    temporary(function)
    for _ in range(3):
        function.reap(cloud.add_image())
    assert len([call for call in cloud.calls if "__imagetype" in call.query]) == 1 + 3


@pytest.mark.parametrize("fault", [FaultOptions(status=503), FaultOptions(status=429), FaultOptions(cut=True)])
def test_a_question_that_fails_for_a_moment_is_asked_again(
    fault: FaultOptions, cloud: FakeCloud, function: Signatory
) -> None:
    cloud.fault("GET", LIST_PATH, **fault)
    image = cloud.add_image()
    assert function.reap(image).outcomes == {image: ("deleted", "")}


@pytest.mark.parametrize("body", [{}, {"images": [{"id": "x"}]}, {"images": 1}, "<p>hello</p>", "", {"images": []}])
def test_an_answer_that_does_not_tell_the_owner_deletes_nothing(
    body: object, cloud: FakeCloud, function: Signatory
) -> None:
    # A list without images is an answer, but not one that was only accepted.
    cloud.fault("GET", LIST_PATH, status=202 if body == {"images": []} else 200, body=body, times=None)  # type: ignore[arg-type]  # any JSON
    image = cloud.add_image()
    assert function.reap(image).outcomes == {image: ("failed", "unexpected")}


def test_addresses_of_this_machine_may_be_plain_and_their_paths_are_signed(
    cloud: FakeCloud, function: Signatory
) -> None:
    image = cloud.add_image()
    base = function.server.url
    run = function.reap(image, REAPER_IMAGE_ENDPOINT=f"{base}/ims", REAPER_COMPUTE_ENDPOINT=f"{base}/ecs/v2/{DEMO}")
    assert run.outcomes == {image: ("deleted", "")}
    assert {call.path.split("/")[1] for call in cloud.calls} == {"ims", "ecs"}
    assert not function.front.connects


def test_a_signature_goes_to_no_plain_address(cloud: FakeCloud, function: Signatory) -> None:
    image = cloud.add_image()
    run = function.reap(image, REAPER_IMAGE_ENDPOINT="http://ims.invalid")
    assert "REAPER_IMAGE_ENDPOINT: must be an https address" in str(run.error)
    run = function.reap(image, REAPER_IMAGE_ENDPOINT="http://ims.invalid", REAPER_ALLOW_PLAINTEXT="on")
    assert run.outcomes == {image: ("failed", "unavailable")}  # it was tried: there is no such host
    assert not cloud.calls


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_redirect_carries_no_signature_elsewhere(
    method: str, status: int, cloud: FakeCloud, function: Signatory
) -> None:
    image = cloud.add_image()
    location = {"Location": f"https://ims.eu-nl.otc.t-systems.com/v2/images/{image}"}
    cloud.fault(method, IMAGE_PATH, status=status, headers=location, times=None)
    assert function.reap(image).outcomes == {image: ("failed", "unexpected")}
    assert not [host for host in function.front.connects if "eu-nl" in host]


def test_the_cookies_of_a_firewall_are_not_sent_back(cloud: FakeCloud, function: Signatory) -> None:
    cookie = {"Set-Cookie": "HWWAFSESID=0123456789; path=/"}
    cloud.fault(headers=cookie, apply=True, status=None, times=None)
    images = [cloud.add_image() for _ in range(3)]
    assert set(function.reap(*images).outcomes.values()) == {("deleted", "")}
    assert not [call for call in cloud.calls if "cookie" in call.headers]


def test_one_environment_works_for_one_project(cloud: FakeCloud, function: Signatory) -> None:
    image = cloud.add_image()
    run = function.reap(image, REAPER_PROJECT_ID=OTHER)
    assert run.error is not None
    assert f"requests are signed for project {DEMO}" in str(run.error)
