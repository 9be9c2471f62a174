"""Which messages are for whom: no message is lost, and the order of every group of a FIFO queue stays."""

from hypothesis import given
from hypothesis import strategies as st

from handler.compose.projects.shares import shares_of
from handler.model.message import Message, Rejected
from handler.model.request import DeletionRequest, Request, Select, SweepRequest
from tests.faults import Clock

REQUESTS: list[Request | Rejected] = [
    Rejected("wrong"),
    SweepRequest(Select(), projects=("a", "b")),
    *(DeletionRequest((), project_id=project) for project in "abc"),
]
MESSAGES = st.lists(st.builds(Message, st.sampled_from(REQUESTS), group=st.sampled_from([None, "g", "h"])), max_size=12)


def numbered(messages: list[Message]) -> list[Message]:
    return [message._replace(id=f"m{number}") for number, message in enumerate(messages)]


@given(messages=MESSAGES.map(numbered), is_for_all=st.booleans())
def test_each_message_is_in_one_share_and_a_group_keeps_its_order(messages: list[Message], is_for_all: bool) -> None:  # noqa: FBT001
    in_turn = [message for share in shares_of(messages, is_for_all=is_for_all) for message in share.messages]
    assert sorted(in_turn, key=messages.index) == messages
    for group in ("g", "h"):
        assert [one for one in in_turn if one.group == group] == [one for one in messages if one.group == group]


@given(messages=MESSAGES.map(numbered))
def test_a_share_is_for_one_project(messages: list[Message]) -> None:
    for share in shares_of(messages, is_for_all=True):
        named = {one.request.project_id for one in share.messages if isinstance(one.request, DeletionRequest)}
        assert named in (set(), {share.project_id})


@given(messages=MESSAGES.map(lambda given: numbered([one._replace(group=None) for one in given])))
def test_without_groups_a_project_has_one_share(messages: list[Message]) -> None:
    projects = [share.project_id for share in shares_of(messages, is_for_all=True)]
    assert len(projects) == len(set(projects))


def test_where_one_secret_is_for_all_there_is_one_share() -> None:
    messages = numbered([Message(request) for request in REQUESTS if not getattr(request, "projects", ())])
    (share,) = shares_of(messages, is_for_all=False)
    assert (share.project_id, list(share.messages)) == ("", messages)


def test_each_part_of_a_run_gets_an_equal_share_of_the_time_that_is_left() -> None:
    clock = Clock(101.0)
    whole = clock.deadline()
    first = whole.share(4)
    assert (whole.left(), first.left()) == (100.0, 25.0)
    clock.pass_by(10.0)
    assert (first.left(), first.elapsed(), whole.share(3).left()) == (15.0, 10.0, 30.0)
    clock.pass_by(30.0)
    assert (first.left(), whole.share(1).left()) == (0.0, 60.0)


def test_what_is_good_until_a_moment_is_so_for_every_part() -> None:
    clock = Clock(101.0)
    whole = clock.deadline()
    clock.pass_by(10.0)
    assert whole.share(2).elapsed() == 10.0


def test_what_a_part_keeps_back_is_its_own_until_the_whole_keeps_it_back() -> None:
    whole = Clock(101.0).deadline()
    part = whole.share(2)
    part.keep_back(5.0)
    assert (part.left(), whole.left()) == (45.0, 100.0)
    whole.keep_back(part.reserve)
    assert whole.share(1).left() == 95.0
