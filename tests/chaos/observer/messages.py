"""Messages: none is lost, none is done before all its images are, and none comes back for nothing."""

from collections.abc import Iterator

from tests.chaos.history import History, Message
from tests.chaos.observer.asked import Asked
from tests.chaos.observer.case import Case, Violation, was_done
from tests.chaos.observer.postponed import got_no_turn
from tests.chaos.observer.truth import is_settled


def check_messages(case: Case) -> None:
    """Check how the messages of one event were answered."""
    returned = case.returned
    if returned is None:
        _check_single(case)
        return
    own = {str(record.get("messageId")) for record in case.invocation.event.get("Records", ())}
    own |= {asked.message for asked in case.event.asked}
    if foreign := sorted(returned - own):
        case.say("batch", f"returned {foreign}, which the event does not hold")
    for asked in case.event.asked:
        if asked.message not in returned:
            _check_done(case, asked)
        elif _is_returned_for_nothing(case, asked):
            case.say("returned for nothing", f"message {asked.message}: all its images were deleted")
    _check_order(case, returned)


def _check_single(case: Case) -> None:
    """An event of a source that is answered as a whole: an answer without failures means that it is done."""
    answer = case.invocation.answer
    if case.event.source == "unknown" and answer is not None:
        case.say("unreadable done", "an event of no known shape was answered")
    is_done = isinstance(answer, dict) and answer.get("ok") is True
    for asked in case.event.asked if is_done else ():
        _check_done(case, asked)


def _check_done(case: Case, asked: Asked) -> None:
    if asked.problem:
        case.say("unreadable done", f"message {asked.message or case.event.source}: {asked.problem}")
        return
    if asked.activated and _was_told(case, asked.activated["image_id"], "refused"):
        return
    for image_id in _surely_asked(case, asked):
        if not is_settled(case, asked, image_id):
            case.say("acknowledged early", f"message {asked.message or case.event.source} is done", image_id)
    survey = case.survey(asked) if asked.sweep else None
    if survey and survey.is_surely_over(asked.grace) and not (asked.not_after and asked.not_after < case.times[1]):
        case.say("acknowledged early", f"message {asked.message or case.event.source}: a cap must have held it back")


def _surely_asked(case: Case, asked: Asked) -> Iterator[str]:
    yield from asked.targets
    survey = case.survey(asked) if asked.sweep else None
    yield from survey.selected if survey else ()


def _was_told(case: Case, image_id: str, name: str) -> bool:
    return any(one["image_id"] == image_id and one["message"] == f"image.{name}" for one in case.outcomes)


def _is_returned_for_nothing(case: Case, asked: Asked) -> bool:
    if (
        asked.problem
        or asked.approves
        or not asked.targets
        or case.invocation.frozen
        or not all(one.whole for one in case.requests)
    ):
        return False
    deleted = {image_id for image_id, sent in case.deletes.items() if any(map(was_done, sent))}
    # What gets no turn comes back untouched, also if others have named the same images.
    return asked.targets.keys() <= deleted and not _is_held(case, asked) and not got_no_turn(case, asked)


def _is_held(case: Case, asked: Asked) -> bool:
    return any(
        line.said.get("message") == "message.held" and line.said.get("message_id") == asked.message
        for line in case.lines
    )


def _check_order(case: Case, returned: frozenset[str]) -> None:
    broken: set[str] = set()
    for asked in case.event.asked:
        if asked.group is None:
            continue
        if asked.group in broken and asked.message not in returned:
            case.say("order", f"message {asked.message} of group {asked.group!r} is done after one that failed")
        if asked.message in returned:
            broken.add(asked.group)


def check_all_messages(history: History) -> Iterator[Violation]:
    """What became of every message of a world."""
    for message in history.messages.values():
        for promise, text in _fate(history, message):
            number = message.deliveries[-1][0] if message.deliveries else None
            yield Violation(promise, number, "", f"message {message.id} {text}")


def _fate(history: History, message: Message) -> Iterator[tuple[str, str]]:
    ended = {what for _, what in message.deliveries}
    if message.done and message.dead:
        yield "lost", "is done, and lies among the dead letters"
    if message.done and "done" not in ended:
        yield "lost", "left the queue although no delivery was done"
    if message.dead and message.kept_body != message.body:
        yield "lost", "lies among the dead letters with another body"
    if message.dead and not message.done and not _is_told(history, message):
        yield "untold", "lies among the dead letters, and the log of its last delivery does not name it"


def _is_told(history: History, message: Message) -> bool:
    if not message.deliveries:
        return False
    number, what = message.deliveries[-1]
    invocation = next((one for one in history.invocations[number : number + 1] if one.number == number), None)
    if what == "died" or invocation is None or invocation.died:
        return True
    return f'"{message.id}"' in invocation.printed
