"""Becomes bash, so that a test can have a script at a terminal of its own: `python -m tests.bash SCRIPT`."""

import os
import shutil
import sys

if __name__ == "__main__":
    bash = shutil.which("bash") or "/bin/bash"
    os.execv(bash, [bash, *sys.argv[1:]])  # noqa: S606 (a script of our own)
