"""The tree of what may go wrong: as it is drawn, with a reason that the contract knows."""

import re
from contextlib import ExitStack

import pytest

from handler import errors
from handler.errors import CloudError, ReaperError

REASONS_OF_FAILURES = {"denied", "throttled", "unavailable", "deadline", "over_limit", "budget"} | {
    "backup_left",
    "busy",
    "paused",
    "unexpected",
}


def descendants(root: type[ReaperError]) -> list[type[ReaperError]]:
    return [found for child in root.__subclasses__() for found in (child, *descendants(child))]


def drawn() -> set[tuple[str, str]]:
    """Each class of the drawing with the one above it."""
    pairs, path = set(), ["ReaperError"]
    for line in (errors.__doc__ or "").splitlines():
        if branch := re.match(r"([ │]*[├└]── )(\w+)", line):
            depth = len(branch[1]) // 4
            path[depth:] = [branch[2]]
            pairs.add((branch[2], path[depth - 1]))
    return pairs


CLOUD_ERRORS = [error for error in descendants(CloudError) if issubclass(error, CloudError)]
names = pytest.mark.parametrize("error", CLOUD_ERRORS, ids=lambda error: error.__name__)


def test_the_tree_is_as_it_is_drawn() -> None:
    assert drawn() == {(error.__name__, error.__bases__[0].__name__) for error in descendants(ReaperError)}


def test_every_error_of_the_module_hangs_on_the_tree_by_one_branch() -> None:
    ours = [thing for thing in vars(errors).values() if isinstance(thing, type) and issubclass(thing, Exception)]
    assert set(ours) == {ReaperError, *descendants(ReaperError)}
    assert all(len(error.__bases__) == 1 for error in ours)


@names
def test_every_cloud_error_has_a_reason_of_the_contract(error: type[CloudError]) -> None:
    assert error.reason in REASONS_OF_FAILURES


def test_only_what_may_pass_by_itself_may_be_retried() -> None:
    assert {error.__name__ for error in CLOUD_ERRORS if error.may_retry} == {
        "AnswerLost",
        "Outdated",
        "Throttled",
        "Unanswered",
        "Unavailable",
        "Unreachable",
    }


def test_only_what_every_image_would_meet_ends_the_run() -> None:
    ending = {error.__name__ for error in CLOUD_ERRORS if error.ends_run}
    assert ending == {"CredentialsRefused", "Unreachable", "DeadlineReached", "Paused"}


@names
def test_an_error_is_frozen_once_it_is_made(error: type[CloudError]) -> None:
    made = error("no", retry_after=2.5)
    for name in ("may_retry", "ends_run", "retry_after", "reason"):
        with pytest.raises(AttributeError, match=f"{error.__name__}.{name} can't be changed"):
            setattr(made, name, True)
    with pytest.raises(error, match="no"), ExitStack():  # contextlib notes a traceback in it
        raise made from ValueError("cause")


@names
def test_an_error_made_anew_says_the_same_and_may_end_the_run(error: type[CloudError]) -> None:
    made = error("no", retry_after=2.5)
    assert (type(made.anew()), str(made.anew()), made.anew().retry_after) == (error, "no", 2.5)
    assert (made.anew().ends_run, made.anew(ends_run=True).ends_run) == (error.ends_run, True)
    assert made.anew(ends_run=True).anew().ends_run is error.ends_run


@names
def test_a_cloud_error_carries_its_message_and_the_time_that_the_cloud_named(error: type[CloudError]) -> None:
    assert str(error("no")) == "no"
    assert error("no").retry_after is None
    assert error("no", retry_after=2.5).retry_after == 2.5
