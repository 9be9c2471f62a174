"""The box on a page, in a real browser: a page as it lies in the bucket, and the command that approves its plan."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.aws import KEYS, Client
from tests.fakecloud import FakeCloud
from tests.page.browser import Browser
from tests.page.conftest import Show
from tests.page.test_page import CONTRAST, SWEEP, any_look, look, nothing_to_complain_about, project
from tests.unit.test_objects import NAME, s3

__all__ = ["any_look", "nothing_to_complain_about", "project", "s3"]

COMMAND = "#approval > pre code"
LAMBDA = {"AWS_LAMBDA_FUNCTION_NAME": "image-reaper-ScheduledFunction-x3kd93", "REAPER_STATE_TABLE": "state"}

ShowStored = Callable[..., Browser]


@pytest.fixture
def show_stored(show: Show, browser: Browser, moto: str, s3: Client, tmp_path: Path) -> ShowStored:
    """Let a run store its page, and open that."""

    def show_once(**settings: str) -> Browser:
        show(SWEEP, **KEYS, AWS_ENDPOINT_URL=moto, REAPER_REPORT_BUCKET=NAME, **settings)
        (key,) = [each["Key"] for each in s3.list_objects_v2(Bucket=NAME)["Contents"] if "page" in each["Key"]]
        stored = tmp_path / "stored.html"
        stored.write_bytes(s3.get_object(Bucket=NAME, Key=key)["Body"].read())
        browser.open(stored)
        return browser

    return show_once


@pytest.mark.usefixtures("project")
def test_a_click_selects_the_whole_command_in_one_line(show_stored: ShowStored, s3: Client) -> None:
    seen = show_stored(**LAMBDA)
    seen.click(COMMAND)
    selected = seen.js("return getSelection().toString()")
    words = shlex.split(selected.strip())
    assert "\n" not in selected.strip()
    approval = json.loads(words[words.index("--payload") + 1])["approve"]
    assert s3.get_object(Bucket=NAME, Key=approval["plan"])["Body"].read()
    assert seen.text("#approval dd:last-of-type") == approval["sha256"]


@pytest.mark.usefixtures("any_look", "project")
def test_without_scripts_nothing_of_the_box_is_missing(show_stored: ShowStored, browser: Browser) -> None:
    browser.devtools("Emulation.setScriptExecutionDisabled", value=True)
    seen = show_stored(**LAMBDA)
    assert seen.text(COMMAND).startswith("aws lambda invoke --function-name image-reaper-ScheduledFunction-x3kd93")
    assert seen.text("#approval summary")
    seen.click("#approval summary")
    assert seen.text("#approval details code").startswith("image-reaper --approve runs/")


@pytest.mark.usefixtures("any_look", "project")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 500, 1200])
def test_the_box_fits_and_can_be_read(show_stored: ShowStored, browser: Browser, width: int, scheme: str) -> None:
    look(browser, width, prefers_color_scheme=scheme)
    seen = show_stored(**LAMBDA)
    assert "The function is not armed" in seen.text("#approval .warning")
    assert seen.js("return document.documentElement.scrollWidth <= innerWidth")
    assert seen.js(CONTRAST) >= 4.5


def test_a_page_without_a_plan_has_no_box(show_stored: ShowStored, cloud: FakeCloud) -> None:
    cloud.add_image("prod-1")
    assert show_stored(**LAMBDA).texts("#approval") == []
