"""The root module of the zip for FunctionGraph: makes sure that the zip's own packages are loaded, and loads the door.

The runtime brings packages of its own, among them old twins of ours (requests, idna, typing_extensions ...). Which of
a pair would be loaded is not documented, and with an old one nothing of ours would start. So this folder goes first on
the path, and what the runtime has imported of such a twin is forgotten: our code then imports the zip's.

The runtime is not harmed by that. It keeps the modules that it has, which are only no longer found by their names; what
it imports later, it gets from us, which is newer. A library of a twin that is not Python is not loaded a second time,
since ours is another file. What is not in this folder is left alone.
"""

import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

# The folder of this file, and not RUNTIME_CODE_ROOT: that says where the code should be, this is where it is. The path
# of this file may be relative, and not for long.
ROOT = Path(__file__).resolve().parent


def prefer(root: Path) -> None:
    """Let whatever a folder holds be imported from there; raises ImportError if something else is in the way."""
    path = str(root)
    sys.path[:] = [path, *(place for place in sys.path if place != path)]
    ours = packages(root)
    foreign = {name for name in ours if name in sys.modules and not is_inside(root, sys.modules[name])}
    for name in list(sys.modules):
        if name.partition(".")[0] in foreign:
            del sys.modules[name]
    for name in sorted(ours):
        # Something that stands before the path, such as a finder of the runtime, may still give another.
        place = getattr(find_spec(name), "origin", None)
        if not place or not Path(place).resolve().is_relative_to(root):
            message = f"image-reaper needs its own {name}, and the runtime gives {place}"
            raise ImportError(message)


def packages(root: Path) -> set[str]:
    """The names of the packages and modules in a folder."""
    parts = (path for path in root.iterdir() if (path / "__init__.py").exists() or path.suffix == ".py")
    return {path.stem for path in parts} - {Path(__file__).stem}


def is_inside(root: Path, module: ModuleType | None) -> bool:
    """Whether a module was loaded from a folder; one without a file was not."""
    file = getattr(module, "__file__", None)
    return bool(file) and Path(str(file)).resolve().is_relative_to(root)


prefer(ROOT)

from handler.functiongraph import handler, initializer  # noqa: E402 (only now is it certain whose packages it gets)

__all__ = ["handler", "initializer"]
