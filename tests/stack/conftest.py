"""The stacks, each made once for all tests, and a function that runs with the environment of one of them."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import Invocation, Invoke
from tests.fakecloud import FakeCloud, Server
from tests.fakecloud.api import Reply, Request
from tests.stack.making import Stack
from tests.stack.resolving import REGION
from tests.stack.server import SECRET_NAME, client, furnish, moto_with_cloudformation, translated
from tests.stack.variants import VARIANTS

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG"}

Run = Callable[..., Invocation]


@pytest.fixture(scope="session")
def aws() -> Iterator[str]:
    """The address of moto's server."""
    with moto_with_cloudformation() as address:
        yield address


@pytest.fixture(scope="session")
def stacks(aws: str) -> dict[str, Stack]:
    secret = {"CredentialsSecretArn": furnish(aws)}
    variants = {name: secret | variant for name, variant in VARIANTS.items()}
    # Side by side: SAM takes a while to load.
    with ThreadPoolExecutor() as pool:
        templates = list(pool.map(translated, variants.values()))
    return {
        name: Stack(template, name, variants[name], aws) for name, template in zip(variants, templates, strict=True)
    }


@pytest.fixture(params=["staging", "full"], ids=["defaults", "full"])
def stack(request: pytest.FixtureRequest, stacks: dict[str, Stack]) -> Stack:
    """Each of the two variants: all defaults, and everything switched on."""
    return stacks[request.param]


@pytest.fixture
def many(stacks: dict[str, Stack]) -> Stack:
    """The one for many projects, with a bucket and a topic that it did not make."""
    return stacks["many"]


@pytest.fixture
def prod(stacks: dict[str, Stack]) -> Stack:
    """The defaults, armed and scheduled."""
    return stacks["prod"]


class Closed:
    """A bucket and a topic that nobody may use."""

    def handle(self, _request: Request) -> Reply:
        return Reply(403, {}, b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>")


@pytest.fixture
def closed() -> Iterator[str]:
    """The address of services that turn everything down."""
    with Server(Closed()) as server:
        yield server.url


@pytest.fixture
def run(invoke_with: Invoke, cloud: FakeCloud, server: Server, aws: str) -> Run:
    """Let a function of a stack run in this process, with the environment that it has in the stack."""
    credentials = {key: value for key, value in cloud.env(server.url).items() if key.startswith("OS_")}
    client("secretsmanager", aws).put_secret_value(SecretId=SECRET_NAME, SecretString=json.dumps(credentials))

    def run_once(
        stack: Stack, function: str, event: object, through: str = aws, told: str = "", **options: float
    ) -> Invocation:
        """Calls of AWS go `through` an address; those of bucket and topic are `told` another one."""
        own = {f"AWS_ENDPOINT_URL_{name}": told for name in ("S3", "SNS")} if told else {}
        environment = stack.environment(function) | KEYS | {"AWS_ENDPOINT_URL": through, "AWS_REGION": REGION} | own
        return invoke_with(event, environment, **options)

    return run_once
