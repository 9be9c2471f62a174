"""`--marks`: every image that bears a tag of ours, in words; and marks as text, in a pipe and on a terminal."""

from datetime import date

import pytest

from handler.config.settings import Settings
from handler.errors import CloudError
from handler.rules.marks import DEACTIVATED, MARK, SWEEP, draft_for, read_tags, recall_for
from handler.shell.screen.marks import marks_text, told_text, unmark_question
from handler.shell.screen.terminal import Screen
from handler.work.marks.changing import Told
from handler.work.marks.listing import Listing, Marked
from tests.conftest import UNKNOWN_ID
from tests.examples import DAY, NOW, image
from tests.fakecloud import OTHER, FakeCloud, Server
from tests.unit.conftest import AtTerminal
from tests.unit.marked import LATER, A, Shell, name_of, signature

PIPE = Screen()
SIGNED = f"{SWEEP}=6012a1fc-2026-06-14"
TODAY = NOW.date()
OLD_DRAFT, DRAFT = (draft_for("6012a1fc", TODAY, begun) for begun in (TODAY - 2 * DAY, TODAY))
STATES: dict[str, tuple[str, ...]] = {
    "waits until 2026-06-15": (f"{MARK}=2026-06-15", SIGNED),
    "waits until 2026-06-20": (f"{MARK}=2026-06-15", f"{MARK}=2026-06-20", SIGNED),
    "due since 2026-06-15": (f"{MARK}=2026-06-14", SIGNED),
    "due since 2026-06-14": (f"{MARK}=2026-06-13",),
    "vetoed: its mark was taken off": (SIGNED,),
    "vetoed: it was activated again": (f"{MARK}=2026-06-15", SIGNED, DEACTIVATED),
    "mark without a readable day": (f"{MARK}=soon", SIGNED),
    "being marked, or set free": (f"{MARK}=2026-06-15", DRAFT),
    "not in force: a run has died": (f"{MARK}=2026-06-15", OLD_DRAFT),
}


@pytest.fixture(params=["openstack", "otc"])
def cloud(request: pytest.FixtureRequest) -> FakeCloud:
    return FakeCloud(request.param)


@pytest.fixture
def shell(clean_environment: pytest.MonkeyPatch, cloud: FakeCloud, server: Server) -> Shell:
    del clean_environment
    return Shell(cloud, server.url)


def marked(*tags: str, **changes: object) -> Marked:
    found = image(tags=frozenset(tags), **changes)
    return Marked(found, read_tags(found))


@pytest.mark.parametrize(("state", "tags"), STATES.items(), ids=list(STATES))
def test_what_the_tags_say_is_told_in_words(state: str, tags: tuple[str, ...]) -> None:
    assert marked("x", *tags).state(TODAY) == state


@pytest.mark.parametrize("mode", ["dry-run", "delete", "paused"])
def test_every_image_with_a_tag_of_ours_is_listed_and_nothing_is_changed(
    shell: Shell, cloud: FakeCloud, mode: str
) -> None:
    cloud.page_size = 2
    images = [cloud.add_image(f"ci-{number}", tags=["temporary"]) for number in range(5)]
    vetoed, by_hand = cloud.add_image("z-1", tags=[signature(A)]), cloud.add_image("z-2", tags=[f"{MARK}=2026-12-24"])
    cloud.add_image("web-1", tags=["x", "reaperish"])
    cloud.add_image("ci-9", owner=OTHER, visibility="public", tags=[signature(A)])
    shell.sweep(A)
    before, calls = {key: list(found.tags) for key, found in cloud.images.items()}, len(cloud.calls)
    found = shell.listed(REAPER_MODE=mode)
    assert [each.image.id for each in found.marked] == [*images, vetoed, by_hand]
    assert [each.policies for each in found.marked] == [(name_of(A),)] * 6 + [()]
    assert {key: found.tags for key, found in cloud.images.items()} == before
    assert {call.method for call in cloud.calls[calls:] if "image" in call.path} == {"GET"}


def test_a_hidden_image_is_listed_too(shell: Shell, cloud: FakeCloud) -> None:
    hidden = cloud.add_image("ci-1", os_hidden=True, tags=[f"{MARK}=2026-12-24"])
    assert [each.image.id for each in shell.listed().marked] == [hidden]


