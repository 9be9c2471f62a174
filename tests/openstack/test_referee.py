"""openstacksdk as referee: it lists what the function left, and deletes a set of the same kind itself."""

from collections.abc import Callable, Mapping

from tests.contract.cloud import MISSING, Cloud
from tests.openstack.referee import ask
from tests.openstack.stage import Stage

Make = Callable[[Cloud], str]


def shared_by_us(cloud: Cloud, *, accept: bool) -> str:
    image = cloud.add_image()
    members = f"/{image}/members"
    assert cloud.glance("POST", members, payload={"member": cloud.other}).status == 200
    if accept:
        answer = cloud.glance("PUT", f"{members}/{cloud.other}", "neighbour", payload={"status": "accepted"})
        assert answer.status == 200
    return image


def shared_with_us(cloud: Cloud) -> str:
    image = cloud.add_image(user="neighbour")
    cloud.share(image, accept=True)
    return image


def changed(cloud: Cloud, change: Callable[[str], object], **fields: object) -> str:
    image = cloud.add_image(**fields)  # type: ignore[arg-type]  # a name or a user is a text
    change(image)
    return image


MAKE: Mapping[str, Make] = {
    "active": lambda cloud: cloud.add_image(),
    "deactivated": lambda cloud: changed(cloud, cloud.deactivate),
    "open invitation": lambda cloud: shared_by_us(cloud, accept=False),
    "unknown": lambda _: MISSING,
    "already deleted": lambda cloud: changed(cloud, lambda image: cloud.glance("DELETE", f"/{image}")),
    "foreign private": lambda cloud: cloud.add_image(user="neighbour", visibility="private"),
    "protected": lambda cloud: cloud.add_image(protected=True),
    "foreign shared": shared_with_us,
    "foreign community": lambda cloud: cloud.add_image(user="neighbour", visibility="community"),
    "foreign public": lambda cloud: changed(cloud, cloud.backend.publish, user="neighbour"),
    "queued": lambda cloud: cloud.queue(),
    "in use": lambda cloud: changed(cloud, lambda image: cloud.add_server(image=image)),
    "kept": lambda cloud: cloud.add_image(tags=["keep"]),
    "accepted share": lambda cloud: shared_by_us(cloud, accept=True),
    "own community": lambda cloud: cloud.add_image(visibility="community"),
    "own public": lambda cloud: changed(cloud, cloud.backend.publish),
}
"""How an image of each kind is made, as one that the function and openstacksdk are both asked to delete."""

NOT_FOUND = "NotFoundException"
FORBIDDEN = "ForbiddenException"

AGREED: Mapping[str, tuple[str, str, str]] = {
    "active": ("deleted", "", "deleted"),
    "deactivated": ("deleted", "", "deleted"),
    "unknown": ("already_gone", "", NOT_FOUND),
    "already deleted": ("already_gone", "", NOT_FOUND),
    "foreign private": ("already_gone", "", NOT_FOUND),
    "protected": ("refused", "protected", FORBIDDEN),
    "foreign shared": ("refused", "not_owner", FORBIDDEN),
    "foreign community": ("refused", "public", FORBIDDEN),
    "foreign public": ("refused", "public", FORBIDDEN),
}
"""Our outcome and reason, and what openstacksdk makes of the same: there both delete, or neither."""
STRICTER: Mapping[str, tuple[str, str, str]] = {
    "queued": ("refused", "not_ready", "deleted"),
    "in use": ("refused", "in_use", "deleted"),
    "kept": ("refused", "kept", "deleted"),
    "open invitation": ("refused", "shared", "deleted"),
    "accepted share": ("refused", "shared", "deleted"),
    "own community": ("refused", "public", "deleted"),
    "own public": ("refused", "public", "deleted"),
}
"""Where we refuse what openstacksdk deletes, since Glance would let it."""
EXPECTED = {**AGREED, **STRICTER}
UNLISTED = {"foreign community"}
"""Glance lists another project's community images only to who asks for them."""


def test_openstacksdk_and_we_agree_on_every_image_but_those_that_we_keep_on_purpose(stage: Stage) -> None:
    ours = {kind: MAKE[kind](stage.cloud) for kind in EXPECTED}
    theirs = {kind: MAKE[kind](stage.cloud) for kind in EXPECTED}
    told = stage.invoke({"image_ids": list(ours.values())}).outcomes
    results = ask(stage.lab.env(), list(theirs.values()))["results"]
    assert {kind: (*told[ours[kind]], results[theirs[kind]]) for kind in EXPECTED} == EXPECTED


def test_openstacksdk_lists_just_what_we_say_that_we_left(stage: Stage) -> None:
    images = {kind: MAKE[kind](stage.cloud) for kind in EXPECTED}
    told = stage.invoke({"image_ids": list(images.values())}).outcomes
    kinds = {image: kind for kind, image in images.items()}
    listed = {kinds.get(image, image) for image in ask(stage.lab.env())["left"]}
    assert listed == {kind for kind, image in images.items() if told[image][0] == "refused"} - UNLISTED


def test_what_we_delete_openstacksdk_does_not_find_and_what_it_deletes_we_call_gone(stage: Stage) -> None:
    ours, theirs = stage.add_images(), stage.add_images()
    assert stage.outcomes(ours) == [("deleted", "")] * 3
    assert ask(stage.lab.env(), theirs)["results"] == dict.fromkeys(theirs, "deleted")
    assert ask(stage.lab.env(), ours)["results"] == dict.fromkeys(ours, NOT_FOUND)
    assert stage.outcomes(theirs) == [("already_gone", "")] * 3
    assert stage.left([*ours, *theirs]) == []
