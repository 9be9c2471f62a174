"""What stands beside the cloud for the tests: a sink for what others send, and a look at everything."""

from tests.fakecloud.api import Reply, Request, json_reply
from tests.fakecloud.visit import Visit


def store(visit: Visit) -> Reply:
    """Keep a body, as the address that CloudFormation wants its answer at would."""
    visit.state.sink.setdefault(visit.args["name"], []).append(visit.request.body)
    return Reply(200)


def show_state(visit: Visit) -> Reply:
    """Everything that is alive, and everything that is dead."""
    return json_reply(visit.state.summary())


def finish(_request: Request, reply: Reply) -> Reply:
    """Add nothing."""
    return reply
