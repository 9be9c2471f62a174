"""What a cold start needs done before anything else is loaded, and after. The doors of engines import it first.

Loading takes most of a cold start. What is loaded is never garbage, but the collector looks through it again and again
while it grows: a twelfth of a cold start.
"""

import gc
import warnings


def begin() -> None:
    """Stop the garbage collection, and silence what requests says where no detector of encodings is installed.

    It does without, and so do we: what we read of services is JSON, or in UTF-8.
    """
    gc.disable()
    warnings.filterwarnings("ignore", "Unable to find acceptable character detection")


def end() -> None:
    """Start the garbage collection again, and keep all that is loaded out of every later one."""
    gc.freeze()
    gc.enable()


begin()
