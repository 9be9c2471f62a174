"""The function before the real services, and a second client that looks at what it left."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any

import pytest

from handler import app
from tests.conftest import Context, Invocation
from tests.contract.backends import Real
from tests.contract.cloud import Cloud
from tests.openstack.lab import Lab
from tests.openstack.process import Service

BYTES = b"x" * 16
"""What `Cloud.add_image` puts into an image."""


class Stage:
    """The function, invoked in this process, as armed as can be unless a setting says otherwise.

    It is cold at first. It stays warm as long as its settings do.
    """

    def __init__(self, lab: Lab, environment: pytest.MonkeyPatch) -> None:
        self.lab = lab
        self.cloud = Cloud(Real(lab))
        self._environment = environment
        self._set: set[str] = set()

    def invoke(
        self, event: object, env: Mapping[str, str] | None = None, output: io.StringIO | None = None, /, **settings: str
    ) -> Invocation:
        """Invoke it with the variables of the reaper or with others; `output` may watch what it prints."""
        self._set_environment({**(env or self.lab.env()), "REAPER_MODE": "delete", **settings})
        printed = output or io.StringIO()
        answer: dict[str, Any] = {}
        error: Exception | None = None
        with redirect_stdout(printed):
            try:
                answer = app.lambda_handler(event, Context())
            except Exception as exc:  # noqa: BLE001 (a test looks at it)
                error = exc
        return Invocation(answer, error, printed.getvalue())

    def outcomes(
        self, images: Sequence[str], env: Mapping[str, str] | None = None, /, **settings: str
    ) -> list[tuple[str, str]]:
        """Outcome and reason of each image."""
        found = self.invoke({"image_ids": list(images)}, env, **settings).outcomes
        return [found[image] for image in images]

    def add_images(self, count: int = 3) -> list[str]:
        return [self.cloud.add_image(f"ci-{number}") for number in range(count)]

    def left(self, images: Sequence[str]) -> list[str]:
        """The images that are still there. Their bytes must be there as well, and those of the others must not."""
        standing = [image for image in images if self.cloud.stands(image)]
        kept = {image: self.lab.store / image for image in images if (self.lab.store / image).exists()}
        assert list(kept) == standing
        assert all(path.read_bytes() == BYTES for path in kept.values())
        return standing

    def _set_environment(self, variables: Mapping[str, str]) -> None:
        for name in self._set - variables.keys():
            self._environment.delenv(name)
        for name, value in variables.items():
            self._environment.setenv(name, value)
        self._set = set(variables)


class Journal(io.StringIO):
    """What the function prints; at its `number`-th announcement of a DELETE something happens, before that is sent."""

    def __init__(self, number: int, event: Callable[[], object]) -> None:
        super().__init__()
        self._number = number
        self._event = event

    def write(self, text: str) -> int:
        if '"image.deleting"' in text:
            self._number -= 1
            if self._number == 0:
                self._event()
        return super().write(text)


@contextmanager
def down(service: Service) -> Iterator[None]:
    """A service that is down, and back at the end."""
    service.stop()
    try:
        yield
    finally:
        service.start()


@contextmanager
def without_database(lab: Lab, service: str, database: str) -> Iterator[None]:
    """A service whose database can't be opened, and is back at the end."""
    running, path = lab.services[service], lab.home / f"{database}.sqlite"
    away = path.with_suffix(".away")
    running.stop()  # else it goes on with the file that it has open
    path.rename(away)
    path.mkdir()
    try:
        running.start()
        yield
    finally:
        running.stop()
        path.rmdir()
        away.rename(path)
        running.start()
