"""Show what the function does: `make demo`.

Starts the fake cloud as a server, runs the function on the files of `events/`, and tells what happened: from the
function's own log and metrics, and from the cloud's own list of images.
"""

import io
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import requests

from handler.__main__ import COLOURS, ShellContext
from handler.app import lambda_handler
from handler.errors import InvalidRequest, ReaperError

EVENTS = Path(__file__).parent.parent / "events"
ORDER = ("direct", "queue", "topic", "schedule", "lifecycle", "stack", "unknown")
SCHEDULED = {"image_ids": ["6cad483b-e281-4985-a345-7afef1f3c504"], "reason": "REAPER_SCHEDULED_REQUEST"}
ACTIVATED = {"sweep": {"select": {"name": "{family}-*"}, "keep": {"newest": 1}}, "reason": "{name} is active"}
GIB = 2**30


def main() -> int:
    """Run the demo."""
    with running_cloud() as cloud:
        os.environ.update(cloud["env"], REAPER_MODE="delete", REAPER_SCHEDULED_REQUEST=json.dumps(SCHEDULED))
        os.environ["REAPER_LIFECYCLE_REQUEST"] = json.dumps(ACTIVATED)
        heading("The images before", "a fake cloud on this machine")
        before = state(cloud["url"])
        show_images(before, before)
        heading("The events", "REAPER_MODE=delete, one file of events/ after the other")
        metrics = sum((show_event(path, cloud["url"]) for path in event_files()), Counter[str]())
        heading("The metrics", "summed over all events")
        for name, value in metrics.items():
            print(f"  {name:<28}{value:>14,.0f}")
        heading("The images after")
        show_images(before, state(cloud["url"]))
    return 0


@contextmanager
def running_cloud() -> Iterator[dict[str, Any]]:
    """The fake cloud, in a process of its own; gives its address and the variables for it."""
    command = [sys.executable, "-m", "tests.fakecloud", "--port", "0", "--seed", "demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 (our own command)
        try:
            yield json.loads(process.stdout.readline() if process.stdout else "")
        finally:
            process.terminate()


def event_files() -> list[Path]:
    """The event files, source by source, the good before the bad."""
    return sorted(EVENTS.glob("*.json"), key=lambda path: (ORDER.index(path.stem.split("-")[0]), len(path.stem)))


def show_event(path: Path, url: str) -> Counter[str]:
    """Run one event and tell what happened; gives its metrics."""
    event = json.loads(path.read_text(encoding="utf-8"))
    if "ResponseURL" in event:
        event["ResponseURL"] = f"{url}/sink/{path.stem}"
    print(f"\n{paint(1, f'events/{path.name}')}")
    with redirect_stdout(io.StringIO()) as printed:
        ending = invoke(event)
    written = [json.loads(line) for line in printed.getvalue().splitlines()]
    for line in written:
        show_line(line)
    if "ResponseURL" in event:
        ending = "CloudFormation is told " + told_to_cloudformation(url, path.stem)
    print(f"  {paint(90, '-> ' + ending)}")
    return Counter({name: value for blob in written if "_aws" in blob for name, value in counts_of(blob)})


def invoke(event: dict[str, Any]) -> str:
    """Call the function as Lambda would; gives its answer, or what it raised, in a line."""
    try:
        answer = lambda_handler(event, ShellContext(60))
    except ReaperError as error:
        told = "" if isinstance(error, InvalidRequest) else f": {error}"  # the log has said it
        return f"raises {type(error).__name__}{told}"
    if "batchItemFailures" in answer:
        returned = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
        return "the queue keeps " + (", ".join(returned) or "nothing: all messages are done")
    plan = f", with a plan of {len(answer['plan']['images'])} images" if "plan" in answer else ""
    return f"reports {'ok' if answer.get('ok') else 'not ok'}{plan}"


def show_line(line: dict[str, Any]) -> None:
    """One outcome of the log, as a person reads it."""
    outcome = line.get("outcome")
    if outcome:
        why = " ".join(part for part in (line["reason"], f"({line['detail']})" if line["detail"] else "") if part)
        name = line.get("image_name") or line["image_id"]
        print(f"  {paint(COLOURS[outcome], f'{outcome:<13}')} {name:<38} {why}".rstrip())
    elif line.get("message") == "request.rejected":
        print(f"  {paint(31, 'rejected     ')} {line['message_id'] or 'the request':<38} {line['problem']}")


def show_images(before: dict[str, Any], now: dict[str, Any]) -> None:
    """Every image that there was, and whether it is still there."""
    alive = {image["id"] for image in now["images"]}
    for image in before["images"]:
        size = f"{(image['size'] or 0) / GIB:5.1f} GiB"
        marks = [image["visibility"], image["status"], *(["protected"] if image["protected"] else []), *image["tags"]]
        line = f"  {image['name']:<20} {size}  {', '.join(marks)}"
        print(line if image["id"] in alive else paint(90, f"{line:<72} deleted"))


def state(url: str) -> dict[str, Any]:
    """What lives in the cloud."""
    found: dict[str, Any] = requests.get(f"{url}/_state", timeout=10).json()
    return found


def told_to_cloudformation(url: str, name: str) -> str:
    """The answer that arrived at the address that CloudFormation gave."""
    answer = json.loads(state(url)["sink"][name][-1])
    return " ".join(part for part in (answer["Status"], answer["Reason"]) if part)


def counts_of(blob: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """The metrics of one line of the embedded metric format that can be summed, and are not 0."""
    for metric in blob["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
        total = sum(blob[metric["Name"]])
        if total and metric["Unit"] != "Milliseconds":
            yield metric["Name"], total


def heading(text: str, more: str = "") -> None:
    """A line that parts the page."""
    print(f"\n{paint(1, text)}" + (f"  {paint(90, more)}" if more else ""))


def paint(colour: int, text: str) -> str:
    """The text in a colour, on a terminal."""
    return f"\033[{colour}m{text}\033[0m" if sys.stdout.isatty() else text


if __name__ == "__main__":
    sys.exit(main())
