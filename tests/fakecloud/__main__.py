"""Run a cloud in a process of its own: `python -m tests.fakecloud --port 0 --seed demo`."""

import argparse
import json
import os
import shlex
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fakecloud import FakeCloud, Server
from tests.fakecloud.api import Answers
from tests.fakecloud.gateway import LIMITS, Gateway
from tests.fakecloud.seeds import BadSeed, read_seed

if TYPE_CHECKING:
    from tests.fakecloud.front import Front

UNSET = """for name in $(env | sed -n 's/^\\(OS_[A-Z_]*\\)=.*/\\1/p'); do unset "$name"; done\n"""
"""For a shell: forget the real cloud, every variable of it."""


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to end; say the address and the variables of a client first."""
    options = _parser().parse_args(arguments)
    cloud = FakeCloud(options.flavour, page_size=options.page_size, delay=options.delay)
    if options.seed:
        _fill(cloud, options.seed)
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    try:
        serving = Server(_behind_a_limit(cloud, options), host=options.host, port=options.port)
    except OSError as exc:
        sys.exit(f"port {options.port}: {exc.strerror}")
    with ExitStack() as stack:
        server = stack.enter_context(serving)
        env = cloud.env(server.url, options.auth)
        if options.front:
            env = stack.enter_context(_front(server)).client_environment() | cloud.signing_env()
        if options.env:
            options.env.write_text(UNSET + "".join(f"export {k}={shlex.quote(v)}\n" for k, v in env.items()), "utf-8")
        line = {"url": server.url, "env": env, "pid": os.getpid()}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        if sys.stderr.isatty():
            hint = f"; for its variables: source {options.env}" if options.env else ""
            print(f"fake cloud: {server.url}, {len(cloud.images)} images{hint}", file=sys.stderr)
        signal.sigwait(ends)
    return 0


def _fill(cloud: FakeCloud, seed: str) -> None:
    try:
        cloud.seed(read_seed(seed))
    except BadSeed as exc:
        sys.exit(f"--seed: {exc}")


def _front(server: Server) -> "Front":
    from tests.fakecloud.front import Front  # noqa: PLC0415 (not every environment has what it needs)

    return Front(server)


def _behind_a_limit(cloud: FakeCloud, options: argparse.Namespace) -> Answers:
    if not options.limit:
        return cloud
    limit = LIMITS[options.limit_kind](options.limit)
    return Gateway(cloud, limit, options.limit_status, options.limit_retry_after)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fakecloud", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    parser.add_argument("--seed", help="a JSON file, or `demo`")
    parser.add_argument("--flavour", choices=("openstack", "otc"), default="openstack")
    parser.add_argument("--auth", choices=("password", "v3applicationcredential", "v3token"), default="password")
    parser.add_argument("--env", type=Path, help="a file to write, that sets the variables of a client in a shell")
    parser.add_argument(
        "--front", action="store_true", help="the real names of hosts, through a proxy; signed requests"
    )
    parser.add_argument("--page-size", type=int, default=1000, help="what a page may hold at most")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that each answer but Keystone's takes")
    parser.add_argument("--limit", type=float, default=0.0, help="requests a second that a gateway lets pass")
    parser.add_argument("--limit-kind", choices=LIMITS, default="bucket", help="how it counts")
    parser.add_argument("--limit-status", type=int, default=429, help="what it answers to the others")
    parser.add_argument("--limit-retry-after", help="the Retry-After of that answer; without, it has none")
    return parser


if __name__ == "__main__":
    sys.exit(main())
