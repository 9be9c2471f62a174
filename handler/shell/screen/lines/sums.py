"""What a run comes to: what a sweep looked at, which caps held, how many images had which outcome. Pure."""

import shlex
from collections.abc import Iterator

from handler.model.outcome import Outcome, OutcomeName, Result, Survey, Total
from handler.model.request import SweepRequest
from handler.report.page.rows import gib
from handler.report.report import Report

SIZED: tuple[OutcomeName, ...] = ("deleted", "would_delete")
"""The outcomes of which the bytes matter."""


def survey_line(survey: Survey) -> str:
    """What a sweep found: how many images there are, how many are selected, and how many stay for which reason."""
    selected = survey.selected_in_all
    notes = {"waiting or vetoed": selected - survey.changing, "only counted": survey.only_counted}
    told = ", ".join(f"{number:,} {words}" for words, number in notes.items() if number)
    line = f"{survey.looked_at:,} looked at, {selected:,} selected" + (f" ({told})" if told else "")
    return line + (f", {_stay(survey)}" if survey.stay else "")


def mismatch_line(result: Result) -> str:
    """That no image has such a name, where that is all that was found: it may be mistyped. Else empty."""
    survey, request = result.survey, result.request
    if survey is None or not isinstance(request, SweepRequest):
        return ""
    stay_for_name = [reason for reason, _ in survey.stay] == ["name"] and not survey.selected_in_all
    return f"no name matches {shlex.quote(request.select.name)}" if stay_for_name else ""


def caps_line(result: Result, max_images: int) -> str:
    """All caps that a sweep has, if one of them held; else empty. `max_images` is 0 if it is unknown."""
    survey, request = result.survey, result.request
    if survey is None or not isinstance(request, SweepRequest) or not any(map(_is_over, result.outcomes)):
        return ""
    share = int(request.limit_percent * survey.looked_at // 100)
    caps = {
        f"limit {request.limit:,}": request.limit,
        f"limit_percent {request.limit_percent:g} ({share:,} of {survey.looked_at:,})": share,
        **({f"REAPER_MAX_IMAGES {max_images:,}": max_images} if max_images else {}),
    }
    too_low = [words.split()[0] for words, most in caps.items() if survey.changing > most] or ["REAPER_MAX_IMAGES"]
    counted = f"caps: {', '.join(caps)}; {_counting(survey)} for them"
    return f"{counted}: select fewer, or raise {_all_of(too_low)}"


def _counting(survey: Survey) -> str:
    """How many of the selected images count, in the words of the line above."""
    if survey.changing == survey.selected_in_all:
        return f"{survey.changing:,} image{'s count' if survey.changing != 1 else ' counts'}"
    is_one = survey.changing == 1
    return f"{survey.changing:,} of the {survey.selected_in_all:,} selected count{'s' if is_one else ''}"


def counts_line(report: Report) -> str:
    """How many images had each outcome; also of how many bytes, where these are freed."""
    # A sweep that is paused fails without an image: to count it would look as if an image had failed.
    if report.outcomes and all(not each.image_id and each.reason == "paused" for each in report.outcomes):
        return f"{report.mode}: nothing was looked at"
    counts = [f"{number} {name}{_sizes(report, name)}" for name, number in report.counts.items()]
    return f"{report.mode}: {', '.join(counts) or 'no image'}"


def _all_of(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _stay(survey: Survey) -> str:
    stay = sorted(survey.stay, key=lambda each: -each[1])
    if len(stay) == 1:
        return f"{stay[0][1]:,} stay: {stay[0][0]}"
    whole = sum(number for _, number in stay)
    return f"{whole:,} stay: {', '.join(f'{number:,} {reason}' for reason, number in stay)}"


def _is_over(outcome: Outcome) -> bool:
    return outcome.reason == "over_limit"


def _sizes(report: Report, name: str) -> str:
    outcomes = [outcome for outcome in report.outcomes if outcome.outcome == name]
    if name not in SIZED:
        return ""
    return f" ({', '.join(_in_words(outcomes))})"


def _in_words(outcomes: list[Outcome]) -> Iterator[str]:
    total, waits = Total.of(outcomes), sum(outcome.waits for outcome in outcomes)
    yield "size unknown" if total.unknown == total.images else gib(total.size)
    if 0 < total.unknown < total.images:
        yield f"{total.unknown:,} of unknown size"
    if waits:
        yield f"{waits:,} would be marked first"
