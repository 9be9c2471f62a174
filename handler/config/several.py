"""REAPER_SETTINGS: one variable that holds several settings, for engines that allow few variables."""

import json
from collections.abc import Collection, Mapping

from handler.cloud.identity.credentials import Credentials
from handler.cloud.identity.spellings import TODAY, WAYS, merge
from handler.config.signing import ACCESS_KEY, PROJECT, SECRET_KEY, TOKEN
from handler.config.values import unknown_setting
from handler.errors import InvalidRequest, InvalidSettings
from handler.sources.activation import TEMPLATE
from handler.sources.parsing import read_json, shown

SETTINGS = "REAPER_SETTINGS"
SECRETS = frozenset({*WAYS.values(), "OS_AUTH_TOKEN", ACCESS_KEY, SECRET_KEY, TOKEN})
REQUESTS = ("REAPER_SCHEDULED_REQUEST", TEMPLATE)
"""The settings that may be given as objects: they are requests, and JSON in a string in JSON is hard to read."""


def names(ours: Collection[str]) -> frozenset[str]:
    """The names of all variables that a run may be given; `ours` are those of our own settings."""
    of_openstack = {f"OS_{field.upper()}" for field in Credentials.model_fields}
    domains = {"OS_DOMAIN_ID", "OS_DOMAIN_NAME", "OS_DEFAULT_DOMAIN", "OS_CLOUD"}
    return frozenset({*ours, *of_openstack, *TODAY, *domains, *SECRETS, PROJECT})


def with_several(given: Mapping[str, str], ours: Collection[str]) -> dict[str, str]:
    """The variables, together with the settings in REAPER_SETTINGS, over which a variable of its own wins.

    Raises InvalidSettings, which names each setting that is unknown or unusable, and shows no value.
    """
    below = {name: value for name, value in given.items() if name != SETTINGS}
    if SETTINGS not in given:
        return below
    try:
        held = read_json(given[SETTINGS], SETTINGS)
    except InvalidRequest as exc:
        raise InvalidSettings(str(exc)) from None
    known = names(ours)
    problems = {name: _problem(name, value, known) for name, value in held.items()}
    if wrong := [f"{SETTINGS}.{shown(name)}: {problem}" for name, problem in problems.items() if problem]:
        raise InvalidSettings("; ".join(wrong))
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in held.items()}
    return merge({name: value for name, value in texts.items() if value}, below)


def _problem(name: str, value: object, known: Collection[str]) -> str:
    """What is wrong with one of the settings; empty if nothing is."""
    if name in SECRETS:
        return "is a secret: it needs a variable of its own, an encrypted one"
    if name not in known:
        return unknown_setting(name, known)
    if isinstance(value, dict) and name in REQUESTS:
        return ""
    return "" if isinstance(value, str) else 'must be a string, such as "100" or "true"'
