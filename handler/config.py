"""The settings: the one place that reads the environment, and refuses what it does not understand."""

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, model_validator

from handler.errors import InvalidSettings
from handler.model import Policy, parse_age

Flag = Annotated[bool, BeforeValidator(lambda text: {"true": True, "false": False}.get(text, text)), Field(strict=True)]
Url = Annotated[str, Field(pattern=r"^https?://[^\s/]+\S*$")]
SERVICE = "image-reaper"
NAMESPACE = "ImageReaper"
NOT_YET = ("REAPER_CREDENTIALS_SECRET", "REAPER_BUDGET", "REAPER_BUDGET_TABLE", "REAPER_FANOUT_QUEUE_URL")
"""Settings whose meaning is fixed but not built: accepting one would promise a safety that is not there."""


class Credentials(BaseModel):
    """The standard OpenStack variables, without their `OS_`. Others of that family are none of our business."""

    model_config = ConfigDict(
        frozen=True, alias_generator=lambda field: f"OS_{field.upper()}", hide_input_in_errors=True
    )

    auth_url: Url
    auth_type: Literal["password", "v3password", "v3applicationcredential", "v3token"] = "password"
    username: str | None = None
    user_id: str | None = None
    password: SecretStr | None = None
    user_domain_name: str | None = None
    user_domain_id: str | None = None
    project_name: str | None = None
    project_id: str | None = None
    project_domain_name: str | None = None
    project_domain_id: str | None = None
    application_credential_id: str | None = None
    application_credential_name: str | None = None
    application_credential_secret: SecretStr | None = None
    token: SecretStr | None = None
    region_name: str | None = None
    interface: Literal["public", "internal", "admin"] = "public"
    cacert: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        """Refuse credentials that Keystone could not accept, naming what is missing."""
        user = ("username", "user_id"), ("user_domain_name", "user_domain_id", "user_id")
        project = ("project_id", "project_name"), ("project_domain_name", "project_domain_id", "project_id")
        needed: tuple[tuple[str, ...], ...] = (*user, ("password",), *project)
        if self.auth_type == "v3token":
            needed = (("token",), *project)
        elif self.auth_type == "v3applicationcredential":
            by_id = ("application_credential_id", "application_credential_name")
            needed = (("application_credential_secret",), by_id)
            needed += () if self.application_credential_id else user
        for alternatives in needed:
            if not any(getattr(self, field) for field in alternatives):
                names = " or ".join(f"OS_{field.upper()}" for field in alternatives)
                message = f"OS_AUTH_TYPE={self.auth_type} needs {names}"
                raise ValueError(message)
        return self

    def plugin_arguments(self) -> dict[str, Any]:
        """What the plugin for `auth_type` takes, secrets in plain."""
        user = ("user_domain_name", "user_domain_id", "username", "user_id")
        project = ("project_name", "project_id", "project_domain_name", "project_domain_id")
        fields: tuple[str, ...] = ("auth_url", "password", *user, *project)
        if self.auth_type == "v3token":
            fields = ("auth_url", "token", *project)
        elif self.auth_type == "v3applicationcredential":
            named = ("application_credential_id", "application_credential_name", "application_credential_secret")
            fields = ("auth_url", *named, *user)
        values = ((field, getattr(self, field)) for field in fields)
        return {k: v.get_secret_value() if isinstance(v, SecretStr) else v for k, v in values if v is not None}

    def secrets(self) -> tuple[str, ...]:
        """What may stand in no log, no exception and no answer."""
        secrets = (self.password, self.application_credential_secret, self.token)
        return tuple(secret.get_secret_value() for secret in secrets if secret)


class Settings(BaseModel):
    """Every setting of the function, checked before anything else is done."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    credentials: Credentials
    mode: Literal["dry-run", "delete", "paused"] = Field("dry-run", alias="REAPER_MODE")
    image_api: Literal["glance", "ims", "ecs-v2.1", "ecs-v2"] = Field("glance", alias="REAPER_IMAGE_API")
    project_pin: str = Field("", alias="REAPER_PROJECT_ID")
    image_endpoint: Url | Literal[""] = Field("", alias="REAPER_IMAGE_ENDPOINT")
    compute_endpoint: Url | Literal[""] = Field("", alias="REAPER_COMPUTE_ENDPOINT")
    in_use_check: Literal["on", "off"] = Field("on", alias="REAPER_IN_USE_CHECK")
    min_age: Annotated[timedelta, BeforeValidator(parse_age)] = Field(timedelta(0), alias="REAPER_MIN_AGE")
    keep_tag: str = Field("keep", alias="REAPER_KEEP_TAG")
    require_tag: str = Field("", alias="REAPER_REQUIRE_TAG")
    allow_names: str = Field("", alias="REAPER_ALLOW_NAMES", pattern=r"[^,\s]")
    allow_shared: Flag = Field(default=False, alias="REAPER_ALLOW_SHARED")
    max_images: int = Field(100, alias="REAPER_MAX_IMAGES", ge=0, le=10_000)
    concurrency: int = Field(16, alias="REAPER_CONCURRENCY", ge=1, le=128)
    scheduled_request: str = Field("", alias="REAPER_SCHEDULED_REQUEST")
    service: str = Field(SERVICE, alias="POWERTOOLS_SERVICE_NAME")
    namespace: str = Field(NAMESPACE, alias="POWERTOOLS_METRICS_NAMESPACE")

    @classmethod
    def from_env(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read the settings; an empty variable counts as not set.

        Raises InvalidSettings, naming each variable that is unknown, unusable or missing, and never its secret.
        """
        source = os.environ if environment is None else environment
        given = {name: value for name, value in source.items() if value}
        ours = {name: value for name, value in given.items() if name.startswith("REAPER_") or name in _POWERTOOLS}
        if early := [name for name in NOT_YET if name in ours]:
            message = f"{', '.join(early)}: not supported yet"
            raise InvalidSettings(message)
        try:
            return cls.model_validate({**ours, "credentials": Credentials.model_validate(given)})
        except ValidationError as exc:
            problems = "; ".join(_problem(error) for error in exc.errors(include_url=False, include_input=False))
            raise InvalidSettings(problems) from None

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


_POWERTOOLS = ("POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE")


def _problem(error: Mapping[str, Any]) -> str:
    """One line about one variable."""
    where = ".".join(str(part) for part in error["loc"] if part != "credentials")
    if error["type"] == "extra_forbidden":
        return f"{where}: unknown setting"
    what = "is missing" if error["type"] == "missing" else error["msg"].removeprefix("Value error, ")
    return f"{where}: {what}" if where else what
