"""What is said where most of the images that were asked for do not exist: perhaps this is another cloud. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from handler.model.outcome import Outcome
from handler.model.request import DeletionRequest
from handler.report.report import Report

WHY = "mistyped, deleted before, or of another cloud"
CASE = "capital letters count: an id must be written as the cloud writes it"


class Place(NamedTuple):
    """Where images were asked for: the regions of the image service, or its address in place of them; the project."""

    regions: Sequence[str]
    address: str
    project_id: str


def are_missing(report: Report) -> bool:
    """Whether the cloud does not know most of the images that were asked for by their ids."""
    gone, asked = _counts(report)
    return gone * 2 > asked


def missing_line(report: Report, place: Place) -> str:
    """One line about the images that are unknown, and where they were asked for."""
    gone, asked = _counts(report)
    ids = "the id is" if asked == 1 else f"all {asked:,} ids are" if gone == asked else f"{gone:,} of {asked:,} ids are"
    case = f"; {CASE}" if any(map(_has_capitals, _unknown(report))) else ""
    return f"{ids} unknown here ({', '.join(_told(place))}): {WHY}{case}"


def _counts(report: Report) -> tuple[int, int]:
    return len(_unknown(report)), len(_asked(report))


def _unknown(report: Report) -> list[str]:
    return [outcome.image_id for outcome in _asked(report) if outcome.outcome == "already_gone"]


def _asked(report: Report) -> list[Outcome]:
    named = (result for result in report.results if isinstance(result.request, DeletionRequest))
    return [outcome for result in named for outcome in result.outcomes]


def _has_capitals(image_id: str) -> bool:
    return image_id != image_id.lower()


def _told(place: Place) -> list[str]:
    named = f"region{'' if len(place.regions) == 1 else 's'} {' and '.join(place.regions)}" if place.regions else ""
    whose = f"project {place.project_id}" if place.project_id else "several projects"
    return [*filter(None, [f"image service {place.address}" if place.address else named]), whose]
