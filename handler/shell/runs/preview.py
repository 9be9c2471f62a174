"""Before an armed run at a terminal: what it would do, rehearsed and shown, and whether the person wants that."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from handler.config.settings import Settings
from handler.model.message import Received
from handler.model.request import ApprovalRequest, Request, SweepRequest
from handler.shell.environment import rehearsing
from handler.shell.runs.running import Done, Terms, run
from handler.shell.runs.shown import Permitted
from handler.shell.runs.signals import Signals
from handler.shell.screen.question import is_confirmed, question_on, question_on_projects


class Answer(NamedTuple):
    """Whether the run goes ahead, and what it may change then: None where that could not be rehearsed."""

    goes_ahead: bool
    permitted: Permitted | None = None


def asked_about(
    received: Received, settings: Settings, terms: Terms, signals: Signals, show: Callable[[Done], object]
) -> Answer:
    """Rehearse what was asked for, `show` it, and ask; raises InvalidSettings if no answer can be read.

    If nothing would be deleted or marked, nobody is asked: the run may still take marks off.
    """
    projects = _projects(received.requests)
    # It would send a message to each of them, as a rehearsal too: what the workers find, nobody here is shown.
    if projects:
        signals.interrupting()
        return Answer(is_confirmed(question_on_projects(projects)))
    rehearsal = run(received, _unnoticed(received, settings), Terms(logged=terms.logged), signals)
    question = question_on(rehearsal.report, _region(settings))
    if question or rehearsal.stopped:
        show(rehearsal)
    # From here on, Ctrl-C is an answer as well. One that came before has its table by now.
    signals.interrupting()
    return Answer(not question or is_confirmed(question), Permitted.by(rehearsal.report))


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
