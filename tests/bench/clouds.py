"""Fake clouds for the benchmarks, in processes of their own: what they cost is not ours."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.rows import ROOT


@contextmanager
def running(folder: Path, images: Sequence[dict[str, Any]], **options: object) -> Iterator[dict[str, str]]:
    """A fake cloud with these images, as a seed says them, and options such as `delay`; its variables."""
    seed = folder / f"seed-{len(list(folder.iterdir()))}.json"
    seed.write_text(json.dumps({"images": images}))
    told = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", "tests.fakecloud", f"--seed={seed}", *told]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:  # noqa: S603 (our own)
        assert process.stdout
        try:
            environment: dict[str, str] = json.loads(process.stdout.readline())["env"]
            yield environment
        finally:
            process.terminate()


def image_ids(count: int) -> list[str]:
    """As many ids of images."""
    return [f"6cad483b-e281-4985-a345-{number:012x}" for number in range(count)]
