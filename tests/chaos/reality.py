"""The real cloud of a world: Keystone, Glance and Nova on this machine, and the door of the world before them.

The services live by the clock of the machine, and the world by its own, which stands still while nobody waits and jumps
where somebody does. Three things bring the two together. What the services keep is written at the world's time: images
and servers are put into their databases, and where Glance has written down when it changed an image, that is moved to
the world's time as soon as Glance has answered. The header `Date` says the world's time. And Nova compares the moment
since which a client asks for changes with what it has kept. Tokens live by the clock of the machine, as they do on the
fake cloud: the function takes from them only how long they last.

No page of a list is larger than the world wants it. Glance and Nova keep in mind for five minutes that a token was
good: those that were revoked are spoilt on their way, so that every service turns them down at once, as on the fake
cloud. There are no volumes.
"""

import random
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from tests.chaos import plan
from tests.chaos.history import EPOCH, Image, Use
from tests.chaos.owners import Owner, Owners
from tests.chaos.wires import Wires
from tests.contract.asking import sign_in
from tests.contract.backends import Real
from tests.contract.cloud import Cloud
from tests.fakecloud.api import Headers, Reply, Request
from tests.fakecloud.records import time_text
from tests.openstack import Lab
from tests.openstack.images import Belongings, Images, written

SERVICES = ("identity", "image", "compute")
"""The services behind the door, each under its name."""
LISTS = re.compile(r"/image/v2/images|/compute/v2\.1(/[^/]+)?/servers(/detail)?")
IMAGE = re.compile(r"/image/v2/images/([^/]+).*")
SPOILT = "revoked"


class RealLand:
    """A lab, as a cloud of a world."""

    def __init__(self, lab: Lab, images: Images, wires: Wires, page_size: int) -> None:
        self.turn = threading.RLock()
        self.project, self.other = lab.projects["demo"], lab.projects["other"]
        self.images: list[str] = []
        self.page_size = page_size
        self._lab, self._images, self._wires = lab, images, wires
        self._urls = urls_of(lab)
        self._now = EPOCH
        self._password = lab.accounts.passwords["reaper"]
        self._passwords = {self._password}
        self._tokens: set[str] = set()
        self._revoked: set[str] = set()
        self._admin = self._sign_in("admin", "admin")
        owner, neighbour = self._settle("owner"), self._sign_in("neighbour", "other")
        self._owners = {
            self.project: Owners(owner, neighbour, self.other, self._admin),
            self.other: Owners(neighbour, owner, self.project, self._admin),
        }

    def variables(self, url: str) -> dict[str, str]:
        return {**self._lab.env(), "OS_AUTH_URL": f"{url}/identity/v3", "OS_PASSWORD": self._password}

    def answer(self, request: Request) -> Reply:
        service, _, path = request.path[1:].partition("/")
        if service not in SERVICES:
            return Reply(404)
        query = self._query(request)
        image = IMAGE.fullmatch(request.path) if request.method != "GET" else None
        changed = self._images.changed_at(image[1]) if image else ""
        target = f"/{path}?{query}" if query else f"/{path}"
        reply = self._wires.send(service, request.method, target, self._headers(request), request.body)
        if image:
            self._move(image[1], changed)
        return self._told(reply, request)

    def set_time(self, now: datetime) -> None:
        self._now = now

    def image(self, image_id: str) -> Image | None:
        row = self._images.get(image_id)
        return None if row is None else _seen(row)

    def add_image(self, image_id: str, fields: Mapping[str, Any]) -> str:
        given = {"visibility": "private", "owner": self.project, "status": "active", "protected": False, **fields}
        made = written(self._now - timedelta(hours=given.pop("age", 0)))
        belongings = Belongings(*(given.pop(name, none) for name, none in Belongings()._asdict().items()))
        self._images.add(image_id, {**given, "created_at": made, "updated_at": made}, belongings)
        self.images.append(image_id)
        return image_id

    def change(self, image_id: str, what: str, detail: str) -> None:
        row = self._images.get(image_id)
        if row is None:
            return
        self._owners[row["owner"]].change(row, what, detail)
        self._move(image_id, str(row["updated_at"]))

    def uses(self) -> dict[tuple[str, str], Use]:
        return {
            ("server", one.id): Use("server", one.id, one.project, one.image or None, one.taken_up)
            for one in self._lab.standing_servers()
        }

    def add_server(self, server_id: str, image: str, *, taken_up: bool) -> None:
        name = f"web-{server_id[:4]}"
        self._lab.add_server(name, image=image, taken_up=taken_up, server_id=server_id, now=self._now)

    def add_volume(self, volume_id: str, image: str) -> None:
        """There are none."""

    def remove(self, kind: str, thing_id: str) -> None:
        assert kind == "server"
        self._lab.delete_server(thing_id, self._now)

    def rebuild(self, server_id: str, image: str) -> None:
        self._lab.rebuild_server(server_id, image, self._now)

    def revoke(self) -> None:
        self._revoked |= self._tokens

    def rotate(self, password: str) -> None:
        """Give the function's user another password; Keystone ends its tokens itself.

        It counts them by seconds: a token that is made in the same second, with the new password, ends as well. So that
        second is waited for.
        """
        found = self._admin.ask("GET", "/v3/users?name=reaper", service="identity")
        user = _json(found)["users"][0]["id"]
        self._admin.ask("PATCH", f"/v3/users/{user}", {"user": {"password": password}}, service="identity")
        self._password = password
        self._passwords.add(password)
        self.revoke()
        time.sleep(1.0 - time.time() % 1.0)

    def agency(self) -> tuple[str, ...]:
        return ()

    def secrets(self) -> set[str]:
        return self._passwords | self._tokens

    def _headers(self, request: Request) -> Mapping[str, str]:
        """The headers as they go on: with a token that nobody knows instead of one that was revoked."""
        if request.headers.get("X-Auth-Token") in self._revoked:
            return Headers({**request.headers, "x-auth-token": SPOILT})
        return request.headers

    def _query(self, request: Request) -> str:
        """The query as it goes on: no page is larger than the world wants it."""
        if request.method != "GET" or not LISTS.fullmatch(request.path):
            return request.query
        limit = re.search(r"(?:^|(?<=&))limit=(\d+)", request.query)
        if limit is None:
            return "&".join([*filter(None, [request.query]), f"limit={min(25, self.page_size)}"])
        return (
            f"{request.query[: limit.start()]}limit={min(int(limit[1]), self.page_size)}{request.query[limit.end() :]}"
        )

    def _told(self, reply: Reply, request: Request) -> Reply:
        """The answer as it comes back: at the world's time, and with addresses that lead through the door."""
        headers = Headers(reply.headers)
        if token := headers.get("X-Subject-Token"):
            self._tokens.add(token)
        body = reply.body
        for service, url in self._urls.items():
            body = body.replace(url.encode(), f"{request.base}/{service}".encode())
        date = format_datetime(self._now.astimezone(UTC), usegmt=True)
        return replace(reply, headers={**reply.headers, "Date": date}, body=body)

    def _move(self, image_id: str, before: str) -> None:
        """Move a change that Glance has just written down to the world's time."""
        if before and self._images.changed_at(image_id) not in {"", before}:
            self._images.set_changed_at(image_id, self._now)

    def _sign_in(self, user: str, project: str) -> Owner:
        return Owner(self._wires, sign_in(self._lab.env(user=user, project=project)).headers["X-Subject-Token"])

    def _settle(self, name: str) -> Owner:
        """Let somebody else than the function live in its project, whose tokens no rotation ends."""
        password = f"{random.SystemRandom().getrandbits(128):x}"
        account = {"user": {"name": name, "password": password, "domain_id": "default"}}
        user = _json(self._admin.ask("POST", "/v3/users", account, service="identity"))["user"]["id"]
        roles = _json(self._admin.ask("GET", "/v3/roles?name=member", service="identity"))["roles"]
        role = f"/v3/projects/{self.project}/users/{user}/roles/{roles[0]['id']}"
        self._admin.ask("PUT", role, service="identity")
        env = {**self._lab.env(), "OS_USERNAME": name, "OS_PASSWORD": password}
        return Owner(self._wires, sign_in(env).headers["X-Subject-Token"])


