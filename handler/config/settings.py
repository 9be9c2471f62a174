"""The settings: the one place that reads the environment, and refuses what it does not understand."""

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    ValidationError,
    WrapValidator,
    model_validator,
)

from handler.cloud.dialects import ImageApi
from handler.cloud.identity.credentials import Credentials, Url
from handler.cloud.identity.signing.access import CloudName, Signing
from handler.cloud.identity.spellings import complete
from handler.cloud.places.plaintext import check_addresses
from handler.config.engines import FAILED_TO, NOTICE_TOPIC, REPORT_BUCKET, check_engine, check_topic, is_topic, topic_or
from handler.config.network import check_proxy
from handler.config.secret import SECRET, ReadSecret, is_per_project, of_project, with_secret
from handler.config.several import names, with_several
from handler.config.signing import AUTH, Auth, Runtime, signing_from
from handler.config.standing import check_standing_requests
from handler.config.values import Flag, parse_budget, trace_in, words, wrong_variables
from handler.engine.aws.access import BUCKET_NAME, ENDPOINTS, TABLE_NAME, AwsAccess, access_from, check_queue
from handler.errors import InvalidSettings
from handler.model.image import Also
from handler.model.request import parse_age
from handler.rules.safety import Policy

_ALLOW_PLAINTEXT = "REAPER_ALLOW_PLAINTEXT"
_FUNCTION = "AWS_LAMBDA_FUNCTION_NAME"


def is_in_lambda(environment: Mapping[str, str] | None = None) -> bool:
    """Whether this runs in AWS Lambda, and not on somebody's machine."""
    source = os.environ if environment is None else environment
    return any(source.get(name) for name in (_FUNCTION, "AWS_LAMBDA_RUNTIME_API"))


SERVICE = "image-reaper"
NAMESPACE = "ImageReaper"


