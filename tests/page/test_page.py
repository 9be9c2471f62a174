"""The page in a real browser: what a reviewer sees, and what the page does when it is used."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from handler.model.image import Image
from handler.model.outcome import Decision, Objection, Outcome, Result
from handler.model.request import DeletionRequest
from handler.report.page.page import page
from handler.report.report import Report
from tests.fakecloud import FakeCloud, Server
from tests.page.browser import ENTER, Browser
from tests.page.conftest import Show

GIB = 2**30
NAMES = "#goes tbody tr:not(.group) th"
HEAD = "#goes thead th:nth-child({}) button"
NAME, ID, AGE, SIZE = (HEAD.format(column) for column in (1, 2, 3, 4))
SWEEP = {"sweep": {"select": {"name": "ci-*", "older_than": "5d"}, "keep": {"newest": 1}, "limit_percent": 100}}


@pytest.fixture(autouse=True)
def nothing_to_complain_about(browser: Browser) -> Iterator[None]:
    """After each test: the console is empty, and nothing was asked from anywhere."""
    yield
    assert browser.log() == []
    assert browser.js("return performance.getEntriesByType('resource').map(entry => entry.name)") == []


@pytest.fixture
def project(cloud: FakeCloud) -> FakeCloud:
    """Two families, of which the newest stay, one image that is in use, and one of another name."""
    for number, (days, size) in enumerate([(30, 2), (20, 10), (10, 1)], start=9):
        cloud.add_image(f"ci-web-{number}", size=size * GIB, created_at=days_ago(days))
    for number, (days, size) in enumerate([(40, 3), (35, 4), (7, 5)], start=1):
        cloud.add_image(f"ci-db-{number}", size=size * GIB, created_at=days_ago(days))
    cloud.add_server("web-1", image=cloud.add_image("ci-web-8", size=GIB, created_at=days_ago(50)))
    cloud.add_image("prod", size=4 * GIB)
    return cloud


def days_ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def seen(show: Show, project: FakeCloud) -> Browser:
    """The page of a rehearsed sweep over that project."""
    assert project.images
    return show(SWEEP)


# What is to be seen


def test_the_counts_and_the_totals_are_to_be_seen(seen: Browser) -> None:
    assert seen.text("h1") == "4 of 8 images would be deleted, freeing 19.0 GiB; 1 refused"
    assert seen.texts("section h2") == [
        "Goes 4 images, 19.0 GiB",
        "Refused by a rule 1 image, 1.0 GiB",
        "Stays 3 images, 10.0 GiB",
    ]
    assert seen.text(".cards .goes").splitlines() == ["Goes", "19.0 GiB", "4 images", "50.0% of images, 63.3% of bytes"]
    assert seen.text(".cards .stays").splitlines()[1:3] == ["11.0 GiB", "4 images"]
    assert seen.texts("#stays .reasons td:nth-child(1)") == ["newest", "name"]


def test_what_an_armed_run_did_is_to_be_seen(show: Show, project: FakeCloud) -> None:
    seen = show(SWEEP, REAPER_MODE="delete")
    assert (seen.text(".chip"), len(project.dead)) == ("Armed", 4)
    assert seen.text("h1") == "4 of 8 images were deleted, freeing 19.0 GiB; 1 refused"


def test_a_tripped_cap_is_to_be_seen_first(show: Show, project: FakeCloud) -> None:
    seen = show({"sweep": {**SWEEP["sweep"], "limit": 3}}, REAPER_MODE="delete")
    assert (
        seen.text(".verdict") == "Over the cap: 5 of 8 images are selected, and limit is 3: none is deleted or marked."
    )
    assert (seen.texts("#goes h2"), project.dead) == ([], {})


def test_what_stays_is_listed_when_it_is_asked_for(seen: Browser) -> None:
    assert seen.texts("#stays .images tbody th[scope=row]") == []
    seen.click("#stays summary")
    assert seen.texts("#stays .images tbody th[scope=row]") == ["ci-db-3", "prod", "ci-web-11"]


# Sorting


@pytest.mark.parametrize(
    ("column", "once"),
    [
        (NAME, ["ci-db-1", "ci-db-2", "ci-web-9", "ci-web-10"]),
        (AGE, ["ci-db-1", "ci-db-2", "ci-web-9", "ci-web-10"]),
        (SIZE, ["ci-web-10", "ci-db-2", "ci-db-1", "ci-web-9"]),
    ],
    ids=["name", "age", "size"],
)
def test_a_column_sorts_both_ways(seen: Browser, column: str, once: list[str]) -> None:
    seen.click("#grouped")
    seen.click(column)
    assert seen.texts(NAMES) == once
    seen.click(column)
    assert seen.texts(NAMES) == once[::-1]


def test_in_groups_both_the_groups_and_their_images_are_sorted(seen: Browser) -> None:
    seen.click(SIZE)
    assert seen.texts("#goes tbody th") == [
        *("ci-web 2 of 4 images, 12.0 GiB of 14.0 GiB", "ci-web-10", "ci-web-9"),
        *("ci-db 2 of 3 images, 7.0 GiB of 12.0 GiB", "ci-db-2", "ci-db-1"),
    ]
    seen.click(SIZE)
    assert seen.texts(NAMES) == ["ci-db-1", "ci-db-2", "ci-web-9", "ci-web-10"]


def test_every_head_shows_that_it_sorts(seen: Browser) -> None:
    heads = "Array.from(document.querySelectorAll('#goes thead button'))"
    sign = f"return {heads}.map(head => getComputedStyle(head, '::after').content)"
    assert set(seen.js(sign)) == {'"\u25b4\u25be"'}
    seen.click(SIZE)
    assert seen.js(sign)[2:5] == ['"\u25b4\u25be"', '"\u25be"', '"\u25b4\u25be"']
    seen.click(SIZE)
    assert seen.js(sign)[3] == '"\u25b4"'


def test_the_sorted_column_says_so_and_no_other_does(seen: Browser) -> None:
    sorts = "return Array.from(document.querySelectorAll('#goes thead th'), th => th.getAttribute('aria-sort'))"
    seen.click(NAME)
    seen.click(SIZE)
    assert seen.js(sorts) == [None, None, None, "descending", None, None]
    seen.click(SIZE)
    assert seen.js(sorts)[3] == "ascending"


def test_what_is_unknown_comes_last_both_ways(show: Show, cloud: FakeCloud) -> None:
    for name, size in (("ci-a", 2), ("ci-b", None), ("ci-c", 1)):
        cloud.add_image(name, size=size)
    seen = show({"sweep": {"select": {"name": "ci-*"}, "limit_percent": 100}})
    seen.click(SIZE)
    assert seen.texts(NAMES) == ["ci-a", "ci-c", "ci-b"]
    seen.click(SIZE)
    assert seen.texts(NAMES) == ["ci-c", "ci-a", "ci-b"]


def test_the_keyboard_is_enough_to_sort_and_to_fold(seen: Browser) -> None:
    seen.type(NAME, ENTER)
    assert seen.texts(NAMES)[0] == "ci-db-1"
    seen.type("#goes tbody button", ENTER)
    assert seen.texts(NAMES) == ["ci-web-9", "ci-web-10"]


# Groups, filter, price


def test_a_group_folds_and_unfolds(seen: Browser) -> None:
    seen.click("#goes tbody button")
    assert seen.texts(NAMES) == ["ci-db-1", "ci-db-2"]
    assert seen.js("return document.querySelector('#goes tbody button').getAttribute('aria-expanded')") == "false"
    seen.click("#goes tbody button")
    assert len(seen.texts(NAMES)) == 4


def test_all_groups_fold_at_once(seen: Browser) -> None:
    seen.click("#fold")
    assert (seen.texts(NAMES), len(seen.texts("#goes .group"))) == ([], 2)
    seen.click("#fold")
    assert len(seen.texts(NAMES)) == 4


def test_the_filter_leaves_what_has_all_its_words(seen: Browser) -> None:
    seen.type("#filter", "WEB delete")
    assert seen.texts(NAMES) == ["ci-web-9", "ci-web-10"]
    assert seen.texts("section h2") == ["Goes 4 images, 19.0 GiB"]
    assert seen.text("#found") == "2 of 8 listed images, 12.0 GiB"


def test_the_filter_looks_into_what_is_folded_away(seen: Browser) -> None:
    seen.type("#filter", "prod")
    assert seen.texts("#stays .images tbody th[scope=row]") == ["prod"]
    seen.type("#filter", "no such image")
    assert (seen.texts("section h2"), seen.text("#found")) == ([], "0 of 8 listed images, 0.0 GiB")


@pytest.mark.parametrize("price", ["0.5", "0,5", " .5"])
def test_a_price_becomes_money(seen: Browser, price: str) -> None:
    seen.type("#price", price)
    told = "All images cost 15.00 per month. What goes saves 9.50 per month, 114.00 per year."
    assert seen.text("#saving") == told
    assert seen.texts(".cards output") == ["9.50 per month", "5.50 per month"]


@pytest.mark.parametrize(
    ("price", "currency"),
    [("0.5 EUR", "EUR"), ("0,5 chf", "CHF"), ("0.50\u20ac", "\u20ac"), ("$ .5", "$"), ("USD 0.5", "USD")],
)
def test_the_money_is_of_the_currency_of_the_price(seen: Browser, price: str, currency: str) -> None:
    seen.type("#price", price)
    assert seen.texts(".cards output") == [f"9.50 {currency} per month", f"5.50 {currency} per month"]
    assert f"saves 9.50 {currency} per month, 114.00 {currency} per year" in seen.text("#saving")


def test_what_is_no_price_is_no_money(seen: Browser) -> None:
    for price in ("1e3", "0.5 euros", "-1", "1.2.3"):
        seen.type("#price", price)
        assert (seen.text("#saving"), seen.texts(".cards output")) == ("not a price", [])
    seen.js("return document.querySelector('#price').value = ''")
    seen.type("#price", " ")
    assert seen.text("#saving") == ""


# What a page must not do


HOSTILE = (
    "<script>document.title='owned'</script>",
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    '" onmouseover="document.title=\'owned\'" x="',
    "<svg/onload=document.title='owned'>",
    "</table></section><h1>all is well</h1>",
)


def test_hostile_names_are_text(show: Show, cloud: FakeCloud) -> None:
    images = [cloud.add_image(name, tags=["keep"] * (number % 2)) for number, name in enumerate(HOSTILE)]
    seen = show({"image_ids": images, "reason": HOSTILE[0]})
    assert sorted(seen.texts("tbody th[scope=row]")) == sorted(HOSTILE)
    assert seen.js("return document.title").startswith("image-reaper: 3 of 6 images asked for")
    assert seen.js("return document.querySelectorAll('script, img, h1, svg').length") == 3
    seen.click(NAME)
    seen.type("#filter", "owned")
    assert len(seen.texts("tbody th[scope=row]")) == 5


def test_a_script_that_got_into_the_page_would_not_run(
    browser: Browser, cloud: FakeCloud, server: Server, tmp_path: Path
) -> None:
    clean = page(Report("direct", "dry-run", "r", "p", ()), [], datetime.now(UTC))
    planted = f"<main><script>document.title='owned'</script><img src='{server.url}/x' onerror='document.title=1'>"
    (tmp_path / "broken.html").write_text(clean.replace("<main>", planted), encoding="utf-8")
    (tmp_path / "clean.html").write_text(clean, encoding="utf-8")
    browser.open(tmp_path / "broken.html")
    assert browser.js("return document.title").startswith("image-reaper: ")
    said = browser.log()
    assert (len(said), all("Content Security Policy" in line for line in said), cloud.calls) == (3, True, [])
    browser.open(tmp_path / "clean.html")


# How it looks where space, light or scripts are missing


def look(browser: Browser, width: int, height: int = 900, **features: str) -> None:
    browser.devtools(
        "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
    )
    given = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
    browser.devtools("Emulation.setEmulatedMedia", media="screen", features=given)


@pytest.fixture
def any_look(browser: Browser) -> Iterator[None]:
    """Let a test change how the browser looks at pages."""
    yield
    browser.devtools("Emulation.clearDeviceMetricsOverride")
    browser.devtools("Emulation.setEmulatedMedia", media="", features=[])
    browser.devtools("Emulation.setScriptExecutionDisabled", value=False)


@pytest.mark.usefixtures("any_look")
@pytest.mark.parametrize("width", [400, 500, 800, 970, 1200, 1280])
def test_nothing_stands_outside_of_a_narrow_window_or_of_its_cell(seen: Browser, width: int) -> None:
    look(seen, width)
    assert seen.js("return document.documentElement.scrollWidth <= innerWidth")
    cells = "Array.from(document.querySelectorAll('#goes td, #goes th, #goes thead button'))"
    assert seen.js(f"return {cells}.filter(cell => cell.scrollWidth > cell.clientWidth).length") == 0
    assert len(seen.texts(NAMES)) == 4


WIDTHS = (400, 500, 1200)
LINES = """
const shown = Array.from(document.querySelectorAll(arguments[0])).filter(node => node.offsetParent);
const parts = (node) => {
  const all = document.createRange();
  all.selectNodeContents(node);
  return all.getClientRects();
};
const lines = (node) => new Set(Array.from(parts(node), part => Math.round(part.bottom))).size;
const inside = (node) => Array.from(parts(node)).every(part => part.left >= 0 && part.right <= innerWidth);
return shown.map(node => [node.textContent, lines(node), inside(node)]);
"""
"""The text of each element that is shown, in how many lines it stands, and whether all of it is inside the window."""


def in_one_line(browser: Browser, selector: str) -> set[str]:
    """The texts of the elements that are shown; each of them is one line inside the window."""
    found = browser.js(LINES, selector)
    assert [each for each in found if each[1:] != [1, True]] == []
    return {text for text, _, _ in found}


@pytest.mark.usefixtures("any_look")
@pytest.mark.parametrize("width", WIDTHS)
def test_outcomes_and_reasons_are_never_broken(show: Show, project: FakeCloud, width: int) -> None:
    project.add_image("ci-web-7", status="queued", created_at=days_ago(50))
    project.add_image("ci-web-6", tags=["keep"], created_at=days_ago(60))
    seen = show(SWEEP, REAPER_ALLOW_NAMES="ci-web*")
    look(seen, width)
    seen.click("#stays summary")
    assert in_one_line(seen, ".images td:nth-child(5)") == {"would delete", "refused", "stays"}
    assert in_one_line(seen, "td code") >= {"in_use", "kept", "not_allowed", "newest", "name"}
    assert seen.js("return document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.usefixtures("any_look")
def test_days_are_never_broken(show: Show, project: FakeCloud) -> None:
    seen = show(SWEEP, REAPER_MIN_AGE="25d")
    days = {project.images[image_id].created_at[:10] for image_id in project.images} | {f"{datetime.now(UTC):%Y-%m-%d}"}
    for width in (*range(400, 500, 12), *WIDTHS):
        look(seen, width)
        assert {day[:10] for day in in_one_line(seen, "time, td small")} & days
        assert seen.js("return document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.usefixtures("any_look")
@pytest.mark.parametrize("grace", ["0d", "3d"])
def test_a_row_of_what_goes_or_waits_is_one_line_where_there_is_room(
    show: Show, project: FakeCloud, grace: str
) -> None:
    seen = show({"sweep": {**SWEEP["sweep"], "grace": grace}})
    look(seen, 1200)
    assert len(project.images) == 8
    row = "section:is(#goes, #waits) tbody tr:not(.group)"
    assert len(in_one_line(seen, f"{row} > :nth-child(2)")) == 4
    marks = in_one_line(seen, f"{row} > :nth-child(6)")
    assert [mark.partition("=")[0] for mark in marks] == ([] if grace == "0d" else ["reaper-delete-after"])
    assert seen.js(f"return Math.max(...Array.from(document.querySelectorAll('{row}'), row => row.offsetHeight))") < 45


@pytest.mark.usefixtures("any_look")
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_of_a_run_that_could_not_list_has_its_gap_and_no_tools(
    show: Show, project: FakeCloud, width: int
) -> None:
    project.fault("GET", "/v2/images$", status=403)
    seen = show(SWEEP)
    look(seen, width)
    edges = "return ['.facts', '.cards'].map(name => document.querySelector(name).getBoundingClientRect())"
    facts, cards = seen.js(edges)
    assert cards["top"] - facts["bottom"] >= 16
    assert seen.text(".cards .stays").splitlines() == ["Stays", "unknown", "the images could not be listed"]
    assert seen.texts(".tools") == []


CONTRAST = """
const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
const light = (text) => rgb(text).slice(0, 3).map(c => c / 255)
  .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
  .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