def _json(reply: Reply) -> Any:  # noqa: ANN401 (JSON may be anything)
    return Request("", "", body=reply.body).json()


def _seen(row: Mapping[str, Any]) -> Image:
    return Image(
        id=row["id"],
        name=row["name"],
        owner=row["owner"],
        visibility=row["visibility"],
        status=row["status"],
        protected=bool(row["protected"]),
        tags=tuple(row["tags"]),
        size=row["size"],
        created_at=_shown(row["created_at"]),
        updated_at=_shown(row["updated_at"]),
        checksum=row["checksum"],
        properties=row["properties"],
        members=row["members"],
    )


def _shown(text: str) -> str:
    return time_text(datetime.fromisoformat(text).replace(tzinfo=UTC))


def urls_of(lab: Lab) -> dict[str, str]:
    """The addresses of the services behind the door."""
    return {service: lab.services[service].url for service in SERVICES}


@contextmanager
def real_land(page_size: int = 1000) -> Iterator[RealLand]:
    """A real cloud that nobody has used yet."""
    with Lab() as lab:
        cloud = Cloud(Real(lab))
        pattern = cloud.add_image(user="neighbour", tags=["pattern"], visibility="shared", pattern="yes")
        cloud.share(pattern, accept=False)
        with closing(lab.open_images(pattern)) as images, closing(Wires(urls_of(lab))) as wires:
            cloud.clear()
            yield RealLand(lab, images, wires, page_size)


def real_cast(seed: int, concurrency: int = 1) -> plan.Step:
    """The cast of a seed on a real cloud: Glance's API, and no volumes."""
    cast = plan.cast(seed, concurrency)
    settings = cast["settings"] | {"REAPER_IMAGE_API": "glance", "REAPER_IN_USE_ALSO": ""}
    return cast | {"api": "glance", "flavour": "openstack", "volumes": False, "settings": settings}
