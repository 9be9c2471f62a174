"""The look of a sweep: what is in use is noted, so that a policy can ask for images that were unused for a while."""

from handler.errors import CloudError
from handler.model.request import SweepRequest
from handler.work.run import Run


def with_history(request: SweepRequest, run: Run) -> SweepRequest:
    """Note what is in use, and give the policy what is known of it; raises CloudError if the policy asks for that.

    Every sweep looks, whatever its policy asks for: what nobody has noted can't be found out later.
    """
    unused = request.select.unused_for
    # Without either, such a policy was turned down before, and selects nothing.
    if run.remember is None or run.in_use is None:
        return request
    try:
        history = run.remember(run.in_use.ask().ids())
    except CloudError as error:
        if unused:
            raise
        run.report_unremembered(error)
        return request
    return request._replace(select=request.select._replace(unused_for=unused and unused._replace(history=history)))
