"""What happened, told three ways: log lines, metrics, and an answer. The only place that knows metric names."""

import json
import logging
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TextIO

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.exceptions import InvalidLoggerSamplingRateError
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from handler.errors import InvalidSettings, Unexpected
from handler.model.image import Image
from handler.model.outcome import Outcome, Result
from handler.model.request import MOST_IMAGES, Job, Source

METRICS: Mapping[str, str] = {
    "deleted": "ImagesDeleted",
    "already_gone": "ImagesAlreadyGone",
    "marked": "ImagesMarked",
    "would_delete": "ImagesWouldDelete",
    "refused": "ImagesRefused",
    "failed": "ImagesFailed",
}
"""The metric that counts each outcome; those with a reason are counted once more as `<metric>_<reason>`."""


class Report(NamedTuple):
    """What one invocation did."""

    source: Source
    mode: str
    request_id: str
    project_id: str
    results: tuple[Result, ...]

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
            "outcomes": [_told(outcome) for outcome in self.outcomes],
            **self.sweeps(),
            **self.plan(),
        }
        # JSON lets a name hold half a character, UTF-8 does not: the runtime would die of it.
        sendable: dict[str, Any] = json.loads(json.dumps(answer, ensure_ascii=False).encode(errors="replace"))
        return sendable

    def failures(self) -> dict[str, Any]:
        """The answer to a queue: the messages that must come again."""
        return {"batchItemFailures": [{"itemIdentifier": r.message_id} for r in self.results if r.failed]}

    def summary(self) -> str:
        """One line about what failed, for an exception or for CloudFormation."""
        failed = [outcome for outcome in self.outcomes if outcome.failed]
        told = "; ".join(f"{outcome.image_id} {outcome.reason}: {outcome.detail}" for outcome in failed[:3])
        return f"{len(failed)} of {len(self.outcomes)} images failed: {told}"

    def sweeps(self) -> dict[str, Any]:
        """What each sweep found, if there was one: how many images there are, are selected, stay for which reason."""
        surveys = [result.survey for result in self.results if result.survey]
        told = [
            {"looked_at": survey.looked_at, "selected": len(survey.selected), "stay": dict(survey.stay)}
            for survey in surveys
        ]
        return {"sweeps": told} if told else {}

    def plan(self) -> dict[str, Any]:
        """Give a rehearsal's `plan`: the request that deletes just what was rehearsed, and only as it is now."""
        if self.mode != "dry-run":
            return {}
        requests = [result.request for result in self.results if result.request]
        rehearsed = [outcome.image for outcome in self.outcomes if outcome.outcome == "would_delete" and outcome.image]
        images = {image.id: image for image in rehearsed}.values()  # each once, whoever asked for it
        plan: dict[str, Any] = {
            "images": [image.expectation() for image in list(images)[:MOST_IMAGES]],
            "project_id": self.project_id,
        }
        if requests and all(request.delete_backup for request in requests):
            plan["delete_backup"] = True
        if requests and requests[0].reason:
            plan["reason"] = requests[0].reason
        return {"plan": plan}


