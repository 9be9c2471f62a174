"""The root module of the zip for FunctionGraph: makes sure that the zip's own packages are loaded, and loads the door.

The runtime brings packages of its own, among them older versions of ours (requests, idna, typing_extensions ...), our
packages' twins. It is not documented which of the two is loaded, and with an old one our code would not start. So this
folder goes first on the path, and modules that the runtime has imported from a twin are forgotten: our code then
imports those of the zip.

This does the runtime no harm. It keeps the modules that it has: they are just no longer found by their names. What it
imports later comes from the zip, and is newer. A library of a twin that is not Python is not loaded a second time,
since ours is another file. What is not in this folder is left alone.
"""

import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

# The folder of this file, and not RUNTIME_CODE_ROOT, which says where the code should be, not where it is. Resolved
# at once: the path of this file may be relative, and the working directory may change.
ROOT = Path(__file__).resolve().parent


def prefer(root: Path) -> None:
    """Make sure that what a folder holds is imported from there; raises ImportError if something is in the way."""
    path = str(root)
    sys.path[:] = [path, *(place for place in sys.path if place != path)]
    ours = packages(root)
    foreign = {name for name in ours if name in sys.modules and not is_inside(root, sys.modules[name])}
    for name in list(sys.modules):
        if name.partition(".")[0] in foreign:
            del sys.modules[name]
    for name in sorted(ours):
        # A finder of the runtime that comes before the path may still find another package of that name.
        place = getattr(find_spec(name), "origin", None)
        if not place or not Path(place).resolve().is_relative_to(root):
            message = f"image-reaper needs its own {name}, and the runtime gives {place}"
            raise ImportError(message)


def packages(root: Path) -> set[str]:
    """The names of the packages and modules in a folder."""
    parts = (path for path in root.iterdir() if (path / "__init__.py").exists() or path.suffix == ".py")
    return {path.stem for path in parts} - {Path(__file__).stem}


def is_inside(root: Path, module: ModuleType | None) -> bool:
    """Whether a module was loaded from a folder; a module without a file was not."""
    file = getattr(module, "__file__", None)
    return bool(file) and Path(str(file)).resolve().is_relative_to(root)


prefer(ROOT)

from handler.functiongraph import handler, initializer  # noqa: E402 (only now does it get our packages)

__all__ = ["handler", "initializer"]
