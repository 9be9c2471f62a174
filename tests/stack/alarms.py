"""What CloudWatch does with metrics: it keeps what it is given, and lets alarms go off.

One period is looked at, and stands for all that an alarm looks back on. Source: CloudWatch user guide, "Using metric
math" and "Configuring how CloudWatch alarms treat missing data".
"""

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from tests.conftest import Invocation
from tests.stack.making import Stack

Alarm = Mapping[str, Any]


class Series(NamedTuple):
    """What CloudWatch tells apart: two metrics with the same of all three are one."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]


def series_of(metric: Mapping[str, Any]) -> Series:
    """The series that an alarm names."""
    dimensions = frozenset((each["Name"], each["Value"]) for each in metric["Dimensions"])
    return Series(metric["Namespace"], metric["MetricName"], dimensions)


def emitted(run: Invocation) -> Iterator[tuple[Series, list[float]]]:
    """What CloudWatch makes of the lines that an invocation printed in its embedded metric format."""
    for blob in run.metrics:
        for directive in blob["_aws"]["CloudWatchMetrics"]:
            for names in directive["Dimensions"]:
                dimensions = frozenset((name, str(blob[name])) for name in names)
                for metric in directive["Metrics"]:
                    name = metric["Name"]
                    yield Series(directive["Namespace"], name, dimensions), blob[name]


class Metrics:
    """The metrics of an account."""

    def __init__(self) -> None:
        self.values: dict[Series, list[float]] = {}

    def add(self, namespace: str, name: str, value: float, **dimensions: str) -> None:
        series = Series(namespace, name, frozenset(dimensions.items()))
        self.values.setdefault(series, []).append(value)

    def take(self, run: Invocation) -> None:
        for series, values in emitted(run):
            self.values.setdefault(series, []).extend(values)

    def lets_ring(self, alarm: Alarm) -> bool:
        """Whether an alarm goes off over them."""
        (result,) = [metric["Id"] for metric in alarm["Metrics"] if metric.get("ReturnData", True)]
        value = self._value(alarm, result)
        if value is None:
            return bool(alarm["TreatMissingData"] == "breaching")
        return COMPARISONS[alarm["ComparisonOperator"]](value, alarm["Threshold"])

    def _value(self, alarm: Alarm, wanted: str) -> float | None:
        (metric,) = [each for each in alarm["Metrics"] if each["Id"] == wanted]
        if "MetricStat" in metric:
            values = self.values.get(series_of(metric["MetricStat"]["Metric"]), [])
            return STATISTICS[metric["MetricStat"]["Stat"]](values) if values else None
        if match := re.fullmatch(r"(\w+) / (\d+)", metric["Expression"]):
            value = self._value(alarm, match[1])
            return None if value is None else value / int(match[2])
        match = re.fullmatch(r"(SUM|MAX)\((?:METRICS\(\)|\[(.+)\])\)", metric["Expression"])
        assert match, metric["Expression"]
        plain = [each["Id"] for each in alarm["Metrics"] if "MetricStat" in each]
        found = [self._value(alarm, each) for each in (match[2].split(", ") if match[2] else plain)]
        known = [value for value in found if value is not None]
        return STATISTICS[match[1]](known) if known else None


STATISTICS: Mapping[str, Callable[[list[float]], float]] = {"Sum": sum, "SUM": sum, "Maximum": max, "MAX": max}
COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
}


def alarms_of(stack: Stack) -> dict[str, Alarm]:
    """The alarms of a stack, by their logical ids without `Alarm`."""
    logical = {stack.ref(alarm): alarm.removesuffix("Alarm") for alarm in stack.of_type("AWS::CloudWatch::Alarm")}
    found = stack.client("cloudwatch").describe_alarms(AlarmNames=list(logical))["MetricAlarms"]
    return {logical[alarm["AlarmName"]]: alarm for alarm in found}
