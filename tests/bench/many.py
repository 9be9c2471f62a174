"""Many projects of one fake cloud, and a stand-in for AWS with a secret for each, in a process of their own.

python -m tests.bench.many PROJECTS IMAGES DELAY prints the variables for a worker, and the images of each project; at
the end of its input, how many images are left, and which calls AWS has had.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.bench.cheap_aws import Vault, cheap_aws
from tests.bench.rows import ROOT
from tests.fakecloud import FakeCloud, Server
from tests.projects import Estate


@contextmanager
def many_projects(projects: int, images: int, delay: float) -> Iterator[dict[str, Any]]:
    """So many projects with so many images each: `env`, the variables for a worker, and `images`, by project.

    Each answer of the cloud takes `delay` seconds, and each of AWS a fifth of that. Afterwards, `aws` says which calls
    that had.
    """
    command = [sys.executable, "-m", "tests.bench.many", str(projects), str(images), str(delay)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, cwd=ROOT) as process:  # noqa: S603 (our own)
        assert process.stdout
        assert process.stdin
        told: dict[str, Any] = json.loads(process.stdout.readline())
        yield told
        process.stdin.close()
        left, told["aws"] = json.loads(process.stdout.readline())
        assert left == 0, f"{left} images are left"


def main(projects: int, images: int, delay: float) -> None:
    """Serve until standard input ends; then say how many images are left."""
    cloud = FakeCloud(delay=delay)
    with cheap_aws(delay / 5) as (aws, kept), Server(cloud) as server:
        estate = Estate(cloud, server.url, Vault(kept), aws)
        ids = [estate.add(f"p{number}", images=images) for number in range(projects)]
        print(
            json.dumps({"env": estate.settings, "images": {each: estate.images_of(each) for each in ids}}), flush=True
        )
        sys.stdin.read()
        print(json.dumps([len(cloud.images), kept.calls]), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
