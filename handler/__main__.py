"""The door of a shell: `python -m handler`, or `image-reaper` where the package is installed. `--help` tells it all."""

import sys

from handler.shell.command import main

if __name__ == "__main__":
    sys.exit(main())
