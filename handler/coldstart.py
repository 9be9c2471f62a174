"""What makes a cold start faster, before anything else is loaded and after. The doors import it first.

Loading takes most of a cold start. What is loaded is never garbage, but the collector looks through it again and again
while it grows, which takes a twelfth of a cold start.
"""

import gc
import os
import warnings


def begin() -> None:
    """Stop garbage collection, the search for what nobody has installed, and a warning of requests."""
    gc.disable()
    # pydantic would look for plugins in every package, and zoneinfo, which it loads and nothing of ours uses, for time
    # zones in all that Python was built with. Together that takes a fortieth of a cold start.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    os.environ.setdefault("PYTHONTZPATH", "/usr/share/zoneinfo")
    # The artifact has no such detector, since none is needed: what services send is JSON, or is read as UTF-8.
    warnings.filterwarnings("ignore", "Unable to find acceptable character detection")


def end() -> None:
    """Start garbage collection again, less often, and keep everything that is loaded out of every later one."""
    # Frozen first, so that not even the first collection looks through it.
    gc.freeze()
    # A page of a list is some thousand objects that live until the next one: looked through while they are there, they
    # cost a tenth of a sweep.
    gc.set_threshold(10_000)
    gc.enable()


begin()
