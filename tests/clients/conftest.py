"""Each test has a cloud of its own behind a real port; all tests share one process of clients."""

import json
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest

from tests.clients.programs import Programs, Told
from tests.fakecloud import FakeCloud, Server
from tests.fakecloud.front import Front
from tests.fakecloud.keys import Key

Run = Callable[..., Told]
Call = Callable[..., Any]
HOSTS = {"ims": "v2", "ecs": "v2", "evs": "v2", "as": "v1"}
DOMAINS = {"otc": "otc.t-systems.com", "huawei": "myhuaweicloud.com"}


@pytest.fixture(scope="session")
def programs() -> Iterator[Programs]:
    with Programs() as running:
        yield running


@pytest.fixture(params=["openstack", "otc"])
def cloud(request: pytest.FixtureRequest) -> FakeCloud:
    flavour: Literal["openstack", "otc"] = request.param
    return FakeCloud(flavour)


@pytest.fixture
def server(cloud: FakeCloud) -> Iterator[Server]:
    with Server(cloud) as running:
        yield running


@pytest.fixture
def openstack(programs: Programs, cloud: FakeCloud, server: Server) -> Run:
    """Run `openstack` with the variables of the cloud."""
    return lambda *words: programs.run("openstack", *words, environment=cloud.env(server.url))


@pytest.fixture
def glance(programs: Programs, cloud: FakeCloud, server: Server) -> Run:
    """Run `glance`. It looks for the version at `/versions`, which IMS does not have, so it is told the version."""
    version = ("--os-image-api-version", "2") if cloud.flavour == "otc" else ()
    return lambda *words: programs.run("glance", *version, *words, environment=cloud.env(server.url))


@pytest.fixture
def otcextensions(programs: Programs, cloud: FakeCloud, server: Server) -> Call:
    """Call a method of a connection; returns the result as JSON."""

    def call(path: str, *arguments: object, **named: object) -> Any:  # noqa: ANN401 (JSON may be anything)
        words = (path, json.dumps(arguments), json.dumps(named))
        return programs.run("otcextensions", *words, environment=cloud.env(server.url)).json

    return call


@pytest.fixture
def front(server: Server) -> Iterator[Front]:
    with Front(server) as running:
        yield running


@pytest.fixture
def huawei(programs: Programs, cloud: FakeCloud, front: Front) -> Run:
    """Call a method of a Huawei SDK, whose request has these fields; it asks the real name of the host."""

    def call(
        service: str,
        method: str,
        *,
        at: Literal["otc", "huawei"] = "otc",
        signed_with: Key | None = None,
        **fields: object,
    ) -> Told:
        request = {"class": "".join(map(str.capitalize, method.split("_"))) + "Request", **fields}
        host = f"https://{service}.eu-de.{DOMAINS[at]}"
        environment = front.client_environment() | cloud.signing_env(signed_with, cloud=at)
        words = (service, HOSTS[service], method, host, json.dumps(request))
        return programs.run("huawei", *words, environment=environment)

    return call