def test_a_list_that_breaks_off_is_an_error_and_no_shorter_table(shell: Shell, cloud: FakeCloud) -> None:
    cloud.page_size = 1
    for number in range(3):
        cloud.add_image(f"ci-{number}", tags=[signature(A)])
    cloud.fault("GET", "images$", skip=2, times=None, status=500, headers=LATER)
    with pytest.raises(CloudError):
        shell.listed()


def test_an_image_whose_tags_can_t_be_read_is_told_apart(shell: Shell, cloud: FakeCloud) -> None:
    odd, good = cloud.add_image("odd"), cloud.add_image("ci-1", tags=[signature(A)])

    def edit(body: dict[str, list[dict[str, object]]]) -> object:
        for record in body["images"]:
            record["tags"] = "none" if record["id"] == odd else record["tags"]
        return body

    cloud.fault("GET", "images$", status=None, times=None, edit=edit)
    found = shell.listed()
    assert ([each.image.id for each in found.marked], [each.id for each in found.unreadable]) == ([good], [odd])
    assert "1 image vetoed; the tags of 1 image can't be read, and may be marks" in marks_text(found, NOW, PIPE)


# The list as text


LISTING = Listing(
    (
        marked(f"{MARK}=2026-12-24", SIGNED, name="ci-build-102", size=13 * 2**30),
        marked(SIGNED, name="a\033[31mb\nc", size=None, created_at=None),
        marked(f"{MARK}=2026-06-01", DEACTIVATED, name=None, status="deactivated"),
    )
)


def test_in_a_pipe_there_is_a_line_for_each_image() -> None:
    lines = marks_text(LISTING, NOW, PIPE).splitlines()
    one = image().id
    assert lines == [
        f"waits until 2026-12-24          {one}  ci-build-102  10 d         13.0 GiB      policy 6012a1fc",
        f"vetoed: its mark was taken off  {one}  a?[31mb?c     unknown age  unknown size  policy 6012a1fc",
        f"due since 2026-06-02            {one}                10 d         1,024 B       set by hand      deactivated",
        "2 images marked, 1 vetoed",
    ]


def test_vetoes_alone_are_no_marks() -> None:
    assert marks_text(Listing((marked(SIGNED),)), NOW, PIPE).endswith("\n1 image vetoed")


@pytest.mark.parametrize("width", [40, 80, 120])
def test_on_a_terminal_every_line_fits_and_nothing_is_left_out(width: int) -> None:
    text = marks_text(LISTING, NOW, Screen(width=width))
    assert max(map(len, text.splitlines())) <= width
    told = " ".join(text.split())
    assert all(
        each in told for each in ("waits until 2026-12-24", "13.0 GiB", "set by hand", "deactivated", "2 images marked")
    )


def test_that_nothing_is_marked_is_said_in_one_line() -> None:
    assert marks_text(Listing(()), NOW, PIPE) == "no image is marked"
    assert told_text((), settings(), PIPE) == "no image is marked"


# The question before all marks are taken off

MARKED, VETOED, BY_HAND = (f"{MARK}=2026-06-14", SIGNED), (SIGNED,), (f"{MARK}=2026-06-15",)
AGAIN = (SIGNED, DEACTIVATED)


@pytest.mark.parametrize(
    ("tags", "question"),
    [
        ([MARKED], "Take the mark off 1 image?"),
        ([MARKED, VETOED], "Take the mark off 1 image? 1 veto stays."),
        ([MARKED, MARKED, VETOED, BY_HAND], "Take the marks off 2 images? 1 veto and 1 mark set by hand stay."),
        ([VETOED], ""),
        ([VETOED, VETOED, BY_HAND], ""),
        ([], ""),
    ],
    ids=repr,
)
def test_who_is_asked_is_asked_about_what_goes(tags: list[tuple[str, ...]], question: str) -> None:
    assert unmark_question(Listing(tuple(marked(*each) for each in tags)), TODAY) == question


