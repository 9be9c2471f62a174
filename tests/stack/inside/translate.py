"""Translates the SAM template in the first argument, for the parameters in the second, to standard output.

Run by the Python of `.venv-sam`, never imported by a test.
"""

import importlib
import json
import sys
from pathlib import Path

ARTIFACT = "s3://artifacts/image-reaper.zip"


class NoPolicies:
    """The managed policies of AWS, by their names: the template uses none."""

    def load(self) -> dict[str, str]:
        return {}


def main(path: str, parameters: str) -> None:
    template = importlib.import_module("samcli.yamlhelper").yaml_parse(Path(path).read_text("utf-8"))
    # As `sam package` leaves it.
    template["Globals"]["Function"]["CodeUri"] = ARTIFACT
    transform = importlib.import_module("samtranslator.translator.transform").transform
    json.dump(transform(template, json.loads(parameters), NoPolicies()), sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
