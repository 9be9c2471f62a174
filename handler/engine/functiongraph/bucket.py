"""The bucket of the reports on OBS, which speaks the protocol of S3, and how a person gets at what is in it."""

import shlex
from collections.abc import Callable

from handler.clock import Deadline
from handler.engine.objects import Keys, Objects, Place


class ObsBucket(Objects):
    """A bucket of OBS, with keys that are passed in, since they belong to the cloud."""

    def __init__(self, name: str, place: Place, keys: Callable[[], Keys], deadline: Deadline) -> None:
        super().__init__(name, place, keys, deadline)
        self._options = ["--region", place.region, "--endpoint-url", place.service]

    def page_of(self, _key: str) -> str:
        """Nothing: the console of OBS has no address for an object that anybody has documented."""
        return ""

    def command_for(self, key: str) -> str:
        """The command that copies an object into the current folder; the keys are those of whoever enters it."""
        return shlex.join(["aws", "s3", "cp", f"s3://{self.name}/{key}", ".", *self._options])