class Settings(BaseModel):
    """Every setting of the function, checked before anything else is done."""

    # Nothing unknown: a rule whose name is mistyped would stay at its default, and protect nothing.
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    proof: Credentials | InstanceOf[Signing] | None = Field(exclude=True)
    """What proves to the cloud who we are: credentials for a token, or keys that sign our requests.

    None where each project has a secret of its own, and these settings are for none of them.
    """
    auth: Auth = Field(Runtime().auth, alias="REAPER_AUTH")
    cloud: CloudName = Field("otc", alias="REAPER_CLOUD")
    credentials_secret: str = Field("", alias=SECRET)
    aws: AwsAccess = Field(default=AwsAccess(), exclude=True)
    ca_bundle: str = Field("", exclude=True, repr=False)
    """The authorities of the cloud's certificates, as PEM; empty where those of a file or the public ones count."""
    trace: str = Field("", exclude=True)
    """X-Ray's header of this very invocation, for the queue of the workers; empty if there is none."""
    function: str = Field("", exclude=True)
    """The name of the function on Lambda, empty elsewhere."""
    mode: Literal["dry-run", "delete", "paused"] = Field("dry-run", alias="REAPER_MODE")
    image_api: ImageApi = Field("glance", alias="REAPER_IMAGE_API")
    project_pin: str = Field("", alias="REAPER_PROJECT_ID")
    image_endpoint: Url = Field("", alias="REAPER_IMAGE_ENDPOINT")
    compute_endpoint: Url = Field("", alias="REAPER_COMPUTE_ENDPOINT")
    in_use_check: Literal["on", "off"] = Field("on", alias="REAPER_IN_USE_CHECK")
    in_use_also: Annotated[frozenset[Also], BeforeValidator(words)] = Field(frozenset(), alias="REAPER_IN_USE_ALSO")
    min_age: Annotated[timedelta, BeforeValidator(parse_age)] = Field(timedelta(0), alias="REAPER_MIN_AGE")
    # No space at its ends: such a tag would match none, and so keep no image.
    keep_tag: str = Field("keep", alias="REAPER_KEEP_TAG", pattern=r"^\S(.*\S)?$")
    require_tag: str = Field("", alias="REAPER_REQUIRE_TAG")
    allow_names: str = Field("", alias="REAPER_ALLOW_NAMES", pattern=r"[^,\s]")
    allow_shared: Flag = Field(default=False, alias="REAPER_ALLOW_SHARED")
    plan_life: Annotated[timedelta, BeforeValidator(parse_age)] = Field(
        timedelta(days=7), alias="REAPER_PLAN_LIFE", ge=timedelta(hours=1)
    )
    max_images: int = Field(100, alias="REAPER_MAX_IMAGES", ge=0, le=10_000)
    allow_plaintext: Literal["on", "off"] = Field("off", alias=_ALLOW_PLAINTEXT)
    concurrency: int = Field(16, alias="REAPER_CONCURRENCY", ge=1, le=128)
    scheduled_request: str = Field("", alias="REAPER_SCHEDULED_REQUEST")
    lifecycle_request: str = Field("", alias="REAPER_LIFECYCLE_REQUEST")
    budget: Annotated[tuple[int, timedelta] | None, BeforeValidator(parse_budget)] = Field(None, alias="REAPER_BUDGET")
    state_table: str = Field("", alias="REAPER_STATE_TABLE", pattern=TABLE_NAME)
    fanout_queue_url: Annotated[Url, AfterValidator(check_queue)] = Field("", alias="REAPER_FANOUT_QUEUE_URL")
    failed_to: Annotated[Url, AfterValidator(check_queue), WrapValidator(topic_or)] = Field("", alias=FAILED_TO)
    report_bucket: str = Field("", alias=REPORT_BUCKET, pattern=BUCKET_NAME)
    notice_topic: Annotated[str, AfterValidator(check_topic)] = Field("", alias=NOTICE_TOPIC)
    owner_key: str = Field("", alias="REAPER_OWNER_KEY", pattern=r"^\S(.*\S)?$")
    complete_lifecycle_action: Literal["on", "off"] = Field("off", alias="REAPER_COMPLETE_LIFECYCLE_ACTION")
    service: str = Field(SERVICE, alias="POWERTOOLS_SERVICE_NAME")
    namespace: str = Field(NAMESPACE, alias="POWERTOOLS_METRICS_NAMESPACE")

    @classmethod
    def from_env(
        cls,
        environment: Mapping[str, str] | None = None,
        read: ReadSecret | None = None,
        runtime: Runtime = Runtime(),  # noqa: B008 (a value, frozen)
        project_id: str = "",
    ) -> Self:
        """Read the settings; what the secret holds, which `read` reads, wins over the environment.

        `runtime` is what the engine says of itself. Where each project has a secret of its own, these are the settings
        of `project_id`, or without one those that are the same for all, without a proof. Raises InvalidSettings, which
        names each variable that is unknown, unusable or missing, and shows no secret.
        """
        source = os.environ if environment is None else environment
        # An empty variable counts as not set: the template sets them all, also for parameters that are left empty.
        given = with_several({name: value for name, value in source.items() if value}, cls.names())
        check_engine(given, runtime)
        given = of_project(given, project_id)
        ours = {name: value for name, value in given.items() if name.startswith("REAPER_") or name in _POWERTOOLS}
        # Before the secret is read: it would come from there.
        _check_addresses(given)
        access = access_from(given)
        bundle, name = "", given.get(SECRET, "")
        if name and not is_per_project(name):
            given, bundle = with_secret(given, name, access, read)
            _check_addresses(given)
        if "OS_CLOUD" in given:
            message = "OS_CLOUD: clouds.yaml is read from a shell only (image-reaper): set the OS_* variables instead"
            raise InvalidSettings(message)
        check_standing_requests(given)
        # The clouds that take signatures have IMS.
        is_signed = given.get(AUTH, runtime.auth) != "keystone"
        usual = {"REAPER_AUTH": runtime.auth} | ({"REAPER_IMAGE_API": "ims"} if is_signed else {})
        try:
            proof = None if is_per_project(name) else _proof_in(given, runtime)
            own = {"aws": access, "proof": proof, "ca_bundle": bundle, "trace": trace_in(given)}
            own["function"] = given.get(_FUNCTION, "")
            return cls.model_validate({**usual, **ours, **own})
        # The error itself is left out: it shows the input, which may be a password.
        except ValidationError as exc:
            errors = exc.errors(include_url=False)
            raise InvalidSettings(wrong_variables(errors, given, cls.names(), (cls, Credentials))) from None

    @classmethod
    def names(cls) -> frozenset[str]:
        """The names of all variables that a run may be given."""
        return names({field.alias for field in cls.model_fields.values() if field.alias})

    @model_validator(mode="after")
    def _in_use_check_is_on(self) -> Self:
        if self.in_use_also and self.in_use_check == "off":
            message = "REAPER_IN_USE_ALSO: needs REAPER_IN_USE_CHECK=on"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _countable(self) -> Self:
        """Refuse a budget that nothing could count."""
        if self.budget is not None and not self.state_table:
            message = "REAPER_STATE_TABLE: is missing: REAPER_BUDGET needs it"
            raise ValueError(message)
        return self

    @property
    def is_for_all(self) -> bool:
        """Whether each project has a secret of its own, and these settings are for none of them."""
        return is_per_project(self.credentials_secret)

    @property
    def credentials(self) -> Credentials:
        """The credentials for a token; raises TypeError where there are none, as where requests are signed."""
        if isinstance(self.proof, Credentials):
            return self.proof
        message = "there are no credentials for a token"
        raise TypeError(message)

    @property
    def policy(self) -> Policy:
        """The rules that every image must pass."""
        return Policy(
            min_age=self.min_age,
            keep_tag=self.keep_tag,
            require_tag=self.require_tag,
            allow_names=tuple(glob.strip() for glob in self.allow_names.split(",") if glob.strip()),
            allow_shared=self.allow_shared,
        )


def _proof_in(given: Mapping[str, str], runtime: Runtime) -> Credentials | Signing:
    return signing_from(given, runtime) or Credentials.model_validate(complete(given))


def _check_addresses(given: Mapping[str, str]) -> None:
    addresses = {name: value for name, value in given.items() if not is_topic(value)}
    check_proxy(given)
    check_addresses(addresses, _ADDRESSES, allowed=given.get(_ALLOW_PLAINTEXT) == "on")


_ADDRESSES = (
    *("OS_AUTH_URL", "REAPER_IMAGE_ENDPOINT", "REAPER_COMPUTE_ENDPOINT"),
    *("REAPER_FANOUT_QUEUE_URL", FAILED_TO),
    *("AWS_CONTAINER_CREDENTIALS_FULL_URI", *ENDPOINTS.values()),
)
_POWERTOOLS = ("POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE")
