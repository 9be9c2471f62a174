"""What was asked for in words, and what the operator has set for every request. Pure."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from handler.model.request import ApprovalRequest, DeletionRequest, Keep, Request, SweepRequest
from handler.report.page.rows import counted, gib
from handler.report.report import OwnRules, Report


def facts(report: Report) -> Iterator[tuple[str, str]]:
    """Pairs of a term and the words for it."""
    requests = [result.request for result in report.results if result.request]
    told = [pair for request in requests for pair in _asked(request, report)]
    yield from (pair for pair in told if pair[1])
    if report.own:
        if not any(isinstance(request, SweepRequest) for request in requests):
            yield "Caps", _most(report)
        yield from _set(report.own, report.mode)


def caps(sweep: SweepRequest, report: Report) -> str:
    """The caps of a sweep, and that of the invocation beside them."""
    most = f"; {_most(report)}" if report.own else ""
    return f"{counted(sweep.limit)}, and {sweep.limit_percent:g}% of all{most}"


def _most(report: Report) -> str:
    return f"at most {report.max_images:,} in one invocation (REAPER_MAX_IMAGES)"


def _asked(request: Request, report: Report) -> Iterator[tuple[str, str]]:
    """What was asked for; without words where nothing was said."""
    yield "Asked by", request.reason
    if isinstance(request, DeletionRequest):
        number = len(request.targets)
        yield "Asked for", f"{counted(number)} by {'its id' if number == 1 else 'their ids'}"
    elif isinstance(request, ApprovalRequest):
        yield "Asked for", f"the plan {request.plan}"
    else:
        yield "Selects", ", ".join(_conditions(request))
        yield "Keeps", _kept(request.keep) if request.keep else ""
        yield "Caps", caps(request, report)
        meanwhile = ", deactivated meanwhile" if request.deactivate else ""
        yield "Grace", f"{_age(request.grace)} between mark and deletion{meanwhile}" if request.grace else ""
    yield "Backups", "deleted as well" if request.delete_backup else ""


def _conditions(request: SweepRequest) -> Iterator[str]:
    select = request.select
    unused = select.unused_for.age if select.unused_for else timedelta(0)
    given = {
        f"name {select.name}": select.name,
        f"family {select.family}": select.family,
        f"tagged {', '.join(sorted(select.tags))}": select.tags,
        ", ".join(f"{key} = {value}" for key, value in select.properties): select.properties,
        f"status {select.status}": select.status,
        f"older than {_age(select.older_than or timedelta(0))}": select.older_than,
        f"created before {select.created_before}": select.created_before,
        f"larger than {gib(select.size_over or 0)}": select.size_over is not None,
        f"not used for {_age(unused)}": unused,
    }
    return (words for words, asked in given.items() if asked)


def _kept(keep: Keep) -> str:
    newest = "newest" if keep.newest == 1 else f"{keep.newest:,} newest"
    return (
        f"the {newest} of each group, by {'name up to the last hyphen' if keep.group_by == 'name' else keep.group_by}"
    )


def _age(age: timedelta) -> str:
    days, rest = divmod(age, timedelta(days=1))
    return counted(age // timedelta(hours=1), "hour") if rest else counted(days, "day")


def _set(own: OwnRules, mode: str) -> Iterator[tuple[str, str]]:
    """What the operator has set, with the names of the settings."""
    rehearsed = ", and the request asks for a rehearsal" if (own.mode, mode) == ("delete", "dry-run") else ""
    yield "Mode", f"{own.mode} (REAPER_MODE){rehearsed}"
    yield "Never goes", "what is " + "; ".join(_protected(own))
    if not own.in_use_check:
        yield "In use", "nobody asks whether an image is used (REAPER_IN_USE_CHECK is off)"
    if own.policy.allow_shared:
        yield "May go", "what other projects may use as well (REAPER_ALLOW_SHARED)"


def _protected(own: OwnRules) -> Iterable[str]:
    """What the operator protects, each kind in words."""
    policy = own.policy
    named = f", or by what REAPER_IN_USE_ALSO names: {', '.join(sorted(own.in_use_also))}"
    given = {
        f"tagged {policy.keep_tag} (REAPER_KEEP_TAG)": True,
        f"used by a server{named if own.in_use_also else ''}": own.in_use_check,
        f"younger than {_age(policy.min_age)} (REAPER_MIN_AGE)": policy.min_age,
        f"not tagged {policy.require_tag} (REAPER_REQUIRE_TAG)": policy.require_tag,
        f"of a name other than {', '.join(policy.allow_names)} (REAPER_ALLOW_NAMES)": policy.allow_names,
    }
    return (words for words, holds in given.items() if holds)
