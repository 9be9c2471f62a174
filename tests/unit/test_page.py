"""The page for a reviewer: every image once, where it belongs, with the words of whoever decided on it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from handler.compose.engines import aws
from handler.compose.invocation import process
from handler.compose.secret import load_settings
from handler.model.image import Image
from handler.model.outcome import MOST_LISTED, Decision, Objection, Outcome, Result, Survey
from handler.model.request import ApprovalRequest, DeletionRequest, Select, SweepRequest
from handler.report.approval import Place, approval_of
from handler.report.files import plan_file
from handler.report.page.page import page
from handler.report.report import Report
from handler.rules.marks import fingerprint
from tests.conftest import UNKNOWN_ID, Context, queue
from tests.fakecloud import FakeCloud, Server

NOW = datetime(2026, 11, 1, 12, 30, tzinfo=UTC)
GIB = 2**30
OLD = "2026-01-01T00:00:00Z"
VOID = {"meta", "input", "br"}


class Page(HTMLParser):
    """A page, taken apart: the texts under an id or a class, and the rows of the images of each section."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.source = source
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: dict[str, str] = {}
        self.rows: dict[str, list[list[str]]] = {}
        self._open: list[tuple[str, str]] = []
        self._row: list[str] | None = None
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        given = dict(attrs)
        if tag not in VOID:
            self._open.append((tag, given.get("id") or given.get("class") or tag))
        if tag == "section":
            self.rows[str(given["id"])] = []
        if tag == "tr" and ("table", "images") in self._open and "class" not in given:
            self._row = []
            self.rows[list(self.rows)[-1]].append(self._row)
        if tag in {"td", "th"} and self._row is not None:
            self._row.append("")

    def handle_endtag(self, tag: str) -> None:
        while self._open.pop()[0] != tag:
            pass
        if tag == "tr":
            self._row = None

    def handle_data(self, data: str) -> None:
        for _, name in self._open:
            self.texts[name] = self.texts.get(name, "") + data
        if self._row:
            self._row[-1] += data

    @property
    def headline(self) -> str:
        """The largest words of the page."""
        return self.texts["h1"]

    def images(self, section: str) -> dict[str, tuple[str, str]]:
        """The images of a section by their name, with their outcome and why."""
        return {row[0]: (row[4], row[5]) for row in self.rows.get(section, []) if row[1] != "Id"}


Show = Callable[..., Page]


@pytest.fixture
def show(clean_environment: pytest.MonkeyPatch, cloud: FakeCloud, server: Server) -> Show:
    """The page of a run; settings are REAPER_* variables."""

    def show_once(event: object, **settings: str) -> Page:
        for name, value in {**cloud.env(server.url), **settings}.items():
            clean_environment.setenv(name, value)
        decisions: list[Decision] = []
        report = process(event, Context(), load_settings(), aws, NOW, decisions.append)
        return Page(page(report, decisions, NOW))

    return show_once


def sweep(**policy: object) -> dict[str, Any]:
    return {"sweep": {"select": {"name": "ci-*"}, "limit_percent": 100, **policy}}


def image(number: int, **fields: object) -> Image:
    values: dict[str, Any] = {
        "owner": "p",
        "status": "active",
        "visibility": "private",
        "protected": False,
        "checksum": None,
    }
    values |= {"id": f"id-{number}", "name": f"ci-{number}", "size": GIB}
    values |= {"tags": frozenset(), "properties": frozenset(), "created_at": NOW, "updated_at": None, "record": {}}
    return Image(**(values | fields))


def shown(*results: Result, decisions: list[Decision] | None = None, mode: str = "dry-run") -> Page:
    """The page of a run that nobody had to make."""
    return Page(page(Report("direct", mode, "r-1", "p-1", results), decisions or [], NOW))


# What goes, what stays


