"""What people are told: one message, of what matters most, that somebody who has never heard of it understands."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from handler.model.notice import Notice
from handler.model.outcome import Outcome, Result, Survey
from handler.model.request import DeletionRequest, Select, SweepRequest
from handler.report.approval import Approval
from handler.report.notice import LONGEST_SUBJECT, notice_of
from handler.report.paragraphs import MOST_IMAGES, MOST_OWNERS, Stored, one_line
from handler.report.report import OwnRules, Report
from handler.rules.safety import Policy
from tests.unit.test_page import image

PROJECT = "ca22e864e8a245eaaf7f4a4d2f1d0a11"
DAY = date(2026, 12, 24)
SWEEP = SweepRequest(Select("ci-*"), reason="nightly")
GIB = 2**30
NOTHING = Stored()
APPROVAL = Approval(
    key="k",
    digest="d",
    until=datetime(2026, 12, 3, 19, 24, tzinfo=UTC),
    images=1,
    requests=1,
    armed=True,
    command="aws lambda invoke ...",
    from_shell="image-reaper --approve k",
    fetch="aws s3 cp ...",
)


def outcome(name: str, reason: str = "", /, number: int = 1, person: str = "", **more: Any) -> Outcome:  # noqa: ANN401 (any field)
    seen = image(number, person=person, **({"name": more["name"]} if "name" in more else {}))
    return Outcome(seen.id, name, reason, **({"name": seen.name, "size": GIB, "image": seen} | more))  # type: ignore[arg-type]


def told(
    *outcomes: Outcome,
    **more: Any,  # noqa: ANN401 (what `said` takes)
) -> Notice:
    found = said(*outcomes, **more)
    assert found
    return found


def said(
    *outcomes: Outcome,
    mode: str = "delete",
    request: Any = SWEEP,  # noqa: ANN401 (any request)
    stored: Stored = NOTHING,
    project: str = PROJECT,
    source: Any = "schedule",  # noqa: ANN401 (any source)
) -> Notice | None:
    survey = Survey(looked_at=503) if isinstance(request, SweepRequest) else None
    results = (Result("", request, outcomes, survey=survey),)
    return notice_of(Report(source, mode, "r-1", project, results), "keep me", stored)


WOULD = outcome("would_delete")
WOULD_MARK = outcome("would_delete", waits=True, promised=DAY)
MARKED = outcome("marked", promised=DAY)
DELETED = outcome("deleted")
OVER = outcome("failed", "over_limit", detail="30 of 40 images are selected, and limit is 25")
DENIED = outcome("failed", "denied", detail="the cloud says no")


@pytest.mark.parametrize(
    ("outcomes", "mode", "kind", "subject"),
    [
        ([WOULD], "dry-run", "plan", "1 image would be deleted (1.0 GiB)"),
        ([WOULD_MARK], "dry-run", "plan", "1 image would be marked first"),
        ([MARKED], "delete", "marked", "1 image is marked, and goes after 2026-12-24"),
        ([MARKED, DELETED, DELETED], "delete", "deleted", "2 images were deleted (2.0 GiB)"),
        ([WOULD], "delete", "deleted", "1 image goes to a worker to be deleted (1.0 GiB)"),
        ([OVER, MARKED], "delete", "held", "a cap held: nothing was deleted"),
        ([OVER, DELETED], "delete", "held", "a cap held: only 1 was deleted"),
        ([DENIED, OVER, DELETED], "delete", "failed", "1 image failed (denied)"),
        (
            [Outcome("", "failed", "unavailable")],
            "delete",
            "failed",
            "a sweep failed (unavailable)",
        ),
    ],
)
def test_the_subject_says_what_matters_most(outcomes: list[Outcome], mode: str, kind: str, subject: str) -> None:
    found = told(*outcomes, mode=mode, project="demo")
    assert (found.subject, found.attributes["kind"]) == (f"image-reaper: {subject} in project demo", kind)


@pytest.mark.parametrize(
    "outcomes",
    [[], [outcome("refused", "kept")], [outcome("already_gone")], [outcome("marked")]],
    ids=["nothing", "refused", "gone", "waiting since an earlier run"],
)
def test_where_there_is_nothing_to_say_nobody_is_told(outcomes: list[Outcome]) -> None:
    assert said(*outcomes) is None


@pytest.mark.parametrize(
    ("source", "outcomes", "is_told"),
    [
        ("direct", [DELETED], True),
        ("stack", [DENIED], True),
        ("queue", [DELETED], False),
        ("queue", [DENIED], False),
        ("direct", [WOULD], False),
    ],
)
def test_of_images_by_their_ids_a_queue_tells_nothing_and_others_what_was_done(
    source: str,
    outcomes: list[Outcome],
    is_told: bool,  # noqa: FBT001 (what is expected)
) -> None:
    mode = "dry-run" if outcomes == [WOULD] else "delete"
    assert bool(said(*outcomes, mode=mode, request=DeletionRequest(()), source=source)) is is_told


def test_a_sweep_that_a_queue_brought_is_told() -> None:
    assert told(DELETED, source="queue").attributes["kind"] == "deleted"


def test_the_text_is_short_and_says_everything() -> None:
    text = told(
        *(outcome("would_delete", number=number, person="alice" if number else "") for number in range(7)),
        outcome("refused", "kept"),
        mode="dry-run",
        stored=Stored(page="https://console/page", fetch="fetch page", approval=APPROVAL),
    ).text
    assert text.splitlines() == [
        "Images: 7 would be deleted (7.0 GiB), 1 stays, since a rule objects.",
        "This was a rehearsal: nothing was deleted or marked.",
        f"Project {PROJECT}, 503 images looked at, asked by nightly.",
        "",
        "Owner alice: ci-1, ci-2, ci-3 and 3 more",
        "Of no known owner: ci-0",
        "",
        "What goes, what stays, and why: the page of this run, and the command that fetches it.",
        "https://console/page",
        "fetch page",
        "",
        "To keep an image, whatever asks for its deletion:",
        "openstack image set --tag 'keep me' IMAGE",
        "",
        "To approve, until 2026-12-03 19:24 UTC: this deletes exactly the images of the plan (1).",
        "aws lambda invoke ...",
        "",
        "In the log of image-reaper, this run is r-1.",
    ]


def test_whoever_approves_where_nothing_is_armed_knows_that_it_only_rehearses() -> None:
    text = told(WOULD, mode="dry-run", stored=Stored(approval=APPROVAL._replace(armed=False))).text
    assert "not armed: until it is, this only rehearses" in text


def test_where_nothing_takes_approvals_the_plan_is_fetched_and_sent() -> None:
    text = told(WOULD, mode="dry-run", stored=Stored(approval=APPROVAL._replace(command="", from_shell=""))).text
    assert "each of its `plans` is a request that can be sent until 2026-12-03 19:24 UTC.\naws s3 cp ..." in text


def test_of_a_mark_an_owner_learns_how_and_until_when_to_object() -> None:
    lines = told(MARKED, outcome("marked", promised=date(2026, 12, 30))).text.splitlines()
    assert "Or object to its mark, at the latest on 2026-12-24 (UTC): without the mark, no sweep deletes it." in lines
    assert "openstack image unset --tag reaper-delete-after=2026-12-24 IMAGE" in lines


def test_what_is_gone_can_not_be_kept() -> None:
    assert "To keep" not in told(DELETED).text


def test_owners_and_their_images_are_few_and_counted() -> None:
    outcomes = [outcome("deleted", number=n, person=f"owner-{n % 9}") for n in range(40)]
    lines = [line for line in told(*outcomes).text.splitlines() if line.startswith(("Owner", "and "))]
    assert len(lines) == MOST_OWNERS + 1
    assert all(line.count("ci-") == MOST_IMAGES for line in lines[:-1])
    assert (lines[0].endswith(" and 2 more"), lines[-1]) == (True, "and 4 more owners")


def test_the_families_are_those_of_what_goes_and_at_most_twenty() -> None:
    outcomes = [outcome("deleted", number=n, name=f"f{n % 30}-{n}") for n in range(59)]
    families = told(*outcomes, outcome("refused", "kept", name="prod-1")).attributes["family"]
    assert (len(families), families[0]) == (20, "f0")
    assert "prod" not in families
    assert "family" not in told(Outcome("i", "deleted")).attributes


@pytest.mark.parametrize("project", [PROJECT, "x" * 300, "\u732b\n\u202eevil", ""])
def test_a_subject_is_short_ascii_and_one_line(project: str) -> None:
    for found in (told(WOULD, mode="dry-run", project=project), told(DENIED, project=project)):
        assert found.subject.isascii()
        assert found.subject.isprintable()
        assert len(found.subject) <= LONGEST_SUBJECT
    assert told(DELETED, project="").attributes["project"] == "unknown"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nb\tc", "a b c"),
        ("\u202eabc\x1b[31m\x00", "?abc?[31m?"),
        ("see https://u:pw@evil.example/?token=x", "see https: //***@evil.example/?***"),
        ("x" * 200, "x" * 78 + ".."),
        ("\xe4\U0001f408", "\xe4\U0001f408"),
        ("\ud800", "?"),
    ],
)
def test_what_others_wrote_is_one_line_that_mail_makes_no_link_of(text: str, line: str) -> None:
    assert one_line(text) == line


def test_the_cap_of_the_invocation_stands_beside_those_of_a_sweep_that_is_held() -> None:
    own = OwnRules(mode="delete", policy=Policy(), in_use_check=True, in_use_also=frozenset())
    report = Report("schedule", "delete", "r-1", PROJECT, (Result("", SWEEP, (OVER,)),), max_images=9, own=own)
    notice = notice_of(report, "keep me", NOTHING)
    caps = f"Caps: {SWEEP.limit} images, and {SWEEP.limit_percent:g}% of all; at most 9 in one invocation"
    assert notice
    assert f"\n{caps} (REAPER_MAX_IMAGES).\n" in notice.text
    assert "Caps: " not in told(DELETED).text


def test_a_notice_tells_one_from_several() -> None:
    waits, refused, sent = outcome("marked"), outcome("refused", "protected"), outcome("would_delete")
    one, two = told(waits, refused, sent, DENIED).text, told(*(waits, refused, sent) * 2, DENIED).text
    assert "1 left to a worker, which deletes it" in one
    assert "1 waiting for its day, 1 stays, since a rule objects" in one
    assert "2 left to workers, which delete them" in two
    assert "2 waiting for their day, 2 stay, since a rule objects" in two


def test_why_a_cap_held_and_what_failed_stand_in_the_text() -> None:
    text = told(OVER, DENIED, stored=Stored(problem="AccessDenied")).text
    assert "Failed, over_limit: 30 of 40 images are selected, and limit is 25" in text
    assert "Failed, denied: the cloud says no" in text
    assert "could not be stored: AccessDenied" in text
