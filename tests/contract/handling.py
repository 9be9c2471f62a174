"""The function before one of the two clouds: what it says became of an image, and what its events do."""

from typing import Any

from tests.conftest import Invocation, Invoke
from tests.contract.cloud import HOME, Cloud

Settings = Any
"""Seconds that the invocation gets, the user whose credentials it has, and REAPER_* or OS_* variables."""


class Function:
    """The function as it is deployed before a cloud; it is armed unless a setting says otherwise."""

    def __init__(self, cloud: Cloud, call: Invoke) -> None:
        self._cloud = cloud
        self._call = call

    def invoke(self, event: object, *, seconds: float = 60.0, user: str = "reaper", **settings: str) -> Invocation:
        """Invoke it once."""
        credentials = self._cloud.backend.env(user=user, project=HOME[user])
        return self._call(event, credentials | {"REAPER_MODE": "delete"} | settings, seconds)

    def outcome(self, image_id: str, **settings: Settings) -> tuple[str, str]:
        """Outcome and reason of one image that is asked for by itself."""
        return self.invoke({"image_ids": [image_id]}, **settings).outcomes[image_id]
