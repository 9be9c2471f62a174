"""A fake cloud whose list of images is made while it is read: `python -m tests.bench.million COUNT SELECTED`.

Everything but the list is the fake cloud's. The list holds COUNT images that nobody has in memory, in the words of
Glance: the first SELECTED are `ci-N`, the rest `web-F-N` in FAMILIES families. A page is put together from pieces of
text in a small part of the time that reading it takes, so that what is measured is the reader. As with the real one,
a marker stands for a place in the list.
"""

import json
import os
import signal
import sys
from urllib.parse import parse_qs

from tests.fakecloud import DEMO, FakeCloud, Server
from tests.fakecloud.api import Reply, Request, json_reply
from tests.fakecloud.wire import glance_image

PAGE = 1000
FAMILIES = 200
OLD = "2026-01-01T00:00:00Z"
LIST = "/image/v2/images"
START = "6cad483b-e281-4985-a345-"


class Million(FakeCloud):
    """The fake cloud with the long list."""

    def __init__(self, count: int, selected: int) -> None:
        super().__init__()
        self._count, self._selected = count, selected
        shape = self.images.pop(self.add_image("NAME", id=f"{START}NUMBER", created_at=OLD))
        self._shape = json.dumps(glance_image(shape))

    def handle(self, request: Request) -> Reply:
        """Answer a request; those for the list are not remembered."""
        if request.method != "GET" or request.path != LIST:
            return super().handle(request)
        asked = parse_qs(request.query)
        if "os_hidden" in asked:
            return json_reply({"images": []})
        return Reply(200, {"Content-Type": "application/json"}, self._page(asked.get("marker", [""])[0]))

    def _page(self, marker: str) -> bytes:
        start = int(marker.removeprefix(START), 16) + 1 if marker else 0
        end = min(start + PAGE, self._count)
        images = ", ".join(map(self._image, range(start, end)))
        more = f', "next": "/v2/images?marker={START}{end - 1:012x}"' if end - start == PAGE else ""
        return f'{{"images": [{images}], "first": "/v2/images", "schema": "/v2/schemas/images"{more}}}'.encode()

    def _image(self, number: int) -> str:
        name = f"ci-{number}" if number < self._selected else f"web-{number % FAMILIES}-{number}"
        return self._shape.replace("NAME", name).replace("NUMBER", f"{number:012x}")


def main() -> None:
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    cloud = Million(*map(int, sys.argv[1:]))
    with Server(cloud) as server:
        sys.stdout.write(json.dumps({"env": cloud.env(server.url), "project": DEMO, "pid": os.getpid()}) + "\n")
        sys.stdout.flush()
        signal.sigwait(ends)


if __name__ == "__main__":
    main()
