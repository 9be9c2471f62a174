"""Before an armed run at a terminal: what it would do, rehearsed and shown, and whether the person wants that."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TextIO

from handler.config.settings import Settings
from handler.model.message import Message, Received
from handler.model.request import ApprovalRequest, Request, SweepRequest
from handler.report.report import Report
from handler.shell.environment import rehearsing
from handler.shell.runs.running import Done, Terms, run
from handler.shell.runs.shown import Permitted
from handler.shell.runs.signals import Signals
from handler.shell.screen.question import is_confirmed, person, question_on, question_on_projects


class Answer(NamedTuple):
    """Whether the run goes ahead, and what it may change then: None where that could not be rehearsed."""

    goes_ahead: bool
    permitted: Permitted | None = None


def asked_about(
    received: Received, settings: Settings, terms: Terms, signals: Signals, show: Callable[[Done, TextIO], object]
) -> Answer:
    """Rehearse what was asked for, `show` it, and ask; raises InvalidSettings if no answer can be read.

    If nothing would be deleted or marked, nobody is asked: the run may still take marks off.
    """
    # Those would be sent a message each, as a rehearsal too: what the workers find, nobody here is shown.
    projects = _projects(received.requests)
    here = received._replace(messages=tuple(one for one in received.messages if not _fans_out(one)))
    if projects and not here.messages:
        signals.interrupting()
        return Answer(is_confirmed(question_on_projects(projects)))
    rehearsal = run(here, _unnoticed(here, settings), Terms(logged=terms.logged), signals)
    questions = [question_on_projects(projects)] if projects else []
    report = _without_rehearsals(rehearsal.report)
    questions += filter(None, [question_on(report, _region(settings))])
    if questions or rehearsal.stopped:
        # Not on standard output, which has the result alone.
        with person() as stream:
            show(rehearsal, stream)
    # From here on, Ctrl-C is an answer as well. One that came before has its table by now.
    signals.interrupting()
    return Answer(not questions or is_confirmed("\n".join(questions)), Permitted.by(report))


def _without_rehearsals(report: Report) -> Report:
    """Without the requests that ask for a rehearsal themselves: the answer changes nothing for them."""
    results = (result for result in report.results if not (result.request and result.request.dry_run))
    return report._replace(results=tuple(results))


def _fans_out(message: Message) -> bool:
    return isinstance(message.request, SweepRequest) and bool(message.request.projects)


def _projects(requests: Sequence[Request]) -> int:
    """To how many projects a sweep would be sent."""
    return sum(len(one.projects) for one in requests if isinstance(one, SweepRequest) and not one.dry_run)


def _unnoticed(received: Received, settings: Settings) -> Settings:
    """The settings of a rehearsal that leaves no plan for others to approve; a plan that is approved is read."""
    is_approval = any(isinstance(request, ApprovalRequest) for request in received.requests)
    return rehearsing(settings).model_copy(update={} if is_approval else {"report_bucket": ""})


def _region(settings: Settings) -> str:
    proof = settings.proof
    return str(getattr(proof, "region", "") or getattr(proof, "region_name", "") or "")
