"""openstacksdk, a peer's own client, run in the environment of the services: it is none of our dependencies."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import TypedDict

from tests.openstack.process import INSIDE, PYTHON


class Verdict(TypedDict):
    """What it said; see `inside/referee.py`."""

    results: dict[str, str]
    left: list[str]
    seconds: float
    cpu: float


def ask(env: Mapping[str, str], images: Sequence[str] = (), *, find: bool = False) -> Verdict:
    """Let it delete images, each perhaps looked up first, and list what is left then."""
    done = subprocess.run(  # noqa: S603 (every word of it is ours)
        [str(PYTHON), str(INSIDE / "referee.py"), *(["find"] if find else [])],
        env={"PATH": os.environ["PATH"], "OS_CLIENT_CONFIG_FILE": os.devnull, "no_proxy": "127.0.0.1", **env},
        input=json.dumps(list(images)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    verdict: Verdict = json.loads(done.stdout)
    return verdict
