"""The bucket of the reports and the topic of the notices of a world, as far as a function and its people use them."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from tests.chaos.faulty import BUCKET, XML
from tests.chaos.history import History, Moment
from tests.fakecloud.api import Reply, Request

Step = Mapping[str, Any]
MISSING = "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"
PUBLISHED = "<PublishResponse><PublishResult><MessageId>94f20ce6-13c5</MessageId></PublishResult></PublishResponse>"
NOWHERE = "0" * 64
"""The digest of no plan."""


class Bucket:
    """Objects that are kept as they were put; every version of each is in the history."""

    def __init__(self, history: History, now: Callable[[], Moment]) -> None:
        self._history = history
        self._now = now

    def answer(self, request: Request) -> Reply:
        """Carry out a request of S3."""
        key = unquote(request.path).removeprefix(BUCKET)
        if request.method == "PUT":
            self.put(key, request.body)
            return Reply(200, {"ETag": '"0"'})
        content = self._content(key)
        if content is None:
            return Reply(404, {"Content-Type": XML}, MISSING.encode())
        return Reply(200, {"Content-Type": "application/json", "ETag": '"0"'}, content)

    def put(self, key: str, content: bytes | None) -> None:
        """Let an object be so from now on; None if it is gone."""
        self._history.objects.setdefault(key, []).append((self._now(), content))

    def named(self, step: Step, project: str) -> dict[str, str]:
        """How a plan is named to whoever shall carry it out, by its number from the newest on."""
        plans = [key for key in self._history.objects if "/plan-" in key]
        key = plans[-1 - step["plan"] % len(plans)] if plans else f"runs/2031-05-17/{project}/none/plan-{NOWHERE}.json"
        digest = _digest_in(key)
        if step.get("wrong"):
            key = key.replace(digest, NOWHERE)
            digest = NOWHERE if step["wrong"] == "key" else digest
        return {"plan": key, "sha256": digest}

    def alter(self, step: Step) -> None:
        """Do as somebody who may write to the bucket, with a plan by its number."""
        plans = [key for key in self._history.objects if "/plan-" in key and self._content(key) is not None]
        if not plans:
            return
        key = plans[-1 - step["plan"] % len(plans)]
        content = self._content(key) or b""
        if step["how"] == "remove":
            self.put(key, None)
        elif step["how"] == "cut":
            self.put(key, content[: len(content) // 2])
        elif step["how"] == "restore":
            self.put(key, self._history.objects[key][0][1])
        else:
            self._rewrite(key, content, step)

    def _rewrite(self, key: str, content: bytes, step: Step) -> None:
        """Write another plan: over the one that is there, or beside it, under the name that it must have."""
        try:
            plans = json.loads(content)["plans"]
        except ValueError:
            return
        if step["how"] == "far":
            plans[0]["not_after"] = "2099-01-01T00:00:00+00:00"
        else:
            planned = {image["id"] for image in plans[0]["images"]}
            living = [one for one, known in self._history.images.items() if known[-1][1].alive and one not in planned]
            strangers = living[-1 - step.get("image", 0) % 9 :][:2]
            plans[0]["images"] += [{"id": image_id} for image_id in strangers]
        written = json.dumps({"plans": plans}).encode()
        is_beside = step["how"] in {"far", "beside"}
        self.put(key.replace(_digest_in(key), hashlib.sha256(written).hexdigest()) if is_beside else key, written)

    def _content(self, key: str) -> bytes | None:
        versions = self._history.objects.get(key)
        return versions[-1][1] if versions else None


def _digest_in(key: str) -> str:
    return key.rpartition("/plan-")[2].removesuffix(".json")


def published(_: Request) -> Reply:
    """What SNS answers to a notice."""
    return Reply(200, {"Content-Type": XML}, PUBLISHED.encode())
