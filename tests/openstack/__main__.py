"""Run real Keystone, Glance and Nova until told to end: `python -m tests.openstack`; Glance `--on-postgres`."""

import json
import os
import signal
import sys

from tests.openstack import Lab


def main() -> int:
    """Say the variables of a client as one line of JSON, as `tests.fakecloud` does, and serve."""
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with Lab(postgres="--on-postgres" in sys.argv) as lab:
        signal.pthread_sigmask(signal.SIG_BLOCK, ends)
        urls = {name: service.url for name, service in lab.services.items()}
        line = {"urls": urls, "env": lab.env(), "store": str(lab.store), "pid": os.getpid()}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        signal.sigwait(ends)
    return 0


if __name__ == "__main__":
    sys.exit(main())
