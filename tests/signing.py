"""A function that signs its requests, before a fake cloud that stands under the names of a real one."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

import pytest

from handler.cloud.identity.signing.access import Keys, Signing
from handler.compose import warm
from handler.compose.projects import reach
from handler.compose.projects.kept import Access
from handler.config.settings import Settings
from tests.conftest import Invocation, Invoke
from tests.fakecloud import DEMO, FakeCloud, Server
from tests.fakecloud.front import Front
from tests.fakecloud.keys import Key


def keys_of(key: Key) -> Keys:
    """A key as the handler knows it."""
    return Keys(key.access, key.secret, key.token)


@dataclass(eq=False)
class Agency:
    """What a runtime gives: keys that it may replace at any time."""

    keys: Keys
    asked: int = 0

    def __call__(self) -> Keys:
        self.asked += 1
        return self.keys


@dataclass
class Signatory:
    """A function that signs. With an `agency`, its keys come from there, and else from the settings."""

    cloud: FakeCloud
    server: Server
    front: Front
    invoke: Invoke
    agency: Agency | None = None

    def access(
        self, settings: Settings, rotate: warm.Rotate, distrust: warm.Distrust
    ) -> AbstractContextManager[Access]:
        """The connections and the identity of a warm environment."""
        if self.agency and isinstance(settings.proof, Signing):
            settings = settings.model_copy(update={"proof": replace(settings.proof, keys=self.agency)})
        return warm.access_to_cloud(settings, rotate, distrust)

    def reap(self, *image_ids: str, key: Key | None = None, project: str = DEMO, **changed: str) -> Invocation:
        """Let images be deleted."""
        return self.carry_out({"image_ids": list(image_ids)}, key=key, project=project, **changed)

    def reap_with(self, settings: Mapping[str, str], *image_ids: str) -> Invocation:
        """Let images be deleted, with settings that win over the usual ones."""
        usual = {**self.cloud.signing_env(), **self.front.environment(), "REAPER_MODE": "delete"}
        return self.invoke({"image_ids": list(image_ids)}, {**usual, **settings})

    def carry_out(self, event: object, *, key: Key | None = None, project: str = DEMO, **changed: str) -> Invocation:
        """Invoke the function, armed."""
        signed = self.cloud.signing_env(key, project=project) | self.front.environment()
        return self.invoke(event, signed | {"REAPER_MODE": "delete"} | changed)


@contextmanager
def signing(cloud: FakeCloud, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> Iterator[Signatory]:
    """A function that signs, before a cloud."""
    for name in ("https_proxy", "no_proxy", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    with Server(cloud) as server, Front(server) as front:
        signatory = Signatory(cloud, server, front, invoke)
        monkeypatch.setattr(reach, "access_to_cloud", signatory.access)
        yield signatory
