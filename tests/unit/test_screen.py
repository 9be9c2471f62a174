"""The table on a screen: whole screens as a person sees them, in a pipe and on terminals of 120, 80 and 40 columns."""

import re
from datetime import timedelta
from typing import Any

import pytest

from handler.model.outcome import Outcome, Result
from handler.report.report import Report
from handler.shell.screen.lines.rows import age_in_words, rows_of
from handler.shell.screen.table import table
from handler.shell.screen.terminal import Screen
from tests.conftest import queue
from tests.fakecloud import FakeCloud
from tests.unit.screens import NOW, PIPE, Carry, at, carry, fill, id_of, on, settings_of
from tests.unit.test_page import image

__all__ = ["carry", "settings_of"]

Json = dict[str, Any]


@pytest.fixture
def asked(cloud: FakeCloud) -> Json:
    """A request for four images: one goes, one is protected, one is in use, one is not there."""
    ids = fill(cloud, ("ci-build-101", 319, 2), ("golden-debian-12-production", 31, 4), ("web-base", 0, None))
    cloud.images[ids[1]].protected = True
    cloud.add_server("web-1", image=ids[2], id="7f1d4a52-0b1c-4f3e-9a77-2c5de8a10001")
    return {"image_ids": [*ids, id_of(999)]}


IN_A_PIPE = """\
would_delete             6cad483b-e281-4985-a345-7afef1f3c000  ci-build-101                 319 d  2.0 GiB
refused       protected  6cad483b-e281-4985-a345-7afef1f3c001  golden-debian-12-production   31 d  4.0 GiB  {protected}
refused       in_use     6cad483b-e281-4985-a345-7afef1f3c002  web-base                     0 min  unknown  {in_use}
already_gone             6cad483b-e281-4985-a345-7afef1f3c999                                               {gone}
dry-run: 1 would_delete (2.0 GiB), 2 refused, 1 already_gone
""".format(
    protected="the image is protected",
    in_use="used by server web-1 (7f1d4a52-0b1c-4f3e-9a77-2c5de8a10001)",
    gone="the cloud knows no such image",
)
AT_120 = """\
would_delete             6cad483b-e281-4985-a345-7afef1f3c000  ci-build-101                 319 d  2.0 GiB
refused       protected  6cad483b-e281-4985-a345-7afef1f3c001  golden-debian-12-production   31 d  4.0 GiB
              the image is protected
refused       in_use     6cad483b-e281-4985-a345-7afef1f3c002  web-base                     0 min  unknown
              used by server web-1 (7f1d4a52-0b1c-4f3e-9a77-2c5de8a10001)
already_gone             6cad483b-e281-4985-a345-7afef1f3c999
              the cloud knows no such image

dry-run: 1 would_delete (2.0 GiB), 2 refused, 1 already_gone
"""
AT_80 = """\
would_delete  6cad483b-e281-4985-a345-7afef1f3c000  ci-build-101  319 d  2.0 GiB
refused       6cad483b-e281-4985-a345-7afef1f3c001  golde…uction   31 d  4.0 GiB
              protected: the image is protected
refused       6cad483b-e281-4985-a345-7afef1f3c002  web-base      0 min  unknown
              in_use: used by server web-1
              (7f1d4a52-0b1c-4f3e-9a77-2c5de8a10001)
already_gone  6cad483b-e281-4985-a345-7afef1f3c999
              the cloud knows no such image

dry-run: 1 would_delete (2.0 GiB), 2 refused, 1 already_gone
"""
AT_40 = """\
would_delete
  ci-build-101  319 d  2.0 GiB
  6cad483b-e281-4985-a345-7afef1f3c000
refused protected
  golden-debi…-production  31 d  4.0 GiB
  6cad483b-e281-4985-a345-7afef1f3c001
  the image is protected
refused in_use
  web-base  0 min  unknown
  6cad483b-e281-4985-a345-7afef1f3c002
  used by server web-1
  (7f1d4a52-0b1c-4f3e-9a77-2c5de8a10001)
already_gone
  6cad483b-e281-4985-a345-7afef1f3c999
  the cloud knows no such image

dry-run: 1 would_delete (2.0 GiB), 2
  refused, 1 already_gone
"""


@pytest.mark.parametrize(
    ("width", "seen"), [(None, IN_A_PIPE), (120, AT_120), (80, AT_80), (40, AT_40)], ids=["pipe", "120", "80", "40"]
)
def test_a_screen_looks_like_this(carry: Carry, asked: Json, width: int | None, seen: str) -> None:
    assert at(width, carry(asked)) == seen.splitlines()


