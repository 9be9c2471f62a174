"""A cloud of clouds.yaml as `OS_*` variables. For a shell alone: openstacksdk reads it, which the function has not."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from handler.cloud.identity.spellings import ALSO_CALLED, merge, pairs, spell, way_of
from handler.errors import InvalidSettings

SINGLE = ({"OS_AUTH_URL"}, {"OS_AUTH_TYPE"})


def with_cloud(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of a shell, with what clouds.yaml and secure.yaml say of the cloud that OS_CLOUD names.

    A variable fills in what the cloud lacks, and wins over its secret, interface and authorities. One that names
    another cloud, user or project is refused: openstackclient would take the variable, and openstacksdk the file.
    The region is one of the cloud's regions, and the first of them if there is no variable. Raises InvalidSettings.
    Source: openstackclient's osc_lib/shell.py, and OpenStackConfig.get_one of openstacksdk.
    """
    given = {name: value for name, value in environment.items() if value}
    if "REAPER_CREDENTIALS_SECRET" in given:
        _refuse("REAPER_CREDENTIALS_SECRET names credentials, too: unset one of them")
    cloud = spell(_variables(_read(given)))
    above = spell(given)
    if others := _contradictions(cloud, above):
        _refuse(f"{given['OS_CLOUD']} in clouds.yaml says otherwise of {', '.join(others)}: unset one of them")
    # What an openrc has left behind must not change how this cloud is logged in to.
    if way := cloud.get("OS_AUTH_TYPE") or way_of(cloud):
        above["OS_AUTH_TYPE"] = way
    return {name: value for name, value in merge(cloud, above).items() if name != "OS_CLOUD"}


def _read(given: Mapping[str, str]) -> dict[str, Any]:
    """What openstacksdk makes of the cloud and of its profile."""
    try:
        from openstack.config.loader import OpenStackConfig  # noqa: PLC0415 (only who needs it has it)
        from openstack.exceptions import ConfigException  # noqa: PLC0415 (the same)
    except ImportError:
        message = "needs openstacksdk to read clouds.yaml: make setup, or pip install '.[clouds]' in the checkout"
        _refuse(message)
    try:
        # It warns of what it will no longer do one day, also to those who never asked for that.
        with warnings.catch_warnings(action="ignore"):
            # Without a way to log in of its own: what the cloud holds decides.
            config = OpenStackConfig(override_defaults={"auth_type": None})
            # Not validated: that would make the plugin, which is for `keystone` to make of what is checked.
            found = config.get_one(given["OS_CLOUD"], region_name=given.get("OS_REGION_NAME"), validate=False)
    # Only two of its texts: another one may repeat what stands in the file, a password for instance.
    except (ConfigException, AttributeError, IndexError, KeyError, TypeError, ValueError) as exc:
        if str(exc).startswith(("Cloud ", "Region ")):
            places = "here, in ~/.config/openstack and in /etc/openstack"
            _refuse(f"{exc} (clouds.yaml is looked for {places}, and skipped if it is not YAML)")
        _refuse("clouds.yaml is not made as it must be: compare it with the example in openstacksdk's documentation")
    return dict(found.config)


def _variables(config: Mapping[str, Any]) -> dict[str, str]:
    if config.get("insecure") or config.get("verify", True) is not True:
        _refuse("verify: false is not done: give the cloud's own authorities as cacert")
    if config.get("cert"):
        _refuse("a client certificate (cert) is not supported")
    told = {f"OS_{name.upper()}": value for name, value in {**config, **config["auth"]}.items()}
    found = {name: value for name, value in told.items() if isinstance(value, str) and value}
    return found | ({"OS_CACERT": str(Path(found["OS_CACERT"]).expanduser())} if "OS_CACERT" in found else {})


def _contradictions(cloud: Mapping[str, str], given: Mapping[str, str]) -> list[str]:
    """The variables that say otherwise than the cloud who we are, and where."""
    found = list[str]()
    for names in (*SINGLE, *pairs()):
        both = names & cloud.keys() & given.keys()
        differ = any(_plain(cloud[name]) != _plain(given[name]) for name in both)
        if names & cloud.keys() and names & given.keys() and (differ or not both):
            found += sorted(names & given.keys())
    return found


def _plain(text: str) -> str:
    return ALSO_CALLED.get(text, text).rstrip("/")


def _refuse(problem: str) -> NoReturn:
    # Without what came before it, which may show what stands in the file.
    message = f"OS_CLOUD: {problem}"
    raise InvalidSettings(message) from None
