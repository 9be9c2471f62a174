"""The secret that holds credentials: what may stand in it. A function that reads it is passed in."""

from collections.abc import Callable, Mapping
from typing import Any

from handler.cloud.identity.spellings import merge
from handler.config.network import BUNDLE, read_bundle
from handler.config.signing import ACCESS_KEY, PIN, SDK_PREFIX, TOKEN
from handler.engine.aws.access import AwsAccess
from handler.errors import AwsFault, InvalidSettings

ReadSecret = Callable[[str, AwsAccess], Mapping[str, Any]]
"""Reads a secret by its name or ARN; returns the JSON object that it holds. May raise AwsFault."""
CACERT = "OS_CACERT"
SECRET = "REAPER_CREDENTIALS_SECRET"  # noqa: S105  # nosec B105 # the name of a variable
PLACE = "{project_id}"
"""Stands for the id of a project in the name of a secret, where each project has a secret of its own."""


def is_per_project(name: str) -> bool:
    """Whether this is the name of many secrets, one for each project."""
    return PLACE in name


def of_project(given: Mapping[str, str], project_id: str) -> dict[str, str]:
    """The variables for one project: with the name of its own secret, if each has one, and the project as the pin.

    Without a project, the name of the secret stays as it is. Raises InvalidSettings.
    """
    name = given.get(SECRET, "")
    if set("{}") & set(name.replace(PLACE, "")):
        message = f"{SECRET}: {PLACE} is all that may stand in braces in the name of a secret"
        raise InvalidSettings(message)
    if not is_per_project(name):
        return dict(given)
    # Which of the two was meant can't be guessed: a function for one project, or for all that have a secret.
    if given.get(PIN):
        message = (
            f"{PIN}: can't be set beside {PLACE} in {SECRET}: there, each request names the project that it is for"
        )
        raise InvalidSettings(message)
    return {**given, SECRET: name.replace(PLACE, project_id), PIN: project_id} if project_id else dict(given)


def with_secret(
    given: Mapping[str, str], name: str, access: AwsAccess, read: ReadSecret | None
) -> tuple[dict[str, str], str]:
    """The variables, together with those that a secret holds, which win; and the secret's authorities, as PEM.

    Raises InvalidSettings.
    """
    held = _variables_in(name, access, read)
    # A security token belongs to the keys that it came with.
    below = {key: value for key, value in given.items() if key != TOKEN or ACCESS_KEY not in held}
    bundle = _bundle(held.pop(BUNDLE, ""))
    merged = merge(below, held)
    # A file of authorities counts no more, and need not even be there.
    return ({key: value for key, value in merged.items() if key != CACERT} if bundle else merged), bundle


def _bundle(text: str) -> str:
    try:
        return read_bundle(text) if text else ""
    except ValueError as exc:
        message = f"{SECRET}: {BUNDLE}: {exc}"
        raise InvalidSettings(message) from None


def _variables_in(name: str, access: AwsAccess, read: ReadSecret | None) -> dict[str, str]:
    if read is None:
        message = f"{SECRET}: nothing here reads secrets"
        raise InvalidSettings(message)
    try:
        secret = read(name, access)
    except AwsFault as exc:
        message = f"{SECRET}: {exc}"
        raise InvalidSettings(message) from exc
    known = ("OS_", SDK_PREFIX)
    unknown = (key for key in secret if key != BUNDLE and not key.startswith(known))
    unusable = {*unknown, *(key for key, value in secret.items() if not isinstance(value, str))}
    if unusable:
        names = ", ".join(sorted(unusable))
        what = f"OS_* or {SDK_PREFIX}* variables or {BUNDLE}"
        message = f"{SECRET}: must hold {what}, all of them strings, and not {names}"
        raise InvalidSettings(message)
    return {key: value for key, value in secret.items() if value}
