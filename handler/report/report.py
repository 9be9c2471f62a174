"""The report: what one invocation did, as a value."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from handler.model.image import Image
from handler.model.masking import masked, masked_all
from handler.model.outcome import Outcome, Result
from handler.model.request import MOST_IMAGES, Source, earliest


class Report(NamedTuple):
    """What one invocation did. A plan of it may be carried out until the moment `not_after`."""

    source: Source
    mode: str
    request_id: str
    project_id: str
    results: tuple[Result, ...]
    not_after: datetime | None = None

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

    def answer(self) -> dict[str, Any]:
        """The report as a caller gets it: JSON values only."""
        answer = {
            "ok": self.ok,
            "mode": self.mode,
            "source": self.source,
            "request_id": self.request_id,
            "counts": self.counts,
            "outcomes": [as_json(outcome) for outcome in self.outcomes],
            **self.sweeps(),
            **self.plan(),
        }
        # A name may hold half a character (a lone surrogate), which JSON can say and UTF-8 can't. Lambda's runtime dies
        # of it: the images would be deleted, and the caller would try again without knowing that.
        told = json.dumps(masked_all(answer), ensure_ascii=False)
        sendable: dict[str, Any] = json.loads(told.encode(errors="replace"))
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
        told = "; ".join(f"{outcome.image_id} {outcome.reason}: {outcome.detail}" for outcome in failed[:3])
        return masked(f"{len(failed)} of {len(self.outcomes)} images failed: {told}")

    def sweeps(self) -> dict[str, Any]:
        """What each sweep found, if there was one: how many images it looked at and selected, and why others stay."""
        surveys = [result.survey for result in self.results if result.survey]
        found = [
            {"looked_at": survey.looked_at, "selected": survey.selected_in_all, "stay": dict(survey.stay)}
            for survey in surveys
        ]
        return {"sweeps": found} if found else {}

    def plan(self) -> dict[str, Any]:
        """The `plan` of a rehearsal: the request that deletes just what was rehearsed, and only as it is now."""
        if self.mode != "dry-run":
            return {}
        requests = [result.request for result in self.results if result.request]
        goes = [outcome for outcome in self.outcomes if outcome.outcome == "would_delete" and not outcome.waits]
        rehearsed = [outcome.image for outcome in goes if outcome.image]
        # Each once, even if several requests have named it, no more than a request may name, and none that no request
        # can name: the plan must be accepted as a request.
        images = {image.id: image for image in rehearsed if image.can_be_named}.values()
        plan: dict[str, Any] = {
            "images": [_expectation(image) for image in list(images)[:MOST_IMAGES]],
            "project_id": self.project_id,
        }
        if self.not_after:
            plan["not_after"] = earliest(self.not_after, requests).isoformat(timespec="seconds")
        # One request that leaves backups is enough for the plan to leave them all: it must not delete more than asked.
        if requests and all(request.delete_backup for request in requests):
            plan["delete_backup"] = True
        if requests and requests[0].reason:
            plan["reason"] = requests[0].reason
        return {"plan": plan}


def mode_of(mode: str, results: Sequence[Result]) -> str:
    """The mode that applied to the images: a request may ask for a rehearsal even if the function is armed."""
    asked = [result.request for result in results if result.request]
    is_rehearsal = mode == "delete" and asked and all(request.dry_run for request in asked)
    return "dry-run" if is_rehearsal else mode


def as_json(outcome: Outcome) -> dict[str, Any]:
    """What a report and a log line say about an outcome."""
    fields = ("image_id", "name", "outcome", "reason", "detail", "size")
    return {field: getattr(outcome, field) for field in fields}


def _expectation(image: Image) -> dict[str, Any]:
    """The image as a plan names it, without an attribute that holds a secret: masked, it could only be a difference."""
    named = image.expectation()
    return named | {"expect": {key: value for key, value in named["expect"].items() if masked_all(value) == value}}
