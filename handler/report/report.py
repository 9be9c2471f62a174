"""The report: what one invocation did, as a value."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from handler.model.image import Also
from handler.model.masking import masked, masked_all
from handler.model.message import Message
from handler.model.outcome import Outcome, Result
from handler.model.request import Source
from handler.rules.safety import Policy

T = TypeVar("T")

LARGEST_ANSWER = 5_000_000
"""Bytes of an answer as JSON in ASCII. Lambda takes 6 MB. Source: AWS Lambda developer guide, "Quotas"."""
_LARGEST_PLANS = 3_000_000
"""Bytes of all plans in an answer. They go before the outcomes, since they are what is carried out next."""

_MOST_SWEEPS = 300
"""Sweeps that are told of: all that anybody sends at once, and few enough for one line of the log."""
_LONGEST_DETAIL = 1_000
"""Characters of the detail of a failure in a summary."""


class OwnRules(NamedTuple):
    """What the operator has set for every request: `in_use_also` is what uses images beside servers.

    `in_use_check` is false where nobody asks whether an image is used.
    """

    mode: str
    policy: Policy
    in_use_check: bool
    in_use_also: frozenset[Also]


class Report(NamedTuple):
    """What one invocation did. The plans of a rehearsal delete exactly what was rehearsed, if it has not changed.

    `ages` are those of the messages that a queue gets back. `max_images` is how many images the invocation may delete.
    `own` is None where a report is on no run.
    """

    source: Source
    mode: str
    request_id: str
    project_id: str
    results: tuple[Result, ...]
    plans: tuple[dict[str, Any], ...] = ()
    ages: tuple[float, ...] = ()
    max_images: int = 0
    own: OwnRules | None = None

    @property
    def outcomes(self) -> list[Outcome]:
        """Every outcome, in the order in which the images were named."""
        return [outcome for result in self.results for outcome in result.outcomes]

    @property
    def ok(self) -> bool:
        """Whether no image failed and no request was turned down."""
        return not any(result.failed for result in self.results)

    @property
    def counts(self) -> dict[str, int]:
        """How many images had each outcome."""
        return dict(Counter(outcome.outcome for outcome in self.outcomes))

    def answer(self, *, whole: bool = False) -> dict[str, Any]:
        """The report as a caller gets it: JSON values only, and no more bytes than LARGEST_ANSWER, unless `whole`."""
        plans, others = _first_of(map(masked_all, self.plans), len(self.plans), math.inf if whole else _LARGEST_PLANS)
        answer = {
            "ok": self.ok,
            "mode": self.mode,
            "source": self.source,
            "request_id": self.request_id,
            "counts": self.counts,
            **masked_all(self.sweeps()),
            **self.sent(),
            **plan_of(plans),
            **({"plans_in_log": others} if others else {}),
        }
        room = math.inf if whole else LARGEST_ANSWER - len(json.dumps(answer))
        told = [(outcome, self._whose(result)) for result in self.results for outcome in result.outcomes]
        outcomes, others = _first_of((masked_all(as_json(one) | whose) for one, whose in told), len(told), room)
        answer |= {"outcomes": outcomes, **({"outcomes_in_log": others} if others else {})}
        # A name may hold half a character (a lone surrogate), which JSON can say and UTF-8 can't. Lambda's runtime dies
        # of it: the images would be deleted, and the caller would try again without knowing that.
        text = json.dumps(answer, ensure_ascii=False)
        sendable: dict[str, Any] = json.loads(text.encode(errors="replace"))
        return sendable

    @property
    def failed_messages(self) -> list[str]:
        """The ids of the messages that must come again."""
        return [result.message_id for result in self.results if result.failed]

    def problems(self) -> dict[str, str]:
        """How each message ended, by its id: an empty text if all went well. One that is held back has not ended."""
        return {result.message_id: self._problem(result) for result in self.results if not result.held}

    def _problem(self, result: Result) -> str:
        return result.problem or (self._replace(results=(result,)).summary() if result.failed else "")

    def summary(self) -> str:
        """One line about what failed, for an exception or for CloudFormation."""
        failed = [outcome for outcome in self.outcomes if outcome.failed]
        told = "; ".join(f"{each.image_id} {each.reason}: {each.detail[:_LONGEST_DETAIL]}" for each in failed[:3])
        return masked(f"{len(failed)} of {len(self.outcomes)} images failed: {told}")

    def sweeps(self) -> dict[str, Any]:
        """What each sweep found, if there was one: how many images it looked at and selected, and why others stay."""
        surveys = [(result.survey, self._whose(result)) for result in self.results if result.survey]
        found = [
            {"looked_at": survey.looked_at, "selected": survey.selected_in_all, "stay": dict(survey.stay)} | whose
            for survey, whose in surveys
        ]
        others = {"sweeps_left_out": len(found) - _MOST_SWEEPS} if len(found) > _MOST_SWEEPS else {}
        return {"sweeps": found[:_MOST_SWEEPS], **others} if found else {}

    def sent(self) -> dict[str, int]:
        """To how many projects a sweep was sent, if one was for many."""
        sent = [result.sent for result in self.results if result.sent is not None]
        return {"projects": sum(sent)} if sent else {}

    def _whose(self, result: Result) -> dict[str, str]:
        """The project of a message, where there are several."""
        projects = {each.project_id for each in self.results if each.project_id}
        return {"project_id": result.project_id} if len(projects) > 1 else {}


def joined(reports: Sequence[Report], order: Sequence[str], mode: str) -> Report:
    """One report on all runs of an invocation; `order` is that of the ids of its messages, `mode` that of the function.

    Its project is empty if there are several.
    """
    if len(reports) == 1:
        return reports[0]
    places = {message_id: place for place, message_id in reversed(list(enumerate(order)))}
    found = [result for report in reports for result in report.results]
    results = tuple(sorted(found, key=lambda result: places[result.message_id]))
    projects = {report.project_id for report in reports if report.project_id}
    return reports[0]._replace(
        mode=mode_of(mode, results),
        project_id=projects.pop() if len(projects) == 1 else "",
        results=results,
        plans=tuple(plan for report in reports for plan in report.plans),
        ages=tuple(age for report in reports for age in report.ages),
    )


def ages_of(messages: Sequence[Message], results: Sequence[Result], moment: float) -> tuple[float, ...]:
    """The age of each message that its queue gets back: the seconds from its sending, if that is known, to a moment."""
    failed = {result.message_id: result.held for result in results if result.failed}
    # CloudFormation has its answer at once, and its message is done then, unless it was held back.
    back = [message for message in messages if message.id in failed and (message.call is None or failed[message.id])]
    # The clock of the queue may be a little ahead of ours.
    return tuple(max(moment - message.sent_at, 0.0) for message in back if message.sent_at is not None)


def mode_of(mode: str, results: Sequence[Result]) -> str:
    """The mode that applied to the images: a request may ask for a rehearsal even if the function is armed."""
    asked = [result.request for result in results if result.request]
    is_rehearsal = mode == "delete" and asked and all(request.dry_run for request in asked)
    return "dry-run" if is_rehearsal else mode


def as_json(outcome: Outcome) -> dict[str, Any]:
    """What a report and a log line say about an outcome."""
    fields = ("image_id", "name", "outcome", "reason", "detail", "size")
    return {field: getattr(outcome, field) for field in fields}


def plan_of(plans: Sequence[Any]) -> dict[str, Any]:
    """The plans of a report: `plan` if one is enough, else `plans`; nothing if there is none."""
    if not plans:
        return {}
    return {"plan": plans[0]} if len(plans) == 1 else {"plans": plans}


def _first_of(values: Iterable[T], count: int, room: float) -> tuple[list[T], int]:
    """As many of the first values as have room together, in bytes as JSON in ASCII, and how many others there are."""
    # Of those others none is made: there may be many thousand, at the end of the time that was granted.
    first = list[T]()
    for value in values:
        room -= len(json.dumps(value)) + len(", ")
        if room < 0:
            break
        first.append(value)
    return first, count - len(first)
