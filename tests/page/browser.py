"""A browser with a window, driven as the W3C's WebDriver says: JSON over HTTP to chromedriver."""

import os
import re
import subprocess
from base64 import b64decode
from pathlib import Path
from shutil import which
from typing import Any, Self

import requests

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The key that a reference to an element stands under, as the W3C has laid it down."""
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-lcd-text",
    "--disable-dev-shm-usage",
    "--window-size=1280,900",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ENTER = "\ue007"


class Browser:
    """A headless Chromium; everything that it keeps goes into `folder`."""

    def __init__(self, folder: Path) -> None:
        command = [which("chromedriver") or "chromedriver", "--port=0"]
        environment = {**os.environ, "HOME": str(folder), "TMPDIR": str(folder)}
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)  # noqa: S603 (Debian's)
        self._http = requests.Session()
        self._http.trust_env = False
        assert self._process.stdout
        port = next(match[1] for line in self._process.stdout if (match := re.search(r"on port (\d+)\.", line)))
        self._session = f"http://127.0.0.1:{port}/session"
        options = {"args": [*FLAGS, f"--user-data-dir={folder}"], "binary": which("chromium")}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self._session += "/" + self._ask("POST", "", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._ask("DELETE", "")
        self._http.close()
        self._process.terminate()
        self._process.communicate()

    def open(self, path: Path) -> None:
        """Show a file; what was logged before is forgotten."""
        self.log()
        self._ask("POST", "/url", {"url": path.as_uri()})

    def js(self, script: str, *arguments: object) -> Any:  # noqa: ANN401 (any JSON)
        """What a script gives, run beside the page: the page's own policy does not hold for it."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def texts(self, selector: str) -> list[str]:
        """The texts of what is shown of this CSS selector."""
        elements = self._ask("POST", "/elements", {"using": "css selector", "value": selector})
        texts = [self._ask("GET", f"/element/{element[ELEMENT]}/text") for element in elements]
        return [text for text in texts if text]

    def text(self, selector: str) -> str:
        """The text of the first of this CSS selector, as it is shown."""
        shown: str = self._ask("GET", f"{self._element(selector)}/text")
        return shown

    def click(self, selector: str) -> None:
        """Click where the element is: an error if something lies above it."""
        self._ask("POST", f"{self._element(selector)}/click", {})

    def type(self, selector: str, text: str) -> None:
        """Press keys while an element has the focus, after emptying it if it is a field."""
        element = self._element(selector)
        if selector.startswith("#"):
            self.js("arguments[0].value = ''", {ELEMENT: element.removeprefix("/element/")})
        self._ask("POST", f"{element}/value", {"text": text})

    def devtools(self, command: str, **parameters: object) -> None:
        """Give the browser a command of the DevTools protocol."""
        self._ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def log(self) -> list[str]:
        """What the console, and the browser about the page, have said since the last time."""
        return [entry["message"] for entry in self._ask("POST", "/se/log", {"type": "browser"})]

    def picture(self, path: Path) -> None:
        """Write what is seen as a PNG file."""
        path.write_bytes(b64decode(self._ask("GET", "/screenshot")))

    def _element(self, selector: str) -> str:
        found = self._ask("POST", "/element", {"using": "css selector", "value": selector})
        return f"/element/{found[ELEMENT]}"

    def _ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 (any JSON)
        answer = self._http.request(method, self._session + path, json=body, timeout=120).json()["value"]
        if isinstance(answer, dict) and "error" in answer:
            raise AssertionError(answer["message"])
        return answer
