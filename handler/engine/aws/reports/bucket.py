"""The bucket of the reports on S3, and how a person gets at what is in it.

A link that needs no login would end with the keys that signed it, after hours: so there is the address of the console,
and a command.
"""

import shlex
from functools import partial
from urllib.parse import quote

from handler.clock import Deadline
from handler.engine.aws.access import AwsAccess
from handler.engine.aws.calls import keys_of
from handler.engine.aws.partitions import console_of
from handler.engine.objects import Keys, Objects, Place
from handler.errors import AwsFault, EngineFault


class S3Bucket(Objects):
    """A bucket in the region of the function, with the keys of its role."""

    def __init__(self, name: str, access: AwsAccess, deadline: Deadline) -> None:
        # An address that was given instead of AWS's own has no hosts for buckets.
        place = Place(access.endpoint("s3"), access.region, by_path=bool(access.given_endpoint("s3")))
        super().__init__(name, place, partial(_keys, access), deadline)
        self._region = access.region

    def page_of(self, key: str) -> str:
        """The address of an object in the console, empty if nobody knows where that is."""
        console = console_of(self._region)
        query = f"region={self._region}&prefix={quote(key, safe='/~')}"
        return f"https://{console}/s3/object/{self.name}?{query}" if console else ""

    def command_for(self, key: str) -> str:
        """The command that copies an object into the current folder."""
        return shlex.join(["aws", "s3", "cp", f"s3://{self.name}/{key}", ".", "--region", self._region])


def _keys(access: AwsAccess) -> Keys:
    try:
        return keys_of(access)
    except AwsFault as exc:
        raise EngineFault(str(exc)) from exc
