"""The functions of a world: their settings, their credentials, and the environments in which they run."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from tests.aws import REGION
from tests.chaos import functiongraph
from tests.chaos.door import CLOUD, Aws, Door
from tests.chaos.environment import Environment
from tests.chaos.faulty import AWS
from tests.chaos.inside import Clock
from tests.fakecloud import Server
from tests.fakecloud.front import Front

KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIDCHAOSEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "chaos/secret+access/key/0123456789abcdef",
    "AWS_SESSION_TOKEN": "chaos-session-token-0123456789abcdef",
    "AWS_REGION": REGION,
}


class Place(NamedTuple):
    """An environment, the port at which it finds everything, and the function that it belongs to.

    On FunctionGraph, the cloud has its true names, and `front` leads them to the port.
    """

    environment: Environment
    server: Server
    door: Door
    function: str
    settings: Mapping[str, str]
    front: Front | None = None


class Functions:
    """All functions have the same settings, except that only the sweeper leaves its work to workers.

    With a `project`, they run on FunctionGraph, in that project.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (what functions are made of)
        self,
        settings: dict[str, str],
        credentials: dict[str, str],
        aws: Aws,
        clock: Clock,
        door: Callable[[Environment, Aws], Door],
        project: str = "",
    ) -> None:
        self._project = project
        self.settings = settings
        self._credentials = credentials
        self._aws = aws
        self._clock = clock
        self._door = door
        self._idle: list[Place] = []
        self._all: list[Place] = []
        self._made = 0

    @property
    def on_functiongraph(self) -> bool:
        """Whether the functions run on FunctionGraph."""
        return bool(self._project)

    def take(self, function: str) -> Place:
        """An environment of a function that is free, or a new one."""
        # Another configuration needs another environment.
        for place in [place for place in self._idle if place.settings != self.settings or not place.environment.alive]:
            self._drop(place)
        for place in self._idle:
            if place.function == function:
                self._idle.remove(place)
                return place
        environment = Environment(self._clock, self._made)
        self._made += 1
        door = self._door(environment, self._aws)
        server = Server(door).start()
        front = Front(server).start() if self.on_functiongraph else None
        place = Place(environment, server, door, function, dict(self.settings), front)
        self._all.append(place)
        return place

    def rest(self, place: Place) -> None:
        """Let an environment sleep until it is needed again."""
        if place.environment.alive:
            place.environment.freeze()
        self._idle.append(place)

    def variables(self, place: Place) -> dict[str, str]:
        """The variables of an environment."""
        url = place.server.url
        ours = {name: value for name, value in self.settings.items() if value}
        if place.front:
            return {**functiongraph.variables(self._project, place.front.environment()), **ours}
        if place.function != "sweeper":
            ours.pop("REAPER_FANOUT_QUEUE_URL", None)
        cloud = {} if "REAPER_CREDENTIALS_SECRET" in ours else self._credentials
        there = {name: value.replace(CLOUD, url) for name, value in cloud.items()}
        # Outside Lambda, so that the address at which CloudFormation waits may be one of this machine.
        name = {} if place.function == "stack" else {"AWS_LAMBDA_FUNCTION_NAME": place.function}
        return {**there, **KEYS, **name, "AWS_ENDPOINT_URL": f"{url}{AWS}", **ours}

    def publish(self, password: str) -> None:
        """Give the functions a password; where it stands in a variable, environments are made anew."""
        if self._credentials["OS_PASSWORD"] != password:
            self.retire()
        self._credentials["OS_PASSWORD"] = self._aws.secret["OS_PASSWORD"] = password

    def retire(self) -> None:
        """End the environments that sleep."""
        for place in list(self._idle):
            self._drop(place)

    def close(self) -> None:
        """End all of them."""
        for place in self._all:
            _end(place)

    def _drop(self, place: Place) -> None:
        self._idle.remove(place)
        self._all.remove(place)
        _end(place)


def _end(place: Place) -> None:
    place.environment.close()
    place.door.held.set()
    place.door.wait_until_quiet()
    if place.front:
        place.front.stop()
    place.server.stop()
