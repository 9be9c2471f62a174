"""The `OS_*` variables in the words of today: their older names, and what follows from the others. Pure.

Source: openstacksdk, openstack/config/loader.py (`_fix_backwards_auth`, `_fix_backwards_interface`,
`_handle_domain_id`), and osc-lib, osc_lib/cli/client_config.py (`_auth_default_domain`, `_auth_select_default_plugin`).
"""

from collections.abc import Mapping

TODAY = {
    "OS_TENANT_ID": "OS_PROJECT_ID",
    "OS_TENANT_NAME": "OS_PROJECT_NAME",
    "OS_USER_NAME": "OS_USERNAME",
    "OS_AUTH_TOKEN": "OS_TOKEN",  # nosec B105 # names of variables
    "OS_AUTH_PLUGIN": "OS_AUTH_TYPE",
    "OS_ENDPOINT_TYPE": "OS_INTERFACE",
}
"""What is called otherwise today. Where both names are given, today's counts: openstackclient reads nothing else."""
DOMAINS = ("OS_USER_DOMAIN", "OS_PROJECT_DOMAIN")
NAMED_TWICE = (*DOMAINS, "OS_PROJECT", "OS_APPLICATION_CREDENTIAL")
"""What has an id or a name. Keystone takes the id where it gets both."""
WAYS = {
    "password": "OS_PASSWORD",  # nosec B105 # the same
    "v3token": "OS_TOKEN",
    "v3applicationcredential": "OS_APPLICATION_CREDENTIAL_SECRET",
}
"""The ways to log in, and the secret of each. Where none is named, the first decides that has its secret."""
ALSO_CALLED = {"v3password": "password", "token": "v3token"}  # nosec B105 # names of ways to log in


def merge(below: Mapping[str, str], above: Mapping[str, str]) -> dict[str, str]:
    """The variables of two sources, of which the second wins in whatever spelling, with its own way to log in."""
    below, above = spell(below), spell(above)
    way = ALSO_CALLED.get(below.get("OS_AUTH_TYPE", ""), below.get("OS_AUTH_TYPE", ""))
    if WAYS.get(way) not in above and (own := way_of(above)):
        above = {"OS_AUTH_TYPE": own} | above
    # An id below would win over a name above.
    hidden = {name for pair in pairs() if above.keys() & pair for name in pair}
    return {name: value for name, value in below.items() if name not in hidden} | above


def spell(given: Mapping[str, str]) -> dict[str, str]:
    """The variables of one source by their names of today."""
    older = {TODAY[name]: value for name, value in given.items() if name in TODAY}
    found = older | {name: value for name, value in given.items() if name not in TODAY}
    # One domain for the user and for the project.
    ending = "ID" if "OS_DOMAIN_ID" in found else "NAME"
    return _with_domains(found, ending, found.get(f"OS_DOMAIN_{ending}"))


def complete(given: Mapping[str, str]) -> dict[str, str]:
    """The variables of all sources, with what follows from them."""
    found = spell(given)
    if own := way_of(found):
        found = {"OS_AUTH_TYPE": own} | found
    found = _with_domains(found, "ID", found.get("OS_DEFAULT_DOMAIN"))
    # Where only the user's domain is given, the project is in the same one, as in profiles of Open Telekom Cloud.
    if "OS_PROJECT_ID" not in found:
        for ending in ("ID", "NAME"):
            found = _with_domains(found, ending, found.get(f"OS_USER_DOMAIN_{ending}"))
    return found


def _with_domains(given: dict[str, str], ending: str, domain: str | None) -> dict[str, str]:
    """The variables, with a domain for what has none yet."""
    if not domain:
        return given
    lacking = [kind for kind in DOMAINS if not {f"{kind}_ID", f"{kind}_NAME"} & given.keys()]
    return given | {f"{kind}_{ending}": domain for kind in lacking}


def way_of(given: Mapping[str, str]) -> str | None:
    """The way to log in whose secret is given."""
    return next((way for way, secret in WAYS.items() if secret in given), None)


def pairs() -> list[set[str]]:
    """The names of which one is enough."""
    return [{f"{kind}_ID", f"{kind}_NAME"} for kind in NAMED_TWICE] + [{"OS_USER_ID", "OS_USERNAME"}]
