"""Keystone, Glance and Nova on this machine, for as long as a `with` lasts."""

import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from tests.openstack import config
from tests.openstack.config import GUARDED, REGION, Settings
from tests.openstack.images import Images
from tests.openstack.postgres import Postgres
from tests.openstack.process import Port, Service
from tests.openstack.seed import kept_seed, make_image_database, plant
from tests.openstack.servers import (
    Standing,
    add_server,
    delete_server,
    rebuild_server,
    remove_servers,
    standing_servers,
)

APPLICATIONS = {
    "network": "no_network",
    "identity": "keystone.wsgi.api",
    "image": "glance.wsgi.api",
    "compute": "nova.wsgi.osapi_compute",
}
Auth = Literal["password", "v3applicationcredential"]


class Lab:
    """The real services, each on a port of its own, with databases of their own.

    `services` are started, stopped and restarted one by one. They end with this process, however it ends. With
    `postgres`, Glance keeps its records there: then what it writes, it writes side by side. `guarded` puts a volume
    service into it, which like the network has nothing, and both behind the middleware of real services.
    """

    def __init__(self, *, threads: int = 4, workers: int = 1, postgres: bool = False, guarded: bool = False) -> None:
        self._seed = kept_seed()
        self.accounts = self._seed.accounts
        self.projects = self.accounts.projects
        applications = APPLICATIONS | (dict.fromkeys(GUARDED, "guarded") if guarded else {})
        self._ports = {name: Port() for name in applications}
        self.home = Path(tempfile.mkdtemp(prefix="image-reaper-openstack-"))
        numbers = {name: port.number for name, port in self._ports.items()}
        self._postgres = Postgres("glance") if postgres else None
        database = self._postgres.url if self._postgres else ""
        self._settings = Settings(self.home, numbers, self.accounts.service_password, image_database=database)
        self.services = {
            name: Service(name, application, self.home, self._ports[name], (workers if name == "image" else 1, threads))
            for name, application in applications.items()
        }

    @property
    def identity(self) -> Service:
        return self.services["identity"]

    @property
    def image(self) -> Service:
        return self.services["image"]

    @property
    def compute(self) -> Service:
        return self.services["compute"]

    @property
    def store(self) -> Path:
        """The folder in which Glance keeps the data: one file an image, named by its id."""
        return self.home / "images"

    def start(self) -> Self:
        """Start all services side by side, and return once each of them serves."""
        try:
            plant(self._seed, self._settings)
            if self._postgres:
                self._postgres.start()
                make_image_database(self._settings)
            for service in self.services.values():
                service.launch()
            for service in self.services.values():
                service.await_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop all services and remove what they left."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(Service.stop, self.services.values()))
        if self._postgres:
            self._postgres.stop()
        for port in self._ports.values():
            port.release()
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def configure(self, *, token_seconds: int = 3600, token_cache_seconds: int = 300) -> None:
        """Change how long tokens live, and how long services trust one unasked; true from a restart on."""
        config.write(replace(self._settings, token_seconds=token_seconds, token_cache_seconds=token_cache_seconds))

    def env(self, auth: Auth = "password", *, user: str = "reaper", project: str = "demo") -> dict[str, str]:
        """The `OS_*` variables with which a client comes in."""
        shared = {"OS_AUTH_URL": f"{self.identity.url}/v3", "OS_AUTH_TYPE": auth, "OS_REGION_NAME": REGION}
        if auth == "v3applicationcredential":
            return {
                **shared,
                "OS_APPLICATION_CREDENTIAL_ID": self.accounts.credential_id,
                "OS_APPLICATION_CREDENTIAL_SECRET": self.accounts.credential_secret,
            }
        return {
            **shared,
            "OS_USERNAME": user,
            "OS_PASSWORD": self.accounts.passwords[user],
            "OS_USER_DOMAIN_NAME": "Default",
            "OS_PROJECT_NAME": project,
            "OS_PROJECT_DOMAIN_NAME": "Default",
        }

    def add_server(  # noqa: PLR0913 (a server has that many fields)
        self,
        name: str = "web-1",
        *,
        image: str | None = None,
        project: str = "demo",
        taken_up: bool = True,
        server_id: str | None = None,
        now: datetime | None = None,
    ) -> str:
        """Put a server into Nova's databases; without an image it was booted from a volume.

        `now` is the time that it, and what happens to it, is written down with, if it is not that of the clock.
        """
        whose = self.projects[project]
        return add_server(self._settings, name, image or "", whose, taken_up=taken_up, server_id=server_id, now=now)

    def rebuild_server(self, server_id: str, image: str, now: datetime | None = None) -> None:
        """Let a server be made of another image."""
        rebuild_server(self._settings, server_id, image, now)

    def delete_server(self, server_id: str, now: datetime | None = None) -> None:
        """Let a server be deleted."""
        delete_server(self._settings, server_id, now)

    def standing_servers(self) -> list[Standing]:
        """The servers that Nova's database has."""
        return standing_servers(self._settings)

    def open_images(self, pattern: str) -> Images:
        """Open Glance's database, to copy an image with data, a tag, a property and a member there."""
        return Images(self._settings.database("glance"), self.store, pattern)

    def remove_servers(self) -> None:
        """Let there be no servers."""
        remove_servers(self._settings)