def test_an_image_that_becomes_active_again_is_asked_about_too() -> None:
    found = Listing((marked(*MARKED), marked(*AGAIN, status="deactivated")))
    assert unmark_question(found, TODAY) == "Take the mark off 1 image and activate 1 image again? 1 veto stays."
    assert unmark_question(Listing(found.marked[1:]), TODAY) == "Activate 1 image again? 1 veto stays."


@pytest.mark.slow("starts an interpreter")
def test_nobody_is_asked_where_only_vetoes_are_left(at_terminal: AtTerminal, cloud: FakeCloud) -> None:
    image = cloud.add_image("ci-1", tags=[SIGNED])
    with at_terminal("--unmark-all", columns=120) as terminal:
        lines = terminal.ended(0)
    assert "No mark is to be taken off: 1 veto stays." in lines
    assert "goes ahead" not in " ".join(lines)
    assert cloud.images[image].tags == [SIGNED]


# What became of each image, as text


def settings(**more: str) -> Settings:
    return Settings.from_env(
        {"OS_AUTH_URL": "https://cloud/v3", "OS_USERNAME": "u", "OS_PASSWORD": "p", "OS_PROJECT_ID": "d"}
        | {"OS_USER_DOMAIN_NAME": "Default"}
        | more
    )


ID = image().id


def test_below_a_veto_stands_how_to_withdraw_it() -> None:
    detail = "its mark until 2026-12-24 was taken off"
    told = Told(image_id=ID, word="vetoed", detail=detail, image=image(), tags=(SIGNED,))
    first, empty, head, command, *rest = told_text((told,), settings(), PIPE).splitlines()
    assert (first, empty, rest) == (f"vetoed  {ID}  ci-1  {detail}", "", ["", "1 vetoed"])
    assert head.startswith("To withdraw a veto, take these tags off.")
    assert head.endswith("the tag keep does:")
    assert command == f"  openstack image unset --tag {SIGNED} {ID}"


def test_whoever_vetoes_what_is_not_marked_is_shown_the_keep_tag() -> None:
    told = Told(image_id=ID, word="not marked", detail="it is not marked", image=image())
    text = told_text((told,), settings(REAPER_KEEP_TAG="hands off"), PIPE)
    assert f"  openstack image set --tag 'hands off' {ID}\n" in text


def test_the_signatures_of_what_stays_come_last_since_a_mark_without_one_counts_for_everybody() -> None:
    tags = (recall_for("6012a1fc", date(2026, 6, 14)), SIGNED, f"{MARK}=2026-06-20", "reaper-x'$(rm)")
    told = Told(image_id=ID, word="stays", detail="set by hand", image=image(status="deactivated"), tags=tags)
    commands = [line.strip() for line in told_text((told,), settings(), PIPE).splitlines() if line.startswith("  ")]
    assert commands == [
        f"openstack image set --activate {ID}",
        f"openstack image unset --tag {MARK}=2026-06-20 {ID}",
        f"openstack image unset --tag 'reaper-x'\"'\"'$(rm)' {ID}",
        f"openstack image unset --tag reaper-recall-6012a1fc=2026-06-14 {ID}",
        f"openstack image unset --tag {SIGNED} {ID}",
    ]


def test_for_ims_no_command_is_shown_that_would_not_work_there() -> None:
    told = [
        Told(image_id=ID, word="vetoed", detail="x", image=image(), tags=(SIGNED,)),
        Told(image_id=UNKNOWN_ID, word="not marked", detail="y", image=image()),
    ]
    text = told_text(told, settings(REAPER_IMAGE_API="ims"), PIPE)
    assert "openstack" not in text
    assert f"  in the console of IMS: take off {ID} the tag {SIGNED}" in text
    assert f"  in the console of IMS: set on {UNKNOWN_ID} the tag keep" in text


@pytest.mark.parametrize("width", [40, 80, 120])
def test_what_became_of_each_fits_the_terminal_but_for_commands_to_be_pasted(width: int) -> None:
    told = [Told(image_id=ID, word="failed", detail="what is wrong, and how it is cured: " * 5, image=image())] * 2
    lines = told_text(told, settings(), Screen(width=width)).splitlines()
    assert max(map(len, lines)) <= width
    assert lines[-1] == "2 failed"
