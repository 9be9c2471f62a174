"""The look of a sweep: what is in use is noted, so that a policy can ask for images that were unused for a while."""

from handler.engine.ports import Remember
from handler.errors import CloudError
from handler.model.history import History
from handler.model.request import SweepRequest
from handler.work.run import Run
from handler.work.uses.in_use import InUse


def with_history(request: SweepRequest, run: Run) -> SweepRequest:
    """Note what is in use, and give the policy what is known of it; raises CloudError if the policy asks for that.

    Every sweep looks, whatever its policy asks for: what nobody has noted can't be found out later.
    """
    # Without either, such a policy was turned down before, and selects nothing.
    if run.remember is None or run.in_use is None:
        return request
    try:
        history = _look(run.in_use, run.remember, run)
    except CloudError as error:
        if request.select.unused_for is not None:
            raise
        run.report_unremembered(error)
        return request
    return request._replace(select=request.select._replace(history=history))


def _look(in_use: InUse, remember: Remember, run: Run) -> History:
    ids = in_use.ask().ids()
    # After the lists, which may take their time: from then on, nothing is missing.
    return remember(ids, run.moment)
