from typing import NamedTuple
from tests.chaos.history import History, Invocation


class Violation(NamedTuple):
    promise: str
    invocation: int | None
    image: str
    text: str


def judge(history, invocation):
    return []


def judge_world(history):
    return []
