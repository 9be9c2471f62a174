"""What must have been answered before something may be sent or told, whatever is true."""

from collections.abc import Iterator

from tests.chaos.history import Request
from tests.chaos.observer.case import Case, came_before, image_in, was_done

LOST = frozenset({0, 502, 504})
"""What a client is told that does not know how its request ended."""
NOT_THERE = frozenset({400, 404})


def check_proofs(case: Case) -> None:
    """Check that what was sent and told was proven."""
    _check_counted(case)
    told = {name: set(_told(case, name)) for name in ("already_gone", "deleted", "failed")}
    # Of several requests for an image, the second may find it gone.
    for image_id in told["already_gone"] - told["deleted"] - told["failed"]:
        _check_gone(case, image_id)
    for asked in case.event.asked:
        if asked.message in (case.returned or ()) and not asked.problem and _is_done(case, asked.message):
            case.say("returned for nothing", f"message {asked.message}: none of its images has failed")


def _check_counted(case: Case) -> None:
    """With a budget, each deletion is counted before its DELETE is sent."""
    if case.settings.budget is None:
        return
    counted = [one for one in case.requests if _is_count(one) and one.status == one.told == 200]
    for number, (image_id, sent) in enumerate(_first_deletes(case), 1):
        before = sum(came_before(one.answered, sent.begun) for one in counted)
        if before < number:
            case.say("budget", f"{before} deletions were counted, and this is number {number}", image_id)


def _is_count(request: Request) -> bool:
    of_others = (b'"event/', b'"lease/')
    is_update = request.path.startswith("/aws") and b'"UpdateExpression"' in request.body
    return is_update and not any(key in request.body for key in of_others)


def _first_deletes(case: Case) -> Iterator[tuple[str, Request]]:
    known = set[str]()
    for request in case.requests:
        image_id = image_in(request) if request.method == "DELETE" else ""
        if image_id and image_id not in known:
            known.add(image_id)
            yield image_id, request


def _check_gone(case: Case, image_id: str) -> None:
    """Whoever has sent a DELETE knows only from a GET after it that the image is gone, and then it is he who did it."""
    sent = case.deletes.get(image_id, ())
    if any(was_done(one) and one.told in LOST for one in sent):
        case.say("outcome", "already_gone, and an own DELETE without an answer was carried out", image_id)
    looks = [one for one in case.requests if one.method == "GET" and image_in(one) == image_id]
    seen = [one for one in looks if one.status == one.told and one.told in NOT_THERE]
    if sent and not any(one.begun.order > sent[-1].begun.order for one in seen):
        case.say("outcome", "already_gone by the answer to a DELETE, and no GET says so", image_id)


def _is_done(case: Case, message: str) -> bool:
    """Whether everything that is told of a message is that it is done."""
    told = {line.said.get("message") for line in case.lines if line.said.get("message_id") == message}
    return bool(told) and told.isdisjoint({"image.failed", "images.untouched", "message.held", "request.rejected"})


def _told(case: Case, name: str) -> Iterator[str]:
    return (str(one["image_id"]) for one in case.outcomes if one["message"] == f"image.{name}")
