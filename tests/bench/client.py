"""The client of OpenStack, which somebody would take in place of ours: what its mere start takes."""

import subprocess
import time

from tests.bench.rows import ROOT

CLIENT = (str(ROOT / ".venv-bench/bin/openstack"), "--version")


def client_start() -> float:
    """Seconds that OpenStack's own client takes to say its version."""
    start = time.perf_counter()
    subprocess.run(CLIENT, check=True, capture_output=True)  # noqa: S603 (our own command)
    return time.perf_counter() - start
