"""The door of a shell: `python -m handler`, or `image-reaper` where the package is installed. `--help` tells it all."""

import os
import sys

from handler.shell.runs.signals import Signals


def main() -> int:
    """Run the command of this process; returns the exit code."""
    signals = Signals()
    signals.heed()
    # What is imported takes longer than many a command: Ctrl-C must be heeded by then.
    from handler.shell.command import main as command  # noqa: PLC0415 (see above)

    code = command(signals=signals)
    signals.end()
    if signals.is_at_once:
        # Python would wait for the threads that still wait for the cloud.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


if __name__ == "__main__":
    sys.exit(main())