def test_a_rehearsed_sweep_says_what_would_go_and_what_stays(show: Show, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1", size=3 * GIB)
    cloud.add_image("prod-1", size=GIB)
    seen = show(sweep())
    assert seen.headline == "1 of 2 images would be deleted, freeing 3.0 GiB"
    assert seen.images("goes") == {"ci-1": ("would delete", "")}
    assert seen.images("stays") == {"prod-1": ("stays", "name its name does not match ci-*")}
    assert cloud.dead == {}


def test_an_armed_sweep_says_what_was_deleted(show: Show, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1", size=3 * GIB)
    seen = show(sweep(), REAPER_MODE="delete")
    assert seen.headline == "1 of 1 image was deleted, freeing 3.0 GiB"
    assert seen.images("goes") == {"ci-1": ("deleted", "")}
    assert seen.texts["chip delete"] == "Armed"


def test_a_selected_image_that_a_rule_refuses_stays_with_the_words_of_the_rule(show: Show, cloud: FakeCloud) -> None:
    used = cloud.add_image("ci-1")
    cloud.add_server("web-1", image=used)
    seen = show(sweep())
    assert seen.headline == "Nothing would be deleted; 1 refused"
    outcome, why = seen.images("refused")["ci-1"]
    assert (outcome, why.partition(" (")[0]) == ("refused", "in_use used by server web-1")
    assert "100.0% of images" in seen.texts["stays"]


def test_images_that_wait_for_their_day_are_told_apart(show: Show, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1")
    cloud.add_image("ci-2", tags=["reaper-delete-after=2026-11-05"])
    cloud.add_image("ci-3", tags=["reaper-delete-after=2026-10-05"])
    seen = show(sweep(grace="7d"))
    assert seen.images("waits")["ci-1"] == ("would wait", "reaper-delete-after=2026-11-08")
    assert seen.images("waits")["ci-2"] == ("marked", "reaper-delete-after=2026-11-05")
    assert list(seen.images("goes")) == ["ci-3"]
    assert seen.headline == "1 of 3 images would be deleted, freeing 1,024 B; 2 waiting for their day"


def test_what_was_seen_last_says_whether_an_image_goes_or_waits() -> None:
    due = image(1, tags=frozenset({"reaper-delete-after=2026-10-01"}))
    request = SweepRequest(Select("ci-*"), grace=timedelta(days=7))
    result = Result("", request, (Outcome("id-1", "would_delete", name="ci-1", image=due),))
    assert list(shown(result, decisions=[Decision(image(1), None)]).images("goes")) == ["ci-1"]


def test_an_image_that_loses_its_mark_stays_and_the_page_says_so(show: Show, cloud: FakeCloud) -> None:
    signature = f"reaper-sweep={fingerprint(SweepRequest(Select('ci-*')))}"
    cloud.add_image("prod-1", tags=["reaper-delete-after=2026-11-05", signature])
    seen = show(sweep(grace="7d"), REAPER_MODE="delete")
    outcome, why = seen.images("stays")["prod-1"]
    assert outcome == "unmarked"
    assert why.startswith("name its name does not match ci-*; ")


def test_a_request_by_ids_shows_only_what_it_asked_for(show: Show, cloud: FakeCloud) -> None:
    asked, golden = cloud.add_image("ci-1", size=GIB), cloud.add_image("golden", protected=True)
    cloud.add_image("another")
    seen = show({"image_ids": [asked, golden, UNKNOWN_ID], "reason": "ticket 7"})
    assert seen.headline == ("1 of 3 images asked for would be deleted, freeing 1.0 GiB; 1 refused; 1 gone already")
    assert (list(seen.images("goes")), list(seen.images("refused"))) == (["ci-1"], ["golden"])
    assert [row[1] for row in seen.rows["gone"] if UNKNOWN_ID in row] == [UNKNOWN_ID]
    assert "ticket 7" in seen.texts["facts"]


@pytest.mark.parametrize("order", [1, -1])
def test_an_image_of_several_requests_stands_once_and_where_it_matters_most(order: int) -> None:
    told = [Outcome("id-1", "refused", "changed"), Outcome("id-1", "deleted"), Outcome("id-1", "already_gone")]
    results = [Result("", DeletionRequest(()), (outcome,)) for outcome in told[::order]]
    seen = shown(*results, mode="delete", decisions=[Decision(image(1), Objection("age", "too young"))])
    assert seen.images("goes") == {"ci-1": ("deleted", "")}
    assert list(seen.rows) == ["goes"]


@pytest.mark.parametrize("order", [1, -1])
def test_an_image_that_one_of_two_sweeps_selects_is_shown_as_selected(order: int) -> None:
    said = [Decision(image(1), None), Decision(image(1), Objection("age", "too young"))]
    result = Result("", SweepRequest(Select("ci-*")), (Outcome("id-1", "would_delete", name="ci-1"),))
    assert shown(result, decisions=said[::order]).images("goes") == {"ci-1": ("would delete", "")}


def test_what_a_sweep_left_to_workers_is_not_called_deleted() -> None:
    left = Outcome("id-1", "would_delete", detail="left to a worker", name="ci-1", size=GIB)
    seen = shown(Result("", SweepRequest(Select("ci-*")), (left,)), mode="delete", decisions=[Decision(image(1), None)])
    assert seen.headline == "Nothing was deleted; 1 left to a worker"
    assert seen.images("goes") == {"ci-1": ("to a worker", "left to a worker")}


# Runs that did nothing


def test_a_tripped_cap_is_the_first_thing_to_read(show: Show, cloud: FakeCloud) -> None:
    for number in range(3):
        cloud.add_image(f"ci-{number}")
    seen = show(sweep(limit=2), REAPER_MODE="delete")
    assert seen.headline == "Nothing was deleted: over the cap; 3 not done"
    assert "3 of 3 images are selected, and limit is 2" in seen.texts["verdict"]
    assert seen.images("failed")["ci-1"] == ("failed", "over_limit")
    assert len(cloud.images) == 3


def test_selected_images_that_got_no_outcome_of_their_own_are_not_done_either() -> None:
    images = tuple(image(number) for number in range(3))
    over = Outcome("id-0", "failed", "over_limit", "limit is 2")
    result = Result("", SweepRequest(Select("ci-*")), (over,), survey=Survey(3, images))
    seen = shown(result, decisions=[Decision(each, None) for each in images])
    assert seen.headline == "Nothing would be deleted: over the cap; 3 not done"
    assert list(seen.images("failed")) == ["ci-0", "ci-1", "ci-2"]


def test_a_list_that_could_not_be_read_is_told(show: Show, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1")
    cloud.fault("GET", "/v2/images$", status=403)
    seen = show(sweep())
    assert seen.headline == "Nothing would be deleted: the images could not be listed"
    assert seen.texts["verdict"].startswith("The images could not be listed: denied, ")
    assert seen.texts["cards"].endswith("Stays unknownthe images could not be listed")
    assert "svg" not in seen.tags


def test_a_plan_that_was_not_carried_out_is_told() -> None:
    request = ApprovalRequest(plan="runs/a/plan.json", sha256="0" * 64, project_id="p", reason="jo")
    busy = Outcome("", "failed", "busy", "another run carries out the plan")
    seen = shown(Result("", request, (busy,)), mode="delete")
    assert seen.headline == "Nothing was deleted: the plan was not carried out"
    assert seen.texts["verdict"] == "The plan was not carried out: busy, another run carries out the plan."
    assert "the plan runs/a/plan.json" in seen.texts["facts"]


def test_a_paused_run_says_that_it_is_paused(show: Show, cloud: FakeCloud) -> None:
    seen = show(sweep(), REAPER_MODE="paused")
    assert (seen.texts["chip paused"], cloud.calls) == ("Paused", [])
    assert "REAPER_MODE is paused" in seen.texts["verdict"]


def test_an_empty_project_has_a_page_too(show: Show) -> None:
    seen = show(sweep())
    assert (seen.headline, seen.rows) == ("Nothing would be deleted", {})
    assert "0 images" in seen.texts["goes"]


def test_failures_and_requests_turned_down_are_told_at_the_top(show: Show, cloud: FakeCloud) -> None:
    asked = cloud.add_image("ci-1")
    cloud.fault("DELETE", asked, status=403)
    seen = show(queue("no JSON", {"image_ids": [asked]}), REAPER_MODE="delete")
    assert seen.headline == "Nothing is known to be deleted; 1 failed"
    assert "A request was turned down: body: not JSON" in seen.texts["verdict"]
    assert "denied 1" in seen.texts["verdict note"]


def test_a_message_that_was_given_back_is_told_at_the_top(show: Show, cloud: FakeCloud) -> None:
    failing, behind = cloud.add_image("ci-1"), cloud.add_image("ci-2")
    cloud.fault("DELETE", failing, status=403)
    event = queue({"image_ids": [failing]}, {"image_ids": [behind]}, fifo_groups=["a", "a"])
    seen = show(event, REAPER_MODE="delete")
    assert "Message m1 was returned to the queue: an earlier one of its group has failed" in seen.texts["verdict"]
    assert behind in cloud.images


# Sums, groups and length


def test_sums_leave_out_what_is_unknown_and_say_so(show: Show, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1", size=GIB)
    cloud.add_image("ci-2", size=None)
    cloud.add_image("prod", size=3 * GIB)
    seen = show(sweep())
    assert seen.headline == "2 of 3 images would be deleted, freeing 1.0 GiB"
    for words in ("2 images, 1 of unknown size", "66.7% of images, 25.0% of bytes"):
        assert words in seen.texts["goes"]
    assert "unknown" in seen.texts["verdict note"]


@pytest.mark.parametrize(
    ("group_by", "groups"),
    [
        ("name", ["ci-web", "ci-db", "prod"]),
        ("property:team", ["blue", "red", "green"]),
        ("tag-prefix:t:", ["t:1", "t:1, t:2", "t:3"]),
    ],
)
def test_groups_are_those_of_the_sweep(show: Show, cloud: FakeCloud, group_by: str, groups: list[str]) -> None:
    for number in range(2):
        cloud.add_image(f"ci-web-{number}", team="blue", tags=["t:1"], size=2 * GIB)
        cloud.add_image(f"ci-db-{number}", team="red", tags=["t:1", "t:2"], size=GIB)
    cloud.add_image("prod-1", team="green", tags=["t:3"])
    seen = show(sweep(keep={"newest": 1, "group_by": group_by}))
    assert [name for name in groups if f"<bdi>{name}</bdi>" in seen.source] == groups


def test_a_group_tells_its_share_of_all_images_of_the_group(show: Show, cloud: FakeCloud) -> None:
    for number in range(3):
        cloud.add_image(f"ci-web-{number}", size=GIB, created_at=f"2026-0{number + 1}-01T00:00:00Z")
    seen = show(sweep(keep={"newest": 1}))
    assert "2 of 3 images, 2.0 GiB of 3.0 GiB" in seen.texts["goes"]
    assert seen.images("stays")["ci-web-2"] == ("stays", "newest the newest of ci-web")


def test_the_oldest_come_first_with_their_age(show: Show, cloud: FakeCloud) -> None:
    cloud.add_image("ci-new", created_at="2026-10-31T12:30:00Z")
    cloud.add_image("ci-old", created_at="2026-01-01T12:30:00Z")
    seen = show(sweep())
    assert [(row[0], row[2]) for row in seen.rows["goes"][1:]] == [
        ("ci-old", "304 d2026-01-01"),
        ("ci-new", "1 d2026-10-31"),
    ]


@pytest.mark.slow("thousands of rows")
def test_what_stays_is_counted_where_it_is_too_much_to_list() -> None:
    stay = [Decision(image(number, size=number), Objection("age", "too young")) for number in range(MOST_LISTED + 5)]
    seen = shown(Result("", SweepRequest(Select("ci-*")), survey=Survey()), decisions=stay)
    assert len(seen.images("stays")) == MOST_LISTED
    assert "ci-4" not in seen.images("stays")
    assert "The 2,000 largest of 2,005 images" in seen.texts["stays"]
    assert "2,005" in seen.texts["reasons"]


@pytest.mark.slow("thousands of rows")
def test_failures_are_counted_where_they_are_too_many_to_list() -> None:
    told = tuple(
        Outcome(f"id-{number}", "failed", "throttled", name=f"ci-{number}", size=number)
        for number in range(MOST_LISTED + 5)
    )
    seen = shown(Result("", DeletionRequest(()), told), mode="delete")
    assert len(seen.images("failed")) == MOST_LISTED
    assert "The 2,000 largest of 2,005 images" in seen.texts["failed"]


@pytest.mark.slow("thousands of rows")
def test_what_goes_is_always_listed() -> None:
    images = [image(number) for number in range(MOST_LISTED + 5)]
    gone = tuple(Outcome(each.id, "would_delete", name=each.name, size=each.size) for each in images)
    seen = shown(Result("", DeletionRequest(()), gone))
    assert len(seen.images("goes")) == MOST_LISTED + 5


def test_the_policy_stands_on_the_page(show: Show) -> None:
    select = {"name": "ci-*", "tags": ["t"], "properties": {"k": "v"}, "size_over": GIB}
    policy = {"keep": {"newest": 3}, "limit": 7, "limit_percent": 12.5, "grace": "36h", "deactivate": True}
    asked = show(sweep(select={**select, "older_than": "2w"}, **policy)).texts["facts"]
    assert "name ci-*, tagged t, k = v, older than 14 days, larger than 1.0 GiB" in asked
    assert "the 3 newest of each group, by name up to the last hyphen" in asked
    assert "7 images, and 12.5% of all" in asked
    assert "36 hours between mark and deletion, deactivated meanwhile" in asked
    assert "status active" in show(sweep(select={"status": "active"})).texts["facts"]


# What comes from the cloud is text, and nothing else


HOSTILE = [
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "</title></td></table>",
    '" onmouseover="alert(1)',
    "' onfocus='alert(1)",
    "&lt;b&gt; & &amp;",
    "$headline ${title} $$",
    "<!--",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_becomes_markup(show: Show, cloud: FakeCloud, name: str) -> None:
    plain = show({"image_ids": [cloud.add_image("ci")]})
    seen = show({"image_ids": [cloud.add_image(name)], "reason": name})
    assert list(seen.images("goes")) == [name]
    assert seen.texts["facts"].startswith(f"Asked by{name}")
    assert [tag for tag in seen.tags if tag not in {"dt", "dd"}] == [
        tag for tag in plain.tags if tag not in {"dt", "dd"}
    ]
    assert {key for key, _ in seen.attributes} == {key for key, _ in plain.attributes}


@pytest.mark.parametrize("detail", HOSTILE)
def test_no_detail_becomes_markup(detail: str) -> None:
    outcome = Outcome("id-1", "refused", detail, detail, name=detail)
    seen = shown(Result("", DeletionRequest(()), (outcome,)))
    assert seen.images("refused") == {detail: ("refused", f"{detail} {detail}")}
    assert seen.tags.count("script") == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a\u202egpj", "a<U+202E>gpj"),
        ("a\x1b[2J\n\x00", "a<U+001B>[2J<U+000A><U+0000>"),
        ("a\u2028\u2029", "a<U+2028><U+2029>"),
        ("a\ud800", "a<U+D800>"),
        ("a\u200b\xa0", "a<U+200B><U+00A0>"),
        ("Größe \N{FIRE} \u05d0", "Größe \N{FIRE} \u05d0"),
    ],
    ids=ascii,
)
def test_what_no_eye_can_see_is_written_out(name: str, text: str) -> None:
    seen = shown(Result("", DeletionRequest(()), (Outcome("id-1", "would_delete", name=name),)))
    assert list(seen.images("goes")) == [text]
    assert seen.source.encode()


def test_the_page_takes_nothing_from_outside(show: Show, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1")
    seen = show(sweep())
    assert {"link", "img", "iframe", "form", "base", "object"}.isdisjoint(seen.tags)
    links = [value for key, value in seen.attributes if key in {"src", "href", "action", "srcset", "style"}]
    assert all(str(link).startswith("#") for link in links)
    policy = next(str(value) for key, value in seen.attributes if key == "content" and "default-src" in str(value))
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy + seen.source


def test_a_moment_in_the_future_is_no_age() -> None:
    ahead = image(1, created_at=NOW + timedelta(days=1))
    seen = shown(Result("", SweepRequest(Select("x"))), decisions=[Decision(ahead, Objection("age", "in the future"))])
    assert [row[2] for row in seen.rows["stays"] if row[:1] == ["ci-1"]] == ["in the future2026-11-02"]


# The box on a page whose plan can be approved


def boxed(place: Place, *images: Image) -> Page:
    request = SweepRequest(Select("ci-*"))
    outcomes = tuple(Outcome(each.id, "would_delete", name=each.name, size=each.size, image=each) for each in images)
    result = Result("", request, outcomes, survey=Survey(selected=images))
    plans = [{"images": [{"id": each.id} for each in images], "not_after": "2026-11-08T12:30:00+00:00"}]
    approval = approval_of(plan_file(plans), plans, "runs/d/p/r/", "fetch <it>", place)
    return Page(page(Report("direct", "dry-run", "r-1", "p-1", (result,), tuple(plans)), [], NOW, approval))


LAMBDA = Place(armed=True, takes_approvals=True, function="reaper", region="eu-central-1")


def test_the_box_says_what_an_approval_does_until_when_and_how() -> None:
    seen = boxed(LAMBDA, image(1), image(2))
    told = seen.texts["approval"]
    assert "deletes exactly the 2 images of this plan, once" in told
    assert "2026-11-08 12:30 UTC" in told
    (digest,) = set(re.findall("plan-([0-9a-f]{64})", told))
    assert f"SHA-256{digest}" in told
    assert """--payload '{"approve": {"plan": "runs/d/p/r/plan-""" in told
    assert "not armed" not in told
    assert seen.source.index("<h1>") < seen.source.index("<aside") < seen.source.index("<main>")


def test_a_command_is_one_line_that_is_selected_as_a_whole() -> None:
    seen = boxed(LAMBDA, image(1))
    commands = re.findall("<pre><code>(.*?)</code></pre>", seen.source, re.DOTALL)
    assert [command.split()[0] for command in commands] == ["aws", "image-reaper"]
    assert not [command for command in commands if "\n" in command]
    assert "user-select: all" in seen.source


def test_where_nothing_is_armed_the_box_says_that_an_approval_rehearses() -> None:
    assert "The function is not armed" in boxed(LAMBDA._replace(armed=False), image(1)).texts["approval"]


def test_where_no_approval_can_be_given_the_box_says_how_the_plan_is_fetched() -> None:
    told = boxed(LAMBDA._replace(takes_approvals=False), image(1)).texts["approval"]
    assert "fetch <it>" in told
    assert "aws lambda" not in told


def test_without_a_plan_there_is_no_box(show: Show, cloud: FakeCloud) -> None:
    cloud.add_image("ci-1")
    assert "aside" not in show(sweep()).tags


def test_the_policy_of_a_page_with_a_box_is_that_of_any_page() -> None:
    policy = re.compile("<meta http-equiv=.Content-Security-Policy.*")
    assert policy.findall(boxed(LAMBDA, image(1)).source) == policy.findall(shown().source) != []
