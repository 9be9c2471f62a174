"""A function on FunctionGraph that signs with its agency's keys: those of the present invocation, and no others."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from handler import functiongraph
from tests.conftest import Invoke
from tests.fakecloud import DEMO, FakeCloud
from tests.fakecloud.keys import Key
from tests.signing import Signatory, signing


class Context:
    """The context of one invocation, which gives keys."""

    def __init__(self, key: Key, **settings: str) -> None:
        self.key = key
        self._settings = settings
        self._end = time.monotonic() + 60

    def getSecurityAccessKey(self) -> str:  # noqa: N802 (the name in the runtime)
        return self.key.access

    def getSecuritySecretKey(self) -> str:  # noqa: N802
        return self.key.secret

    def getSecurityToken(self) -> str:  # noqa: N802
        return self.key.token

    def getProjectID(self) -> str:  # noqa: N802
        return DEMO

    def getUserData(self, name: str) -> str | None:  # noqa: N802
        return self._settings.get(name)

    def getRemainingTimeInMilliSeconds(self) -> int:  # noqa: N802
        return int((self._end - time.monotonic()) * 1000)


@pytest.fixture
def cloud() -> FakeCloud:
    return FakeCloud("otc")


@pytest.fixture
def function(cloud: FakeCloud, invoke_with: Invoke, clean_environment: pytest.MonkeyPatch) -> Iterator[Signatory]:
    with signing(cloud, invoke_with, clean_environment) as signatory:
        for name, value in signatory.front.environment().items():
            clean_environment.setenv(name, value)
        yield signatory


def reap(context: Context, *image_ids: str) -> dict[str, Any]:
    report = functiongraph.handler({"image_ids": list(image_ids)}, context)
    return {told["image_id"]: (told["outcome"], told["reason"]) for told in report["outcomes"]}


def context_of(key: Key) -> Context:
    return Context(key, REAPER_MODE="delete", OS_REGION_NAME="eu-de")


@pytest.mark.usefixtures("function")
def test_each_invocation_signs_with_the_keys_of_its_own_context(cloud: FakeCloud) -> None:
    for number in (1, 2, 3):
        key = cloud.keys.temporary(number)
        image = cloud.add_image()
        cloud.calls.clear()
        assert reap(context_of(key), image) == {image: ("deleted", "")}
        assert {call.headers["x-security-token"] for call in cloud.calls} == {key.token}
        key.expires = cloud.keys.now  # whoever keeps it is found out


@pytest.mark.usefixtures("function")
def test_keys_that_the_context_replaces_during_an_invocation_are_used_from_then_on(cloud: FakeCloud) -> None:
    first, second = cloud.keys.temporary(1), cloud.keys.temporary(2)
    context, images = context_of(first), [cloud.add_image() for _ in range(4)]

    def then() -> None:
        first.expires, context.key = cloud.keys.now, second

    cloud.fault("DELETE", "/images/", apply=True, status=None, then=then)
    assert set(reap(context, *images).values()) == {("deleted", "")}


@pytest.mark.usefixtures("function")
def test_a_function_without_an_agency_sends_nothing(cloud: FakeCloud) -> None:
    image = cloud.add_image()
    assert reap(context_of(Key("", "", ())), image) == {image: ("failed", "denied")}
    assert not cloud.calls
