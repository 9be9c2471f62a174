"""A pytest plugin for `make test-artifact`: tests run on the artifact that ARTIFACT names, or not at all.

The artifact stands first on the path, before the environment that brings pytest, and the checkout stands last. A
distribution that was taken out of the artifact is hidden, since the environment has it.
"""

import os
import runpy
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CUTS = runpy.run_path(str(ROOT / ".ci/artifact.py"))["cuts_for"]("lambda")
HIDDEN = {cut.distribution for cut in CUTS if cut.distribution}

for name in HIDDEN:
    assert name not in sys.modules
    sys.modules[name] = None  # type: ignore[assignment]  # what `import` takes for: there is none


def pytest_sessionstart() -> None:
    """Import everything that the artifact holds, and see where it came from."""
    artifact = Path(os.environ["ARTIFACT"]).resolve()
    strangers = {name: place for name in modules(artifact) if not (place := origin(name)).is_relative_to(artifact)}
    if strangers:
        message = f"these do not come from {artifact}: {strangers}"
        raise pytest.UsageError(message)


def modules(artifact: Path) -> set[str]:
    """The names that the artifact is imported by."""
    places = (path for path in artifact.iterdir() if path.suffix != ".dist-info" and path.name != "__pycache__")
    return {"handler", "handler.app", "keystoneauth1"} | {path.stem for path in places}


def origin(name: str) -> Path:
    """The file that a module was loaded from."""
    return Path(str(import_module(name).__file__)).resolve()
