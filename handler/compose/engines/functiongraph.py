"""What FunctionGraph gives a run: its settings, the keys of the function's agency, its topics, and a bucket of OBS.

Here, no table outlives an invocation, and there are no workers: settings that need either are refused when they are
read.
"""

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache, partial

from handler.clock import Deadline
from handler.cloud.identity.signing.access import Keys, Signing
from handler.cloud.identity.signing.places import domain_of
from handler.compose.warm import Proof, access_to_cloud
from handler.config.settings import Settings
from handler.config.several import SETTINGS
from handler.config.signing import Runtime
from handler.engine.functiongraph import topic
from handler.engine.functiongraph.bucket import ObsBucket
from handler.engine.functiongraph.context import Agency, InvocationContext, project_of
from handler.engine.functiongraph.variables import variables
from handler.engine.objects import Place
from handler.engine.ports import (
    Allowance,
    Bucket,
    ClaimPlan,
    Enqueue,
    HandOver,
    HeedStop,
    Lease,
    Notify,
    Postpone,
    Remember,
    Send,
    Spend,
)
from handler.errors import EngineFault, InvalidSettings, Unexpected
from handler.model.message import Received
from handler.sources import shapes

SHAPES = shapes.FUNCTIONGRAPH
SMN = ("smn",)
"""What the catalogue calls Simple Message Notification."""
NO_KEYS = "the runtime hands out no keys for the bucket: give the function an agency (app_agency) that may use OBS"


def begin(context: object, environment: Mapping[str, str]) -> tuple[InvocationContext, Settings]:
    """Begin an invocation; returns its id and time, and its settings. Raises InvalidSettings."""
    # This comes first, since the time of the invocation is counted from here.
    invocation = InvocationContext(context, environment)
    _agency().enter(context)
    # An encrypted variable may stand in the context alone, the one that holds several as well.
    given = variables(context, environment, sorted({SETTINGS, *Settings.names()}))
    runtime = Runtime(engine="functiongraph", project_id=project_of(context, environment), keys=_keys)
    return invocation, Settings.from_env(given, runtime=runtime)


@cache
def _agency() -> Agency:
    """The function's agency. There is only one, so that connections and identity are kept from one invocation on."""
    return Agency()


def _keys() -> Keys:
    return Keys(*_agency().read_keys())


def own_settings(_project_id: str) -> Settings:
    """Is never called: no project has a secret here."""
    message = "REAPER_CREDENTIALS_SECRET: needs AWS"
    raise InvalidSettings(message)


def rotated(_settings: Settings, _refused: Proof) -> Proof | None:
    """Nothing: there is no secret that could be read again."""


def forget_secret(_settings: Settings) -> None:
    """Nothing: there is no secret."""


def allowance(_received: Received, _settings: Settings, _event: str, _now: datetime) -> Allowance | None:
    """Nothing: an event's deletions are counted within one invocation alone."""


def spend(_settings: Settings, _project_id: str, _now: datetime, _allowed: Allowance | None) -> Spend:
    """A function that permits every deletion: there is no budget."""

    def take(_image_id: str) -> None:
        pass

    return take


def heed_stop(_settings: Settings, _deadline: Deadline) -> HeedStop:
    """A function that never stops anything: there is no table for a flag."""
    return lambda: math.inf


def enqueue(_settings: Settings, _deadline: Deadline) -> Enqueue | None:
    """Nothing: there are no workers."""


def send(_settings: Settings, _deadline: Deadline) -> Send | None:
    """Nothing: there are no workers."""


def hand_over(settings: Settings, deadline: Deadline) -> HandOver | None:
    """A function that publishes an event, if there is a topic for that."""
    urn = settings.failed_to
    desk = partial(_desk, settings, deadline)
    return partial(topic.hand_over, topic=urn, desk=desk, deadline=deadline) if urn else None


def _desk(settings: Settings, deadline: Deadline) -> topic.Desk:
    """Where SMN is, and who we are there; may raise CloudError.

    The identity checks the address itself: its proof goes nowhere where it could be read on its way.
    """
    with access_to_cloud(settings, rotated, forget_secret) as (session, identity):
        catalogue = identity.catalogue(deadline)
        found = catalogue.addresses(SMN, catalogue.region)
        if not found:
            raise Unexpected(catalogue.why_missing(SMN, catalogue.region))
        return topic.Desk(
            address=found[0].url,
            project_id=identity.project_id(deadline),
            auth=identity.auth(deadline),
            scrub=identity.scrub,
            verify=session.verify,
        )


def postpone(_settings: Settings) -> Postpone:
    """A function that is never called: no message here has a receipt."""
    return lambda found: ["nothing here hides messages"] * len(found)


def bucket(settings: Settings, deadline: Deadline) -> Bucket | None:
    """The bucket of the reports, if there is one. OBS takes no token: with one, it is the agency that signs there."""
    if not (name := settings.report_bucket):
        return None
    proof = settings.proof if isinstance(settings.proof, Signing) else settings.credentials
    keys, region = (proof.keys, proof.region) if isinstance(proof, Signing) else (_keys, proof.region_name or "")
    service = f"https://obs.{domain_of(settings.cloud, region)}"
    return ObsBucket(name, Place(service, region, verify=proof.cacert), partial(_usable, keys), deadline)


def _usable(keys: Callable[[], Keys]) -> Keys:
    found = keys()
    if not found.access_key or not found.secret_key:
        raise EngineFault(NO_KEYS)
    return found


def notify(settings: Settings, deadline: Deadline) -> Notify | None:
    """A function that sends notices, if there is a topic for them."""
    urn = settings.notice_topic
    desk = partial(_desk, settings, deadline)
    return partial(topic.notify, topic=urn, desk=desk, deadline=deadline) if urn else None


def lease(_settings: Settings, _project_id: str, _holder: str, _deadline: Deadline) -> Lease | None:
    """What an armed sweep of a project must have, if there is a state table."""
    return None


def claim_plan(_settings: Settings, _project_id: str, _deadline: Deadline) -> ClaimPlan | None:
    """A function that takes an approved plan, if there is a state table."""
    return None


def why_no_approvals(_settings: Settings, _dry_run: bool) -> str:  # noqa: FBT001 (a fact)
    """Nothing here could note that a plan is carried out once; so none is rehearsed either."""
    return "approve: needs REAPER_STATE_TABLE, which only AWS has: send the plan itself as a request"


def remember(_settings: Settings, _project_id: str, _now: datetime) -> Remember | None:
    """Nothing: there is no table that could keep what was in use."""
