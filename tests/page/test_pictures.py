"""The pictures for the documents: the notice of a rehearsed sweep, drawn as a mail, and its page, both of a fixed day.

Nothing compares them with those that are kept, since fonts differ: `--pictures FOLDER` puts them there.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from html import escape
from pathlib import Path

import pytest

from handler.compose.engines import aws
from handler.compose.invocation import process
from handler.compose.secret import load_settings
from tests.aws import KEYS
from tests.conftest import load_event
from tests.fakecloud import FakeCloud, Server
from tests.page.browser import Browser
from tests.page.door import Invoked
from tests.page.test_page import any_look, look
from tests.page.test_review import FUNCTION, LIVE, WEEKLY, fill
from tests.unit.test_notice_topic import Topic, topic
from tests.unit.test_objects import NAME, s3
from tests.unit.test_telling import Runs, runs

__all__ = ["any_look", "runs", "s3", "topic"]

MONDAY = datetime(2026, 11, 30, 6, 0, 4, tzinfo=UTC)
WIDTH, LARGEST = 1000, 200_000
"""Pixels, and bytes of a picture."""
MAIL = """<!DOCTYPE html><meta charset="utf-8"><style>
body {{ margin: 0; padding: 20px; background: #e9edf2; color: #16202c; font: 15px/1.5 system-ui, Arial, sans-serif; }}
article {{ margin: 0 0 20px; background: #fff; border: 1px solid #cfd6de; border-radius: 10px; }}
header {{ padding: 16px 24px; border-bottom: 1px solid #dde2e8; }}
h1 {{ margin: 0 0 8px; font-size: 21px; }}
p {{ margin: 0; color: #56616f; }}
pre {{ margin: 0; padding: 18px 24px 22px; white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; }}
</style><article><header><h1>{subject}</h1>
<p>From <b>AWS Notifications</b> &lt;no-reply@sns.amazonaws.com&gt;</p><p>To ci@example.com, {day}</p></header>
<pre>{text}</pre></article><footer></footer>"""

Take = Callable[[str, str], None]


@pytest.fixture
def take(browser: Browser, any_look: None, tmp_path: Path, request: pytest.FixtureRequest) -> Take:  # noqa: ARG001 (it ends the look)
    """Take a picture of what the browser shows, down to where this element begins."""
    folder: Path = request.config.getoption("pictures", None) or tmp_path

    def take_once(name: str, end: str) -> None:
        browser.devtools("Emulation.setScrollbarsHidden", hidden=True)
        look(browser, WIDTH, prefers_color_scheme="light")
        top = browser.js(f"return document.querySelector('{end}').getBoundingClientRect().top")
        look(browser, WIDTH, round(top), prefers_color_scheme="light")
        browser.picture(folder / f"{name}.png")
        assert (folder / f"{name}.png").stat().st_size < LARGEST

    return take_once


def test_the_pictures_show_the_notice_and_the_page(  # noqa: PLR0913, PLR0917 (all that plays a part)
    clean_environment: pytest.MonkeyPatch,
    cloud: FakeCloud,
    server: Server,
    moto: str,
    topic: Topic,
    runs: Runs,
    browser: Browser,
    take: Take,
    tmp_path: Path,
) -> None:
    fill(cloud, MONDAY)
    given = KEYS | {"AWS_ENDPOINT_URL": moto, "REAPER_REPORT_BUCKET": NAME, "REAPER_NOTICE_TOPIC": topic.arn}
    given |= {"REAPER_MODE": "delete", "REAPER_STATE_TABLE": "state", "REAPER_OWNER_KEY": "contact"}
    for name, value in {**cloud.env(server.url), **given, "AWS_LAMBDA_FUNCTION_NAME": FUNCTION}.items():
        clean_environment.setenv(name, value)
    context = Invoked(LIVE)
    context.aws_request_id = "4f1c7a52-7d0e-4b0b-9d5b-2f6c1e8a9b37"
    process(load_event("schedule") | {"detail": WEEKLY}, context, load_settings(), aws, MONDAY)
    (notice,) = topic.published()
    mail, page = tmp_path / "mail.html", tmp_path / "page.html"
    subject, text = escape(notice["Subject"]), escape(notice["Message"])
    mail.write_text(MAIL.format(subject=subject, text=text, day=f"{MONDAY:%A, %d %B %Y, %H:%M} UTC"), encoding="utf-8")
    page.write_bytes(runs.read("page.html"))
    browser.open(mail)
    take("weekly-review-notice", "footer")
    browser.open(page)
    take("weekly-review-page", "#goes tbody tr:nth-of-type(3)")
