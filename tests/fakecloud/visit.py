"""What a handler is given: the cloud, the request, what the address held, and whose token it is."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.fakecloud.api import Request
from tests.fakecloud.errors import Unauthorized
from tests.fakecloud.records import REGION, Token
from tests.fakecloud.state import CloudState


@dataclass(frozen=True)
class Visit:
    """One request on its way through the cloud."""

    state: CloudState
    request: Request
    args: Mapping[str, str]
    token: Token | None = None

    @property
    def caller(self) -> Token:
        """The token of a request that needs one, scoped to a project."""
        if self.token is None or self.token.project_id is None:
            raise Unauthorized
        return self.token

    @property
    def region(self) -> str:
        """The region that is asked."""
        return self.request.region or REGION

    @property
    def root(self) -> str:
        """The address of the service's version, as far as the project."""
        depth = 4 if "project" in self.args else 3
        return self.request.address("/".join(self.request.decoded_path.split("/")[:depth]))