COLOURED = """\
<36>would_delete<0>             6cad483b-e281-4985-a345-7afef1f3c000  ci-build  319 d  2.0 GiB
<33>refused     <0>  protected  6cad483b-e281-4985-a345-7afef1f3c001  golden     31 d  4.0 GiB  the image is protected

dry-run: 1 would_delete (2.0 GiB), 1 refused
"""


def test_a_colour_is_only_added_and_moves_nothing(carry: Carry, cloud: FakeCloud) -> None:
    ids = fill(cloud, ("ci-build", 319, 2), ("golden", 31, 4))
    cloud.images[ids[1]].protected = True
    report = carry({"image_ids": ids})
    told = on(Screen(120, colour=True), report)
    assert told == COLOURED.rstrip().replace("<", "\033[").replace(">", "m")
    for width in (40, 80, 120):
        assert re.sub(r"\033\[\d+m", "", on(Screen(width, colour=True), report)) == on(Screen(width), report)


@pytest.mark.parametrize("width", [40, 41, 59, 60, 79, 80, 81, 100, 119, 120, 200])
def test_no_line_is_longer_than_the_screen_whatever_its_width(carry: Carry, asked: Json, width: int) -> None:
    lines = at(width, carry(asked))
    assert max(map(len, lines)) <= width
    assert all(image_id in "\n".join(lines) for image_id in asked["image_ids"])


def test_where_details_fit_each_image_has_one_line(carry: Carry, cloud: FakeCloud) -> None:
    ids = fill(cloud, ("golden-debian-12-production-and-more", 31, 4), ("ci-1", 31, 4))
    cloud.images[ids[0]].protected = True
    row, other, *_ = at(120, carry({"image_ids": ids}))
    assert row.split()[3:] == ["golden-d…-and-more", "31", "d", "4.0", "GiB", "the", "image", "is", "protected"]
    assert other.endswith("ci-1                31 d  4.0 GiB")


ENDS_APART = """\
would_delete  6cad483b-e281-4985-a345-7afef1f3c000  ci-bui…6-1001  31 d  2.0 GiB
would_delete  6cad483b-e281-4985-a345-7afef1f3c001  ci-bui…6-1002  31 d  2.0 GiB
"""
MIDDLES_APART = """\
would_delete  ci-build-1001-of-november-amd64  31 d  2.0 GiB
              6cad483b-e281-4985-a345-7afef1f3c000
would_delete  ci-build-1002-of-november-amd64  31 d  2.0 GiB
              6cad483b-e281-4985-a345-7afef1f3c001
"""


@pytest.mark.parametrize(
    ("name", "seen"), [("ci-build-x86-{}", ENDS_APART), ("ci-build-{}-of-november-amd64", MIDDLES_APART)], ids=len
)
def test_where_names_differ_is_seen_at_80_columns(carry: Carry, cloud: FakeCloud, name: str, seen: str) -> None:
    ids = fill(cloud, *((name.format(number), 31, 2) for number in (1001, 1002)))
    assert at(80, carry({"image_ids": ids}))[:-2] == seen.splitlines()


def test_wide_and_combining_characters_keep_the_columns_in_line(carry: Carry, cloud: FakeCloud) -> None:
    names = ("\u955c\u50cf-\u6d4b\u8bd5", "cafe\u0301", "\N{FIRE}-1", "\u1112\u1161\u11ab", "plain")
    report = carry({"image_ids": fill(cloud, *((name, 31, 2) for name in names))})
    ends = [line.removesuffix("31 d  2.0 GiB") for line in at(80, report)[:5]]
    start = f"would_delete  {id_of(0)}  "
    blanks = [end[len(start) :].removeprefix(name) for end, name in zip(ends, names, strict=True)]
    # As wide as they are shown: 9, 4, 4, 2 and 5 columns, and the gap.
    assert list(map(len, blanks)) == [2, 7, 7, 9, 6]


def test_a_wide_name_is_cut_where_it_would_not_fit(carry: Carry, cloud: FakeCloud) -> None:
    report = carry({"image_ids": fill(cloud, ("\u955c" * 30, 31, 2))})
    assert at(40, report)[1] == "  " + "\u955c" * 5 + "…" + "\u955c" * 6 + "  31 d  2.0 GiB"