const behind = (node) => {
  const colour = getComputedStyle(node).backgroundColor;
  return rgb(colour)[3] === 0 ? behind(node.parentElement) : colour;
};
return Math.min(...Array.from(document.querySelectorAll('body *')).filter(node => node.offsetParent)
  .filter(node => Array.from(node.childNodes).some(child => child.nodeType === 3 && child.data.trim()))
  .map(node => [light(getComputedStyle(node).color), light(behind(node))].sort((a, b) => b - a))
  .map(([more, less]) => (more + 0.05) / (less + 0.05)));
"""
"""The least contrast of any text that is shown with what lies behind it, as WCAG 2 reckons it."""


@pytest.mark.usefixtures("any_look")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_enough_contrast(seen: Browser, scheme: str) -> None:
    look(seen, 1280, prefers_color_scheme=scheme)
    backgrounds = {"light": "rgb(246, 247, 249)", "dark": "rgb(18, 22, 28)"}
    assert seen.js("return getComputedStyle(document.body).backgroundColor") == backgrounds[scheme]
    assert seen.js(CONTRAST) >= 4.5


@pytest.mark.usefixtures("any_look")
def test_the_page_can_be_read_without_scripts(show: Show, project: FakeCloud, browser: Browser) -> None:
    browser.devtools("Emulation.setScriptExecutionDisabled", value=True)
    seen = show(SWEEP)
    assert project.dead == {}
    assert seen.texts(NAMES) == ["ci-web-9", "ci-web-10", "ci-db-1", "ci-db-2"]
    assert seen.texts(".tools") == []


# Many images


def many(number: int) -> tuple[Report, list[Decision]]:
    """The report of a request that would delete as many images, beside as many that stay."""
    values: dict[str, Any] = {"owner": "p", "status": "active", "visibility": "private", "protected": False}
    values |= {"tags": frozenset(), "properties": frozenset(), "updated_at": None, "checksum": None, "record": {}}
    made = datetime(2026, 1, 1, tzinfo=UTC)
    images = [
        Image(f"id-{at}", f"ci-{at % 100}-{at}", size=at * GIB, created_at=made + timedelta(minutes=at), **values)
        for at in range(2 * number)
    ]
    gone = tuple(Outcome(each.id, "would_delete", name=each.name, image=each) for each in images[:number])
    stay = [Decision(each, Objection("age", "too young")) for each in images[number:]]
    return Report("direct", "dry-run", "r", "p", (Result("", DeletionRequest(()), gone),)), stay


def test_a_page_of_20000_images_opens_and_can_be_used(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "many.html").write_text(page(*many(20_000), datetime.now(UTC)), encoding="utf-8")
    browser.open(tmp_path / "many.html")
    assert browser.js("return document.querySelectorAll('#goes th[scope=row]').length") == 20_000
    assert browser.text("#stays summary").startswith("The 2,000 largest of 20,000 images")
    browser.click("#grouped")
    browser.click(SIZE)
    first = "return document.querySelector('#goes .flat th').textContent"
    assert browser.js(first) == "ci-99-19999"
    browser.type("#filter", "ci-7-12307")
    assert browser.texts("#goes tr:not([hidden]) th[scope=row]") == ["ci-7-12307"]
