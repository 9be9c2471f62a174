"""What the function says became of an image, where the real services are asked too."""

from collections.abc import Mapping
from typing import Any

import pytest

from handler.cloud import paging
from handler.cloud.fields import Record
from handler.cloud.transport import Transport
from handler.errors import InvalidRequest
from tests.contract.cloud import MISSING, Cloud
from tests.contract.handling import Function

DELETED, GONE = ("deleted", ""), ("already_gone", "")
APIS = ("glance", "ims", "ecs-v2.1", "ecs-v2")
apis = pytest.mark.parametrize("api", APIS)


def bytes_of(cloud: Cloud, image_id: str, user: str = "reaper") -> bytes:
    """The data of an image, as another client reads it; empty if there is none."""
    answer = cloud.glance("GET", f"/{image_id}/file", user)
    return answer.content if answer.status == 200 else b""


@apis
def test_an_image_goes_and_every_other_keeps_its_bytes(cloud: Cloud, function: Function, api: str) -> None:
    image_id, *others = (cloud.add_image(f"ci-{number}") for number in range(3))
    assert function.outcome(image_id, REAPER_IMAGE_API=api) == DELETED
    assert not cloud.stands(image_id)
    assert [bytes_of(cloud, other) for other in others] == [b"x" * 16] * 2


@apis
def test_an_image_that_is_not_there_is_already_gone(cloud: Cloud, function: Function, api: str) -> None:
    image_id = cloud.add_image()
    assert function.outcome(MISSING, REAPER_IMAGE_API=api) == GONE
    assert function.outcome(image_id, REAPER_IMAGE_API=api) == DELETED
    assert function.outcome(image_id, REAPER_IMAGE_API=api) == GONE


def test_an_image_that_we_may_not_see_is_already_gone_for_us(cloud: Cloud, function: Function) -> None:
    image_id = cloud.add_image(user="neighbour", visibility="private")
    assert function.outcome(image_id) == GONE
    assert bytes_of(cloud, image_id, "neighbour") == b"x" * 16


def test_an_application_credential_is_enough(cloud: Cloud, function: Function) -> None:
    image_id = cloud.add_image()
    assert function.outcome(image_id, **cloud.backend.env("v3applicationcredential")) == DELETED
    assert not cloud.stands(image_id)


def test_a_token_that_somebody_else_made_is_enough(cloud: Cloud, function: Function) -> None:
    image_id = cloud.add_image()
    assert function.outcome(image_id, OS_AUTH_TYPE="v3token", OS_TOKEN=cloud.new_token()) == DELETED
    assert not cloud.stands(image_id)


