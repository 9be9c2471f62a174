"""The settings of a command: the variables of the shell, with a cloud of clouds.yaml, for what it may do."""

import argparse
import os
import warnings
from collections.abc import Mapping

from handler.compose.secret import load_settings
from handler.config.settings import Settings
from handler.errors import InvalidSettings

KEPT = ("notice_topic", "report_bucket", "state_table", "failed_to", "fanout_queue_url")
"""The settings that name where something of a run is kept, or sent."""
WAYS = ("OS_", "REAPER_AUTH", "REAPER_CREDENTIALS_SECRET", "REAPER_SETTINGS")
"""How variables begin that may say which cloud is meant, and who asks."""


def settings_for(options: argparse.Namespace) -> Settings:
    """The settings of a command; raises InvalidSettings."""
    _check_parameters(os.environ)
    given = variables(options.cloud)
    settings = load_settings(given)
    # Where REAPER_SETTINGS says so, too: another cloud than the one that is named would be asked.
    if given is not os.environ and (settings.auth != "keystone" or settings.credentials_secret):
        other = "REAPER_CREDENTIALS_SECRET" if settings.credentials_secret else f"REAPER_AUTH={settings.auth}"
        message = f"{_named_by(options.cloud)}: {other} says who asks, too: leave out one of them"
        raise InvalidSettings(message)
    if settings.mode == "delete" and (options.plan or options.today):
        option = "--plan" if options.plan else "--today"
        message = f"{option}: for rehearsals only: leave it out, or set REAPER_MODE=dry-run"
        raise InvalidSettings(message)
    return without_traces(settings) if options.today else settings


def _check_parameters(given: Mapping[str, str]) -> None:
    """Raise InvalidSettings for a setting that is named as in the templates: nobody would heed it here."""
    for name in sorted(Settings.names()):
        parameter = "".join(word.title() for word in name.removeprefix("REAPER_").split("_"))
        if name.startswith("REAPER_") and parameter in given:
            message = f"{parameter}: is a parameter of the template: in a shell, set {name} in its place"
            raise InvalidSettings(message)


def rehearsing(settings: Settings) -> Settings:
    """The same settings, for the rehearsal that a person is shown before the answer: nobody else is told of it."""
    return settings.model_copy(update={"mode": "dry-run", "notice_topic": ""})


def without_traces(settings: Settings) -> Settings:
    """The same settings, for a rehearsal as if on another day: nothing of it may be kept anywhere."""
    return settings.model_copy(update=dict.fromkeys(KEPT, ""))


def variables(cloud: str | None = None) -> Mapping[str, str]:
    """The environment, with what clouds.yaml says where OS_CLOUD, or `cloud` in its place, names a cloud of it.

    Raises InvalidSettings, also where nothing says which cloud is meant.
    """
    if cloud == "":
        # As of a variable that is not set: what the others name may be another cloud.
        message = "--cloud: is empty: give the name of a cloud of clouds.yaml"
        raise InvalidSettings(message)
    given = os.environ if cloud is None else {**os.environ, "OS_CLOUD": cloud}
    if not given.get("OS_CLOUD"):
        _check_says_which_cloud(given)
        return given
    # Not at the top: nothing else needs what reads it.
    from handler.cloud.identity.clouds_yaml import with_cloud  # noqa: PLC0415

    try:
        return with_cloud(given)
    except InvalidSettings as error:
        raise InvalidSettings(_in_typed_words(str(error), given["OS_CLOUD"], cloud)) from None


def _check_says_which_cloud(given: Mapping[str, str]) -> None:
    """Raise InvalidSettings where there is nothing to log in with, as in a new shell."""
    if not any(value and name.startswith(WAYS) for name, value in given.items()):
        message = (
            "no cloud is named: give --cloud NAME, a cloud of clouds.yaml; or set OS_CLOUD to such a name; or set the "
            "other OS_* variables, as the openrc file of your cloud does"
        )
        raise InvalidSettings(message)


def _in_typed_words(problem: str, name: str, cloud: str | None) -> str:
    """What is wrong with a cloud of clouds.yaml, by what names the cloud, with the clouds that there are."""
    option = _named_by(cloud)
    names = _clouds() if f"{name} was not found" in problem else []
    if names:
        return f"{option}: {name}: no such cloud in clouds.yaml, which has {', '.join(names)}"
    return option + problem.removeprefix("OS_CLOUD")


def _named_by(cloud: str | None) -> str:
    return "OS_CLOUD" if cloud is None else "--cloud"


def _clouds() -> list[str]:
    """The clouds of clouds.yaml, by their names; openstacksdk is there by now."""
    from openstack.config.loader import OpenStackConfig  # noqa: PLC0415 (only who needs it has it)

    # What other variables say is a cloud of its own to the SDK, and so are the defaults of all.
    with warnings.catch_warnings(action="ignore"):
        return sorted(set(OpenStackConfig().get_cloud_names()) - {"envvars", "defaults"})
