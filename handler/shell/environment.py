"""The settings of a command: the variables of the shell, with a cloud of clouds.yaml, for what it may do."""

import argparse
import os
from collections.abc import Mapping

from handler.compose.secret import load_settings
from handler.config.settings import Settings
from handler.errors import InvalidSettings

KEPT = ("notice_topic", "report_bucket", "state_table", "failed_to", "fanout_queue_url")
"""The settings that name where something of a run is kept, or sent."""


def settings_for(options: argparse.Namespace) -> Settings:
    """The settings of a command; raises InvalidSettings."""
    settings = load_settings(variables(options.cloud))
    if settings.mode == "delete" and (options.plan or options.today):
        option = "--plan" if options.plan else "--today"
        message = f"{option}: for rehearsals only: leave it out, or set REAPER_MODE=dry-run"
        raise InvalidSettings(message)
    return without_traces(settings) if options.today else settings


def rehearsing(settings: Settings) -> Settings:
    """The same settings, for the rehearsal that a person is shown before the answer: nobody else is told of it."""
    return settings.model_copy(update={"mode": "dry-run", "notice_topic": ""})


def without_traces(settings: Settings) -> Settings:
    """The same settings, for a rehearsal as if on another day: nothing of it may be kept anywhere."""
    return settings.model_copy(update=dict.fromkeys(KEPT, ""))


def variables(cloud: str | None = None) -> Mapping[str, str]:
    """The environment, with what clouds.yaml says where OS_CLOUD, or `cloud` in its place, names a cloud of it."""
    given = os.environ if cloud is None else {**os.environ, "OS_CLOUD": cloud}
    if not given.get("OS_CLOUD"):
        return given
    # Not at the top: nothing else needs what reads it.
    from handler.cloud.identity.clouds_yaml import with_cloud  # noqa: PLC0415

    return with_cloud(given)
