"""The keys that requests are signed with, and the project, region and cloud that they are for. Values, without HTTP."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

CloudName = Literal["otc", "huawei"]
"""The cloud whose endpoints are used: Open Telekom Cloud or Huawei Cloud."""


class Keys(NamedTuple):
    """An access key (AK), its secret key (SK), and the security token that temporary keys come with, else empty."""

    access_key: str
    secret_key: str
    security_token: str = ""

    def __repr__(self) -> str:
        """Nothing of the keys."""
        return "Keys(***)"


@dataclass(frozen=True, slots=True)
class Signing:
    """The keys that sign our requests, and the project, region and cloud that they are for.

    `keys` returns the keys that are valid now, or raises CloudError: an agency's are temporary, and the runtime
    replaces them.
    """

    keys: Callable[[], Keys] = field(repr=False)
    project_id: str
    region: str
    cloud: CloudName = "otc"
    cacert: str | None = None
