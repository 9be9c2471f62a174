"""The door of Lambda in a process of its own: `python -m tests.page.door NAME:ALIAS < EVENT`.

The answer goes to standard output, or what was raised, as Lambda tells it. The log goes to standard error.
"""

import json
import sys
from contextlib import redirect_stdout
from typing import Any

from handler.app import lambda_handler
from handler.shell.runs.running import ShellContext


class Invoked(ShellContext):
    """The context of a function that was invoked by its name with an alias."""

    def __init__(self, function: str) -> None:
        super().__init__(60)
        self.invoked_function_arn = f"arn:aws:lambda:eu-central-1:123456789012:function:{function}"


def answer(event: object, function: str) -> dict[str, Any]:
    """What Lambda answers to whoever has invoked a function."""
    try:
        with redirect_stdout(sys.stderr):
            return lambda_handler(event, Invoked(function))
    except Exception as exc:  # noqa: BLE001 (as Lambda does)
        return {"errorMessage": str(exc), "errorType": type(exc).__name__}


if __name__ == "__main__":
    print(json.dumps(answer(json.load(sys.stdin), sys.argv[1])))
