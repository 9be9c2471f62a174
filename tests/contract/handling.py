"""The function before one of the two clouds: what it says became of an image, and what its events do."""

from typing import Any

from tests.conftest import Invocation, Invoke
from tests.contract.cloud import HOME, Cloud

Settings = Any
"""Seconds that the invocation gets, the user whose credentials it has, and REAPER_* or OS_* variables."""


class Function:
    """The function as it is deployed before a cloud; it is armed unless a setting says otherwise."""

    def __init__(self, cloud: Cloud, call: Invoke, call_there: Invoke) -> None:
        self._cloud = cloud
        self._call = call
        self._call_there = call_there

    def invoke(
        self, event: object, *, seconds: float = 60.0, user: str = "reaper", there: bool = False, **settings: str
    ) -> Invocation:
        """Invoke the function once: on Lambda, or on FunctionGraph if `there`."""
        call = self._call_there if there else self._call
        credentials = self._cloud.backend.env(user=user, project=HOME[user]) | {"REAPER_AUTH": "keystone"}
        return call(event, credentials | {"REAPER_MODE": "delete"} | settings, seconds)

    def outcome(self, image_id: str, **settings: Settings) -> tuple[str, str]:
        """Outcome and reason of one image that is asked for by itself."""
        return self.invoke({"image_ids": [image_id]}, **settings).outcomes[image_id]