def test_a_marker_that_vanishes_while_the_list_is_read_is_no_failure(
    cloud: Cloud, function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = {cloud.add_image(f"ci-{number}") for number in range(5)}
    read, gone = Transport.read, list[str]()

    def read_and_delete(self: Transport, url: str, params: Mapping[str, str] | None = None) -> Record | None:
        payload = read(self, url, params)
        if payload and payload.get("images") and not gone:
            gone.append(payload["images"][-1]["id"])
            assert cloud.glance("DELETE", f"/{gone[0]}").status == 204
        return payload

    monkeypatch.setattr(paging, "PAGE", 2)
    monkeypatch.setattr(Transport, "read", read_and_delete)
    run = function.invoke({"sweep": {"select": {"name": "ci-*"}, "limit_percent": 100}})
    assert run.outcomes == dict.fromkeys(images - set(gone), DELETED)


def test_a_hidden_image_goes_as_well(cloud: Cloud, function: Function) -> None:
    image_id = cloud.add_image(os_hidden=True)
    assert function.outcome(image_id) == DELETED
    assert not cloud.stands(image_id)


def test_a_deactivated_image_goes_as_well(cloud: Cloud, function: Function) -> None:
    image_id = cloud.add_image()
    cloud.deactivate(image_id)
    assert function.outcome(image_id) == DELETED
    assert not cloud.stands(image_id)


REFUSED: dict[str, tuple[dict[str, Any], dict[str, str], str]] = {
    "protected": ({"protected": True}, {}, "protected"),
    "community": ({"visibility": "community"}, {}, "public"),
    "kept by a tag": ({"tags": ["keep"]}, {}, "kept"),
    "kept by a property": ({"keep": "yes"}, {}, "kept"),
    "kept until": ({"tags": ["keep-until=2999-12-31"]}, {}, "kept"),
    "untagged": ({}, {"REAPER_REQUIRE_TAG": "ci"}, "not_allowed"),
    "of another name": ({}, {"REAPER_ALLOW_NAMES": "nightly-*"}, "not_allowed"),
    "young": ({}, {"REAPER_MIN_AGE": "1h"}, "too_young"),
}


@apis
@pytest.mark.parametrize("case", REFUSED)
def test_an_image_that_a_rule_is_for_stays(cloud: Cloud, function: Function, case: str, api: str) -> None:
    fields, settings, reason = REFUSED[case]
    image_id = cloud.add_image(**fields)
    assert function.outcome(image_id, REAPER_IMAGE_API=api, **settings) == ("refused", reason)
    assert bytes_of(cloud, image_id) == b"x" * 16


def test_a_public_image_stays(cloud: Cloud, function: Function) -> None:
    image_id = cloud.add_image(user="neighbour", visibility="shared")
    cloud.backend.publish(image_id)
    assert function.outcome(image_id) == ("refused", "public")
    assert bytes_of(cloud, image_id) == b"x" * 16


def test_an_image_without_data_stays(cloud: Cloud, function: Function) -> None:
    image_id = cloud.queue()
    assert function.outcome(image_id) == ("refused", "not_ready")
    assert cloud.stands(image_id)


def test_an_image_that_is_lent_to_us_stays(cloud: Cloud, function: Function) -> None:
    image_id = cloud.add_image(user="neighbour", visibility="shared")
    cloud.share(image_id, accept=True)
    assert function.outcome(image_id) == ("refused", "not_owner")
    assert bytes_of(cloud, image_id, "neighbour") == b"x" * 16


def test_a_shared_image_stays_until_everybody_has_turned_it_down(cloud: Cloud, function: Function) -> None:
    offered, accepted, rejected = (cloud.add_image(user="neighbour", visibility="shared") for _ in range(3))
    for image_id in (offered, accepted, rejected):
        cloud.share(image_id, accept=image_id == accepted)
    assert cloud.glance("GET", f"/{offered}/file").content == b"x" * 16
    path, answer = f"/{rejected}/members/{cloud.demo}", {"status": "rejected"}
    assert cloud.glance("PUT", path, payload=answer).status == 200
    for image_id in (offered, accepted):
        assert function.outcome(image_id, user="neighbour") == ("refused", "shared")
        assert cloud.stands(image_id, "neighbour")
    assert function.outcome(rejected, user="neighbour") == DELETED


@apis
def test_an_image_that_a_server_was_made_from_stays(cloud: Cloud, function: Function, api: str) -> None:
    image_id, free = cloud.add_image(), cloud.add_image()
    for number in range(3):
        cloud.add_server(f"web-{number}", image=image_id)
    cloud.add_server("of-others", image=free, project="other")
    assert function.outcome(image_id, REAPER_IMAGE_API=api) == ("refused", "in_use")
    assert function.outcome(free, REAPER_IMAGE_API=api) == DELETED
    assert bytes_of(cloud, image_id) == b"x" * 16


def test_a_server_beyond_the_first_page_is_seen(cloud: Cloud, function: Function) -> None:
    image_id, other = cloud.add_image(), cloud.add_image()
    cloud.add_server("oldest", image=image_id)
    for number in range(25):
        cloud.add_server(f"web-{number}", image=other)
    assert function.outcome(image_id) == ("refused", "in_use")


def test_a_credential_that_may_only_read_deletes_nothing(cloud: Cloud, function: Function) -> None:
    image_id = cloud.add_image()
    assert function.outcome(image_id, user="reader") == ("failed", "denied")
    assert bytes_of(cloud, image_id) == b"x" * 16


EXPECTABLE = ("name", "owner", "checksum", "status", "updated_at", "size")


@pytest.mark.parametrize("changed", EXPECTABLE)
def test_an_image_that_is_not_as_expected_stays(cloud: Cloud, function: Function, changed: str) -> None:
    image_id = cloud.add_image()
    record = cloud.glance("GET", f"/{image_id}").body
    expect = {key: record[key] for key in EXPECTABLE}
    otherwise = expect | {changed: 17 if changed == "size" else "other"}
    assert function.invoke({"images": [{"id": image_id, "expect": otherwise}]}).outcomes[image_id][1] == "changed"
    assert cloud.stands(image_id)
    assert function.invoke({"images": [{"id": image_id, "expect": expect}]}).outcomes[image_id] == DELETED


def test_a_plan_deletes_just_what_was_rehearsed(cloud: Cloud, function: Function) -> None:
    first, second, stays = cloud.add_image(), cloud.add_image(), cloud.add_image(protected=True)
    rehearsal = function.invoke({"image_ids": [first, second, stays]}, REAPER_MODE="dry-run").answer
    assert rehearsal["counts"] == {"would_delete": 2, "refused": 1}
    cloud.glance("PATCH", f"/{second}", patch=[{"op": "replace", "path": "/name", "value": "golden"}])
    outcomes = function.invoke(rehearsal["plan"]).outcomes
    assert outcomes == {first: DELETED, second: ("refused", "changed")}
    assert [cloud.stands(image_id) for image_id in (first, second, stays)] == [False, True, True]


def test_another_project_is_not_served(cloud: Cloud, function: Function) -> None:
    image_id = cloud.add_image()
    run = function.invoke({"image_ids": [image_id], "project_id": cloud.other})
    assert isinstance(run.error, InvalidRequest)
    assert function.outcome(image_id, REAPER_PROJECT_ID=cloud.other) == ("failed", "denied")
    assert function.outcome(image_id, REAPER_PROJECT_ID=cloud.demo) == DELETED


@pytest.mark.parametrize("place", ["identity", "identity/v3", "compute/nonsense", "image/nonsense"])
def test_no_image_is_called_gone_by_an_address_that_is_wrong(cloud: Cloud, function: Function, place: str) -> None:
    image_id = cloud.add_image()
    service, _, path = place.partition("/")
    wrong = f"{getattr(cloud.backend, service)}/{path}"
    assert function.outcome(image_id, REAPER_IMAGE_ENDPOINT=wrong) == ("failed", "unexpected")
    assert function.outcome(MISSING, REAPER_IMAGE_ENDPOINT=wrong) == ("failed", "unexpected")
    assert bytes_of(cloud, image_id) == b"x" * 16


def test_no_more_images_go_than_the_setting_says(cloud: Cloud, function: Function) -> None:
    image_ids = [cloud.add_image(f"ci-{number}") for number in range(3)]
    outcomes = function.invoke({"image_ids": image_ids}, REAPER_MAX_IMAGES="2").outcomes
    assert sorted(outcomes.values()) == [DELETED, DELETED, ("failed", "over_limit")]
    left = [image_id for image_id in image_ids if outcomes[image_id] != DELETED]
    assert [image_id for image_id in image_ids if cloud.stands(image_id)] == left
    assert function.outcome(*left) == DELETED


def test_nothing_goes_while_the_function_is_paused(cloud: Cloud, function: Function) -> None:
    image_id = cloud.add_image()
    assert function.outcome(image_id, REAPER_MODE="paused") == ("failed", "paused")
    assert bytes_of(cloud, image_id) == b"x" * 16


def test_nothing_goes_when_there_is_no_time_left(cloud: Cloud, function: Function) -> None:
    image_id = cloud.add_image()
    assert function.outcome(image_id, seconds=1.5) == ("failed", "deadline")
    assert bytes_of(cloud, image_id) == b"x" * 16


def test_many_images_go_side_by_side(cloud: Cloud, function: Function) -> None:
    image_ids = [cloud.queue(f"ci-{number}") for number in range(4)] + [cloud.add_image() for _ in range(20)]
    run = function.invoke({"image_ids": [*image_ids, MISSING]})
    assert run.answer["counts"] == {"deleted": 20, "refused": 4, "already_gone": 1}
    assert [cloud.stands(image_id) for image_id in image_ids] == [True] * 4 + [False] * 20
