"""The door of a shell: `python -m handler`, or `image-reaper` where the package is installed. `--help` tells it all."""

import _signal  # type: ignore[import-not-found]  # what `signal` is made of
import os
import sys
from contextlib import suppress


def main() -> int:
    """Run the command of this process; returns the exit code."""
    # Ctrl-C ends the process without a word, until it is heeded: even what heeds it takes time to be loaded, and so
    # does `signal`. Under `nohup` and its like, the signal stays ignored.
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    from handler.shell.runs.signals import Signals  # noqa: PLC0415 (see above)

    signals = Signals()
    signals.heed()
    # What is imported takes longer than many a command: Ctrl-C must be heeded by then.
    from handler.shell.command import main as command  # noqa: PLC0415 (see above)

    code = command(signals=signals)
    signals.end()
    if signals.is_at_once:
        # Python would wait for the threads that still wait for the cloud.
        with suppress(OSError):
            sys.stdout.flush()
        os._exit(code)
    return code


if __name__ == "__main__":
    sys.exit(main())