@pytest.mark.parametrize("width", [None, 40, 80, 120])
def test_a_name_and_an_id_forge_no_line(width: int | None) -> None:
    strange = "x\n\x1b[2J\u202e\ud800\udce9"
    outcome = Outcome(strange, "refused", "kept", f"{strange}\nand a line", name=strange)
    report = Report("direct", "dry-run", "r", "p", (Result("", None, (outcome,)),))
    told = on(Screen(width, colour=True), report)
    assert told.count("x??[2J???") == 2
    assert "?and" not in told
    assert set(told) - set("\n\x1b") == {sign for sign in told if sign.isprintable()}


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(days=1400), "1,400 d"),
        (timedelta(days=31, hours=23), "31 d"),
        (timedelta(hours=5, minutes=59), "5 h"),
        (timedelta(minutes=59), "59 min"),
        (timedelta(minutes=-5), "0 min"),
    ],
)
def test_an_age_is_told_in_its_largest_unit(age: timedelta, words: str) -> None:
    outcome = Outcome("i", "would_delete", image=image(1, created_at=NOW - age))
    report = Report("direct", "dry-run", "r", "p", (Result("", None, (outcome,)),))
    assert [age_in_words(row, NOW) for row in rows_of(report)] == [words]


def test_an_age_that_nobody_knows_is_told_as_unknown() -> None:
    outcome = Outcome("i", "refused", "kept", image=image(1, created_at=None))
    report = Report("direct", "dry-run", "r", "p", (Result("", None, (outcome,)),))
    assert table(report, NOW, PIPE) == "refused  kept  i    unknown  unknown"


GRACE: Json = {"sweep": {"select": {"name": "ci-*"}, "grace": "3d", "limit_percent": 100}}


def words(carry: Carry, event: object, **settings: str) -> list[str]:
    return [row.kind.word for row in rows_of(carry(event, **settings))]


def test_what_would_only_be_marked_is_not_told_as_if_it_were_deleted(carry: Carry, cloud: FakeCloud) -> None:
    fill(cloud, ("ci-1", 31, 2))
    assert at(None, carry(GRACE)) == [
        f"would_mark    {id_of(0)}  ci-1  31 d  2.0 GiB  would be marked, and deleted after 2026-11-30",
        "1 looked at, 1 selected",
        "dry-run: 1 would_delete (2.0 GiB, 1 would be marked first)",
    ]


def test_who_names_an_image_that_waits_or_is_vetoed_is_told_so(carry: Carry, cloud: FakeCloud) -> None:
    ids = fill(cloud, ("ci-1", 31, 2), ("ci-2", 31, 2), ("ci-3", 31, 2))
    signed = "reaper-sweep=6012a1fc-2026-12-24"
    cloud.images[ids[0]].tags, cloud.images[ids[1]].tags = ["reaper-delete-after=2026-12-24", signed], [signed]
    start = [f"would_delete    {id_of(number)}  ci-{number + 1}  31 d  2.0 GiB" for number in range(3)]
    report = carry({"image_ids": ids})
    told = [f"{start[0]}  marked to stay until 2026-12-24", f"{start[1]}  vetoed: its mark was taken off", start[2]]
    assert at(None, report)[:3] == told
    # Of a plan, they were told so when it was made.
    assert "marked" not in on(PIPE, carry(report.plans[0]))
    assert "vetoed" not in on(PIPE, carry({"image_ids": ids}, REAPER_MODE="delete"))


def test_what_was_marked_before_waits(carry: Carry, cloud: FakeCloud) -> None:
    fill(cloud, ("ci-1", 31, 2))
    assert words(carry, GRACE, REAPER_MODE="delete") == ["marked"]
    assert words(carry, GRACE, REAPER_MODE="delete") == ["waits"]
    assert words(carry, GRACE) == ["waits"]


def test_a_rehearsal_that_its_request_asks_for_is_one_where_the_mode_is_armed(carry: Carry, cloud: FakeCloud) -> None:
    ids = fill(cloud, ("ci-1", 31, 2))
    rehearsed, armed = {"image_ids": ids, "dry_run": True}, {"image_ids": [id_of(9)]}
    assert words(carry, queue(rehearsed, armed), REAPER_MODE="delete") == ["would_delete", "already_gone"]
    assert cloud.dead == {}


def test_what_is_left_to_a_worker_is_sent() -> None:
    left = Outcome("i", "would_delete", detail="left to a worker: sent to the queue")
    report = Report("direct", "delete", "r", "p", (Result("", None, (left,)),))
    assert [row.kind.word for row in rows_of(report)] == ["sent"]
