"""The standard OpenStack variables, checked before any request is sent."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, SecretStr, model_validator

from handler.cloud.identity.spellings import ALSO_CALLED, WAYS


def _address(text: str) -> str:
    """Check that a text is an HTTP address that can be connected to."""
    # A label that is too long for IDNA would raise its error at the first request only, in the middle of a run.
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").strip(".")
        usable = bool(host) and parts.port != 0 and (":" in host or bool(host.encode("idna")))
    except ValueError:
        usable = False
    if not usable or re.fullmatch(r"https?://[^\s/]+\S*", text) is None:
        message = "must be an address such as https://host:port/path"
        raise ValueError(message)
    return text


def _file(text: str) -> str:
    """Check that a text names a file that can be read."""
    try:
        with Path(text).open("rb"):
            return text
    except OSError as exc:
        message = f"can't be read: {exc.strerror}; in a secret, CA_BUNDLE takes the text of the file instead"
        raise ValueError(message) from exc


def _way(text: str) -> str:
    """The way to log in, in one of its spellings."""
    way = ALSO_CALLED.get(text, text)
    if way not in WAYS:
        message = (
            "must be password, v3applicationcredential or v3token; who logs in otherwise, such as by OIDC, SAML or "
            "TOTP, needs an application credential (`openstack application credential create`)"
        )
        raise ValueError(message)
    return way


def _interface(text: str) -> str:
    """The interface in the catalogue, in one of its spellings; source: keystoneauth1, `normalize_interface`."""
    interface = text.removesuffix("URL")
    if interface not in {"public", "internal", "admin"}:
        message = "must be public, internal or admin (OS_ENDPOINT_TYPE is an older name of it)"
        raise ValueError(message)
    return interface


def _of_version_3(text: str) -> str:
    """Refuse the address of a version of Keystone that is gone."""
    if re.search(r"/v2(\.0)?/*$", text):
        message = "names version 2 of Keystone, which no cloud has any more: end it in /v3"
        raise ValueError(message)
    return text


Url = Annotated[str, AfterValidator(_address)]
"""An HTTP address."""


class Credentials(BaseModel):
    """The standard OpenStack variables, in the words of today and without their `OS_`. Others are ignored."""

    model_config = ConfigDict(
        frozen=True, alias_generator=lambda field: f"OS_{field.upper()}", hide_input_in_errors=True
    )

    auth_url: Annotated[Url, AfterValidator(_of_version_3)]
    auth_type: Annotated[Literal["password", "v3applicationcredential", "v3token"], BeforeValidator(_way)] = "password"
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
    interface: Annotated[Literal["public", "internal", "admin"], BeforeValidator(_interface)] = "public"
    cacert: Annotated[str, AfterValidator(_file)] | None = None

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
        """The arguments of the plugin for `auth_type`, with secrets in plain text."""
        user = ("user_domain_name", "user_domain_id", "username", "user_id")
        project = ("project_name", "project_id", "project_domain_name", "project_domain_id")
        fields: tuple[str, ...] = ("auth_url", "password", *user, *project)
        if self.auth_type == "v3token":
            fields = ("auth_url", "token", *project)
        elif self.auth_type == "v3applicationcredential":
            # No project: an application credential belongs to one, and Keystone takes no scope with it.
            named = ("application_credential_id", "application_credential_name", "application_credential_secret")
            fields = ("auth_url", *named, *user)
        values = ((field, getattr(self, field)) for field in fields)
        return {k: v.get_secret_value() if isinstance(v, SecretStr) else v for k, v in values if v is not None}

    def variables(self) -> tuple[str, ...]:
        """The names of the variables that say who logs in, where to, and with which secret."""
        names = (name for name in self.plugin_arguments() if name != "auth_url" and "_domain_" not in name)
        return tuple(f"OS_{name.upper()}" for name in names)

    def secrets(self) -> tuple[str, ...]:
        """The values that must not appear in any log, exception or answer."""
        secrets = (self.password, self.application_credential_secret, self.token)
        return tuple(secret.get_secret_value() for secret in secrets if secret)
