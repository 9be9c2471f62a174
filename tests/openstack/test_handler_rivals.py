import json
import subprocess
import sys
from pathlib import Path
from threading import Barrier
from typing import Any

from handler.model.image import EXPECTABLE
from tests.openstack.gate import SECONDS, Forward, Gate, Passage
from tests.openstack.stage import Journal, Stage

ROOT = Path(__file__).parents[2]


def start(env: dict[str, str], event: Path) -> subprocess.Popen[bytes]:
    """The function in a process of its own, as Lambda runs a second one beside the first."""
    command = [sys.executable, "-m", "handler", str(event), "--json"]
    nobody, pipe = subprocess.DEVNULL, subprocess.PIPE  # at a terminal, somebody would be asked
    return subprocess.Popen(command, cwd=ROOT, env=env, stdin=nobody, stdout=pipe, stderr=pipe)  # noqa: S603 (ours)


def test_of_two_invocations_that_send_each_delete_at_once_one_deletes_the_image(stage: Stage, tmp_path: Path) -> None:
    images = stage.add_images(20)
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"image_ids": images}))
    both = Barrier(2)

    def way(method: str, forward: Forward) -> Passage | None:
        if method == "DELETE":
            both.wait(SECONDS)
        return forward()

    with Gate(stage.lab.image.url, way) as gate:
        settings = {"REAPER_MODE": "delete", "REAPER_CONCURRENCY": "1", "REAPER_IMAGE_ENDPOINT": gate.url}
        rivals = [start(stage.lab.env() | settings, event) for _ in range(2)]
        reports = [json.loads(rival.communicate()[0]) for rival in rivals]
    assert [one.method for one in gate.passed].count("DELETE") == 2 * len(images)
    told = [[(o["outcome"], o["reason"]) for o in report["outcomes"]] for report in reports]
    assert all(sorted(pair) == [("already_gone", ""), ("deleted", "")] for pair in zip(*told, strict=True))
    assert [rival.returncode for rival in rivals] == [0, 0]
    assert stage.left(images) == []


def test_an_image_that_another_client_deletes_just_before_us_is_already_gone(stage: Stage) -> None:
    (image,) = stage.add_images(1)
    journal = Journal(1, lambda: stage.cloud.glance("DELETE", f"/{image}"))
    assert stage.invoke({"image_ids": [image]}, None, journal).outcomes == {image: ("already_gone", "")}
    assert stage.left([image]) == []


def test_an_image_that_its_owner_protects_just_before_our_delete_is_refused(stage: Stage) -> None:
    (image,) = stage.add_images(1)
    change = [{"op": "replace", "path": "/protected", "value": True}]
    journal = Journal(1, lambda: stage.cloud.glance("PATCH", f"/{image}", patch=change))
    assert stage.invoke({"image_ids": [image]}, None, journal).outcomes == {image: ("refused", "protected")}
    assert stage.left([image]) == [image]


OTHERWISE: dict[str, Any] = {"size": 17, "protected": True, "tags": ["another"], "visibility": "public"}
"""Values that an image does not have, where any text would not do."""


def test_of_images_whose_expectations_glance_itself_named_only_the_unchanged_one_goes(stage: Stage) -> None:
    images = stage.add_images(1 + len(EXPECTABLE))
    wanted: list[dict[str, Any]] = []
    for image, changed in zip(images, ("", *EXPECTABLE), strict=True):
        record = stage.cloud.glance("GET", f"/{image}").body
        expect = {field: record[field] for field in EXPECTABLE}
        if changed:
            expect[changed] = OTHERWISE.get(changed, f"not {expect[changed]}")
        wanted.append({"id": image, "expect": expect})
    done = stage.invoke({"images": wanted})
    assert [done.outcomes[image] for image in images] == [("deleted", ""), *[("refused", "changed")] * len(EXPECTABLE)]
    told = [outcome["detail"].split(" is ")[0] for outcome in done.answer["outcomes"][1:]]
    assert told == list(EXPECTABLE)
    assert stage.left(images) == images[1:]


def test_an_image_that_was_renamed_after_it_was_rehearsed_stays(stage: Stage) -> None:
    images = stage.add_images(2)
    plan = stage.invoke({"image_ids": images, "dry_run": True}).answer["plan"]
    change = [{"op": "replace", "path": "/name", "value": "gold"}]
    assert stage.cloud.glance("PATCH", f"/{images[1]}", patch=change).status == 200
    assert stage.invoke(plan).outcomes == {images[0]: ("deleted", ""), images[1]: ("refused", "changed")}
    assert stage.left(images) == images[1:]
