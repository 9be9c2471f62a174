"""The entry points of FunctionGraph: an event in, an answer out."""

from handler import coldstart

# Everything that is loaded after coldstart is loaded faster.
# isort: split

import os
from typing import Any

from handler.compose.engines import functiongraph as engine
from handler.compose.handover import HandedOver, handle_or_hand_over
from handler.compose.invocation import read
from handler.compose.republishing import publish_failed
from handler.compose.warm import reporter
from handler.errors import ImagesFailed
from handler.model.masking import mask_loggers
from handler.model.message import Waiting


def initializer(context: object) -> None:
    """Check the settings before the first event; needs no keys, and sends no request.

    Raises InvalidSettings, so that a function that is set up wrongly does not even start.
    """
    _, settings = engine.begin(context, os.environ)
    reporter(settings.service, settings.namespace)


def handler(event: Any, context: object) -> dict[str, Any]:  # noqa: ANN401 (an event may be any JSON)
    """Handle one event of any source; returns the report.

    Raises InvalidSettings, UnknownEvent or InvalidRequest if nothing was begun. Raises ImagesFailed if a source that
    reads no answer must send the event again, unless what failed was handed over or published.
    """
    invocation, settings = engine.begin(context, os.environ)
    received = read(event, settings, engine)
    done = handle_or_hand_over(event, received, invocation, settings, engine)
    if isinstance(done, HandedOver):
        return done.answer
    if received.waiting is Waiting.BROKER:
        publish_failed(event, done, invocation, settings, engine)
    # An asynchronous event is sent again only if the function raises.
    elif received.waiting is not Waiting.CALLER and not done.ok:
        raise ImagesFailed(done.summary())
    return done.answer()


mask_loggers()
coldstart.end()