class Reporter:
    """Writes the log and the metrics of a service."""

    def __init__(self, service: str, namespace: str) -> None:
        """Raises InvalidSettings if a variable of Powertools' is unusable: it reads those itself."""
        self._service = service
        self._namespace = namespace
        self._output = _StandardOutput()
        try:
            formatter = LambdaPowertoolsFormatter(
                service=service,
                utc=True,
                use_rfc3339=True,
                location=None,  # the event name says where a line comes from
                # Names of images may hold what standard output can't encode: plain ASCII always gets through.
                json_serializer=partial(json.dumps, default=str, separators=(",", ":")),
            )
            self._output.setFormatter(formatter)
            self._log = Logger(service=service, logger_handler=self._output, logger_formatter=formatter, location=None)
        except (ValueError, InvalidLoggerSamplingRateError) as exc:
            message = f"LOG_LEVEL or POWERTOOLS_*: {exc}"
            raise InvalidSettings(message) from exc

    def deleting(self, request_id: str, source: Source, image: Image, job: Job) -> None:
        """Write the journal line: everything that is known of an image, before its deletion.

        It is written whatever LOG_LEVEL says, since it is all that is left of the image. Raises Unexpected if it
        can't be written: then nothing may be deleted.
        """
        fields = {
            "image_id": image.id,
            "image": _without_credentials(image.record),
            "asked_by": job.request.reason,
            "message_id": job.message_id,
            "source": source,
            "request_id": request_id,
        }
        record = logging.makeLogRecord(
            {"levelname": "INFO", "levelno": logging.INFO, "msg": "image.deleting", **fields}
        )
        try:
            self._output.write(record)
        except OSError as exc:
            message = "the journal could not be written"
            raise Unexpected(message) from exc

    def told(self, request_id: str, source: Source, outcome: Outcome, job: Job) -> None:
        """Write what became of an image."""
        fields = _told(outcome) | {"image_name": outcome.name, "latency_ms": outcome.latency}
        del fields["name"]  # an attribute of every log record
        fields |= {"asked_by": job.request.reason, "message_id": job.message_id}
        write = {"failed": self._log.error, "refused": self._log.warning}.get(outcome.outcome, self._log.info)
        write(f"image.{outcome.outcome}", extra=fields | {"source": source, "request_id": request_id})

    def rejected(self, request_id: str, source: Source, problem: str, message_id: str = "") -> None:
        """A request could not be read, or may not be carried out."""
        fields = {"problem": problem, "message_id": message_id, "source": source, "request_id": request_id}
        self._log.error("request.rejected", extra=fields)

    def warn(self, event: str, **fields: object) -> None:
        """Something that an operator should know."""
        self._log.warning(event, extra=fields)

    def fault(self, error: BaseException) -> None:
        """An error that we did not foresee, with its traceback."""
        self._log.error("run.fault", exc_info=error)

    def finished(self, report: Report) -> None:
        """Write what became of the whole run, in the log and in the metrics."""
        for result in report.results:
            if result.held:
                self._log.warning("message.held", extra={"message_id": result.message_id, **_origin(report)})
        rejected = sum(bool(result.problem) for result in report.results)
        fields = {"mode": report.mode, "ok": report.ok, "counts": report.counts, "rejected": rejected}
        self._log.info("run.finished", extra=fields | _origin(report) | report.sweeps() | report.plan())
        self.count(report.source, report.outcomes, rejected)

    def count(self, source: Source, outcomes: Sequence[Outcome], rejected: int) -> None:
        """Write the metrics, in CloudWatch's embedded metric format."""
        metrics = EphemeralMetrics(namespace=self._namespace, service=self._service)
        metrics.add_dimension("source", source)
        for outcome in outcomes:
            if outcome.latency is not None:
                metrics.add_metric("DeleteLatency", MetricUnit.Milliseconds, outcome.latency)
        counted = Counter(METRICS[outcome.outcome] for outcome in outcomes)
        counted.update(f"{METRICS[outcome.outcome]}_{outcome.reason}" for outcome in outcomes if outcome.reason)
        for name in dict.fromkeys((*METRICS.values(), *counted)):
            metrics.add_metric(name, MetricUnit.Count, counted[name])
        metrics.add_metric("RequestsRejected", MetricUnit.Count, rejected)
        metrics.add_metric("BackupsLeft", MetricUnit.Count, sum(outcome.backup_left for outcome in outcomes))
        freed = sum(outcome.size or 0 for outcome in outcomes if outcome.outcome == "deleted")
        metrics.add_metric("BytesReclaimed", MetricUnit.Bytes, freed)
        metrics.flush_metrics()


class _StandardOutput(logging.StreamHandler[TextIO]):
    """Looks sys.stdout up at each write, so that it may be replaced."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    def write(self, record: logging.LogRecord) -> None:
        """Like `emit`, but raises OSError instead of ignoring it."""
        line = self.format(record) + self.terminator
        self.acquire()
        try:
            self.stream.write(line)
            self.stream.flush()
        finally:
            self.release()

    @property
    def stream(self) -> TextIO:
        return sys.stdout

    @stream.setter
    def stream(self, stream: TextIO) -> None:
        pass


def _origin(report: Report) -> dict[str, str]:
    return {"source": report.source, "request_id": report.request_id}


def _told(outcome: Outcome) -> dict[str, Any]:
    fields = ("image_id", "name", "outcome", "reason", "detail", "size")
    return {field: getattr(outcome, field) for field in fields}


def _without_credentials(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record, less the store credentials that the addresses of its data may carry."""
    return {**record, **{key: _masked(record[key]) for key in ("direct_url", "locations") if key in record}}


def _masked(value: object) -> object:
    """Mask all that stands before the last @ of an address: a key in it may hold a slash, or an @ itself."""
    if isinstance(value, str):
        return re.sub(r"//.*@", "//***@", value, flags=re.DOTALL)
    if isinstance(value, dict):
        return {key: _masked(item) for key, item in value.items()}
    return [_masked(item) for item in value] if isinstance(value, list) else value
