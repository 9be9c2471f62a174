"""A stand-in for the command `aws`, with the two commands that notices and pages show, and no others.

AWS_ENDPOINT_URL says where S3 is. The folder FUNCTIONS holds the variables of each function, under its name and alias.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import boto3

ROOT = Path(__file__).parents[2]


def main(arguments: list[str]) -> int:
    """Run a command; returns the exit code, that of `aws` where it is wrong."""
    match arguments:
        case ["s3", "cp", source, ".", "--region", region]:
            bucket, _, key = source.removeprefix("s3://").partition("/")
            boto3.client("s3", region).download_file(bucket, key, Path(key).name)
        case ["lambda", "invoke", "--function-name", name, "--region", _, *options, "--payload", payload, outfile]:
            assert options == ["--cli-binary-format", "raw-in-base64-out", "--cli-read-timeout", "0"]
            Path(outfile).write_text(invoked(name, payload, Path(os.environ["FUNCTIONS"])), encoding="utf-8")
            print(json.dumps({"StatusCode": 200}))
        case _:
            return 252
    return 0


def invoked(name: str, event: str, functions: Path) -> str:
    """The answer of a function; raises FileNotFoundError if there is none of this name with this alias."""
    variables = json.loads((functions / name).read_text(encoding="utf-8"))
    command = [sys.executable, "-m", "tests.page.door", name]
    ended = subprocess.run(command, cwd=ROOT, env=variables, input=event, capture_output=True, check=True, text=True)  # noqa: S603 (ours)
    return ended.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
