"""One invocation: reads an event, and has it carried out, each project in a run of its own."""

import random
from datetime import UTC, datetime
from functools import partial
from threading import Semaphore
from typing import Any

from handler.clock import Deadline
from handler.cloud.dialects import DIALECTS
from handler.compose import ending, postponing
from handler.compose.ending import Context
from handler.compose.engines.engine import Engine
from handler.compose.projects.lanes import in_lanes, lanes_for
from handler.compose.projects.reach import Observe, Shared
from handler.compose.projects.run import carry_out, turn_down
from handler.compose.projects.shares import shares_of
from handler.compose.warm import reporter
from handler.config.settings import Settings, is_in_lambda
from handler.model.message import Received, Rejected
from handler.report.report import Report, joined
from handler.report.reporter import Reporter
from handler.rules.unused import why_unknown
from handler.sources import shapes
from handler.work.batches.postponements import postponements
from handler.work.dispatch import Reach, admit
from handler.work.run import Progress, Watch


def read(event: Any, settings: Settings, engine: Engine) -> Received:  # noqa: ANN401 (an event may be any JSON)
    """Read an event of any source; raises UnknownEvent."""
    standing = settings.scheduled_request, settings.lifecycle_request
    here, failed_to = not is_in_lambda(), settings.failed_to
    return shapes.read_event(event, *standing, engine.SHAPES, answers_here=here, failed_to=failed_to)


def process(  # noqa: PLR0913, PLR0917 (all that a run is made of)
    event: Any,  # noqa: ANN401 (an event may be any JSON)
    context: Context,
    settings: Settings,
    engine: Engine,
    now: datetime | None = None,
    observe: Observe | None = None,
    watch: Watch | None = None,
) -> Report:
    """Read an event and carry it out."""
    return handle(read(event, settings, engine), context, settings, engine, now, observe, watch)


def handle(  # noqa: PLR0913, PLR0917 (the same)
    received: Received,
    context: Context,
    settings: Settings,
    engine: Engine,
    now: datetime | None = None,
    observe: Observe | None = None,
    watch: Watch | None = None,
) -> Report:
    """Do what was asked for, write it to the log and to the metrics, and return the report.

    `now` is read from the clock unless it is given; `observe` gets a sweep's decision on every image, and `watch`
    looks on. Raises InvalidRequest for a request that is turned down, unless its message can fail alone.
    """
    # Before anything that may take long: a run that begins before midnight has the day on which it began.
    now = now or datetime.now(UTC)
    deadline = Deadline(ending.remaining_of(context), reserve=ending.reserve_for(received, settings))
    told, reach = _reporter(settings), _reach(settings, engine)
    received = _admitted(received, reach, told, context.aws_request_id)
    shares = shares_of(received.messages, is_for_all=settings.is_for_all)
    lanes = lanes_for(shares, settings.concurrency, settings.max_images)
    shared = Shared(
        context=context,
        settings=settings,
        engine=engine,
        reporter=told,
        allowance=engine.allowance(received, settings, context.aws_request_id, now),
        now=now,
        observe=observe,
        has_others=len(shares) > 1,
        # One project whose images hang must leave slots to the others.
        concurrency=settings.concurrency if lanes == 1 else max(settings.concurrency // 2, 1),
        slots=Semaphore(settings.concurrency),
        progress=Progress(settings.max_images),
        reach=reach,
        broken=set(),
        watch=watch,
    )
    reports = in_lanes(shares, lanes, deadline, partial(carry_out, received=received, shared=shared))
    report = joined(reports, [message.id for message in received.messages], settings.mode)
    until = postponing.deadline_for(ending.remaining_of(context), deadline.reserve - ending.PUTTING_OFF)
    found = postponements(received.messages, report.results, deadline.elapsed(), random.random)
    postponing.put_off(found, engine.postpone(settings), until, told)
    if shared.allowance and not report.ok:
        ending.settle(shared.allowance, context, told)
    return report


def _reporter(settings: Settings) -> Reporter:
    told = reporter(settings.service, settings.namespace)
    if DIALECTS[settings.image_api].is_discarded:
        advice = "REAPER_IMAGE_API=glance or ims"
        told.warn("api.discarded", image_api=settings.image_api, advice=advice)
    return told


def _reach(settings: Settings, engine: Engine) -> Reach:
    """What these settings can do."""
    return Reach(
        image_api=settings.image_api,
        is_for_all=settings.is_for_all,
        has_queue=bool(settings.fanout_queue_url),
        why_unknown=why_unknown(settings.state_table, settings.in_use_check),
        why_no_approvals=partial(engine.why_no_approvals, settings),
    )


def _admitted(received: Received, reach: Reach, told: Reporter, request_id: str) -> Received:
    """What was received, with Rejected in place of each request that these settings can't carry out."""
    received = received._replace(messages=tuple(admit(message, reach) for message in received.messages))
    problems = [(one.request.problem, one.id) for one in received.messages if isinstance(one.request, Rejected)]
    turn_down(problems, received, told, request_id)
    return received
