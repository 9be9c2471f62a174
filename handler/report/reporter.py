"""What happened, in log lines and metrics. The only place that knows their names."""

import logging
import sys
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from copy import copy
from typing import Any, TextIO

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.exceptions import InvalidLoggerSamplingRateError
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from handler.errors import CloudError, InvalidSettings, Unexpected
from handler.model.image import Image
from handler.model.masking import masked_all, masked_record
from handler.model.outcome import Outcome
from handler.model.request import Job, Source
from handler.report.journal import LEVEL, LONGEST_LINE, as_ascii, by_message, fitting, parts
from handler.report.report import Report, as_json, plan_of

METRICS: Mapping[str, str] = {
    "deleted": "ImagesDeleted",
    "already_gone": "ImagesAlreadyGone",
    "marked": "ImagesMarked",
    "would_delete": "ImagesWouldDelete",
    "refused": "ImagesRefused",
    "failed": "ImagesFailed",
}
"""The metric that counts each outcome; those with a reason are counted once more as `<metric>_<reason>`."""
LOST: Mapping[str, str] = {"report.not_stored": "ReportsNotStored", "notice.not_sent": "NoticesNotSent"}
"""The metric that counts what a run could not leave behind, by the event in the log."""


class Reporter:
    """Writes the log and the metrics of a service."""

    def __init__(self, service: str, namespace: str) -> None:
        """Raises InvalidSettings if a variable of Powertools is unusable: Powertools reads those itself."""
        self._service = service
        self._namespace = namespace
        self._output = _StandardOutput()
        self._always: Mapping[str, str] = {}
        try:
            formatter = LambdaPowertoolsFormatter(
                service=service,
                utc=True,
                use_rfc3339=True,
                location=None,  # the event name says where a line comes from
                json_serializer=as_ascii,
            )
            self._output.setFormatter(formatter)
            self._log = Logger(service=service, logger_handler=self._output, logger_formatter=formatter, location=None)
        except (ValueError, InvalidLoggerSamplingRateError) as exc:
            message = f"LOG_LEVEL or POWERTOOLS_*: {exc}"
            raise InvalidSettings(message) from exc

    def about(self, project_id: str) -> "Reporter":
        """The same writer, but each line names a project; if none is known, nothing changes."""
        other = copy(self)
        vars(other).update(_always={"project_id": project_id} if project_id else self._always)
        return other

    def deleting(self, request_id: str, source: Source, image: Image, job: Job) -> list[str]:
        """Write the journal: everything that is known about an image, before its deletion; returns the lines.

        It is written at any LOG_LEVEL, since it is all that is left of the image, and in several lines if one would be
        too long. Raises Unexpected if it can't be written whole: then the image must not be deleted.
        """
        asked = {"image_id": image.id, "asked_by": job.request.reason, "message_id": job.message_id}
        fields = masked_all(asked | {"source": source, "request_id": request_id})
        try:
            lines = self._journal_lines(fields, masked_record(image.record))
            self._output.write(lines)
        # A record may be nested too deeply to be written, and standard output may be closed.
        except (OSError, RecursionError, ValueError) as exc:
            message = "the journal could not be written"
            raise Unexpected(message) from exc
        return lines

    def _journal_lines(self, fields: dict[str, Any], record: dict[str, Any]) -> list[str]:
        line = self._journal_line(fields | {"image": record})
        lines = [line] if len(line) <= LONGEST_LINE else [self._journal_line(fields | part) for part in parts(record)]
        if max(map(len, lines)) > LONGEST_LINE:
            message = "a line is too long"
            raise ValueError(message)
        return lines

    def _journal_line(self, fields: Mapping[str, Any]) -> str:
        # Straight to the output: the logger would drop a line below LOG_LEVEL, and swallow an error.
        made = {"levelname": LEVEL, "levelno": logging.CRITICAL, "msg": "image.deleting", **self._always, **fields}
        return self._output.format(logging.makeLogRecord(made))

    def outcome(self, request_id: str, source: Source, outcome: Outcome, job: Job) -> None:
        """Write what became of an image."""
        fields = as_json(outcome) | {"image_name": outcome.name, "latency_ms": outcome.latency}
        # logging refuses a field that has the name of one of its own attributes.
        del fields["name"]
        fields |= {"asked_by": job.request.reason, "message_id": job.message_id}
        level = {"failed": logging.ERROR, "refused": logging.WARNING}.get(outcome.outcome, logging.INFO)
        self._write(level, f"image.{outcome.outcome}", fields | {"source": source, "request_id": request_id})

    def untouched(self, request_id: str, source: Source, jobs: Sequence[Job], error: CloudError) -> None:
        """Write that images were not even looked at, and why: one line for the images of a message, if they fit."""
        failure = {"reason": error.reason, "detail": str(error), "source": source, "request_id": request_id}
        for (message_id, reason), image_ids in by_message(jobs):
            asked = {"asked_by": reason, "message_id": message_id}
            # The ids last: of a long line, CloudWatch Logs Insights finds the first 200 fields.
            self._write(logging.ERROR, "images.untouched", failure | asked | {"image_ids": image_ids})

    def rejected(self, request_id: str, source: Source, problem: str, message_id: str = "") -> None:
        """Write that a request could not be read, or may not be carried out."""
        fields = {"problem": problem, "message_id": message_id, "source": source, "request_id": request_id}
        self._write(logging.ERROR, "request.rejected", fields)

    def warn(self, event: str, **fields: object) -> None:
        """Write something that an operator should know."""
        self._write(logging.WARNING, event, fields)

    def told(self, event: str, source: Source, **fields: object) -> None:
        """Write what became of the files or the notice of a run; what is LOST is counted as well."""
        metric = LOST.get(event)
        self._write(logging.WARNING if metric else logging.INFO, event, fields | {"source": source})
        if metric:
            metrics = self._metrics(source)
            metrics.add_metric(metric, MetricUnit.Count, 1)
            self._flush(metrics)

    def bug(self, error: BaseException) -> None:
        """Write a bug in image-reaper, with its traceback."""
        # As a text: logging would format the error itself, once for each handler, and show all that it quotes.
        trace = "".join(traceback.format_exception(error))
        self._write(logging.ERROR, "run.fault", {"exception_name": type(error).__name__, "exception": trace})

    def finished(self, report: Report) -> None:
        """Write what became of the whole run, in the log and in the metrics."""
        for result in report.results:
            if result.held:
                self._write(logging.WARNING, "message.held", {"message_id": result.message_id, **_origin(report)})
        rejected = sum(bool(result.problem) for result in report.results)
        fields = {"mode": report.mode, "ok": report.ok, "counts": report.counts, "rejected": rejected}
        several = len(report.plans) > 1
        for number, plan in enumerate(report.plans if several else (), 1):
            part = {"plan": plan, "part": number, "parts": len(report.plans)}
            self._write(logging.INFO, "run.plan", part | _origin(report))
        plan = {} if several else plan_of(report.plans)
        self._write(logging.INFO, "run.finished", fields | _origin(report) | report.sweeps() | report.sent() | plan)
        self.count(report.source, report.outcomes, rejected, report.ages)

    def _write(self, level: int, event: str, fields: Mapping[str, Any]) -> None:
        write = {logging.ERROR: self._log.error, logging.WARNING: self._log.warning}.get(level, self._log.info)
        write(event, extra=fitting(masked_all({**self._always, **fields})))

    def count(self, source: Source, outcomes: Sequence[Outcome], rejected: int, ages: Sequence[float] = ()) -> None:
        """Write the metrics, in CloudWatch's embedded metric format."""
        metrics = self._metrics(source)
        for age in ages:
            metrics.add_metric("MessageAge", MetricUnit.Seconds, age)
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
        self._flush(metrics)

    def _flush(self, metrics: EphemeralMetrics) -> None:
        # In one piece: the runs of an invocation write side by side, and Powertools ends its line in a second write.
        with self._output.lock or nullcontext():
            metrics.flush_metrics()

    def _metrics(self, source: Source) -> EphemeralMetrics:
        # Ephemeral: the state of Powertools' other metrics is global, and an invocation would count what the last did.
        metrics = EphemeralMetrics(namespace=self._namespace, service=self._service)
        metrics.add_dimension("source", source)
        return metrics


class _StandardOutput(logging.StreamHandler[TextIO]):
    """Looks up sys.stdout at each write, so that it may be replaced."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    def write(self, lines: Sequence[str]) -> None:
        """Write lines; unlike `emit`, this raises OSError instead of ignoring it."""
        text = "".join(line + self.terminator for line in lines)
        self.acquire()
        try:
            # Flushed: the lines must have left the process before the DELETE is sent.
            self.stream.write(text)
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
