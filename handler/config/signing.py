"""The settings of signed requests, read together: none of them means anything alone."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from handler.cloud.identity.signing.access import CloudName, Keys, Signing
from handler.cloud.identity.spellings import spell
from handler.errors import InvalidSettings

Auth = Literal["keystone", "aksk", "agency"]
AUTH, CLOUD, REGION, PIN = "REAPER_AUTH", "REAPER_CLOUD", "OS_REGION_NAME", "REAPER_PROJECT_ID"
SDK_PREFIX = "HUAWEICLOUD_SDK_"
"""The prefix of the variables that hold keys; the clouds' own SDKs read the same ones."""
ACCESS_KEY, SECRET_KEY = f"{SDK_PREFIX}AK", f"{SDK_PREFIX}SK"
TOKEN, PROJECT = f"{SDK_PREFIX}SECURITY_TOKEN", f"{SDK_PREFIX}PROJECT_ID"
_KEY = "must be ASCII without blanks: copy it again"
REGION_NAME = r"[a-z0-9]+(-[a-z0-9]+)+"
_FORMS = {
    ACCESS_KEY: (r"[\x21-\x7e]+", _KEY),
    SECRET_KEY: (r"[\x21-\x7e]+", _KEY),
    TOKEN: (r"[\x21-\x7e]*", _KEY),
    PROJECT: (r"[0-9a-f]{32}", "must be the id of a project, 32 hexadecimal digits in small letters, not its name"),
    REGION: (REGION_NAME, "must be the name of a region, such as eu-de"),
}
"""What each may hold, as a pattern and in words: keys go into a header, a region into the name of a host."""


class Runtime(NamedTuple):
    """What the engine that runs the function says of itself.

    `project_id` is the project that it runs in, empty where the engine has none. `keys` returns the keys of the
    function's agency; without it, there is no agency.
    """

    engine: Literal["aws", "functiongraph"] = "aws"
    project_id: str = ""
    keys: Callable[[], Keys] | None = None

    @property
    def auth(self) -> Auth:
        """How a function proves who it is, unless the operator says otherwise."""
        return "agency" if self.engine == "functiongraph" else "keystone"


def signing_from(given: Mapping[str, str], runtime: Runtime) -> Signing | None:
    """Read how requests are signed; None if a Keystone token proves who we are.

    Raises InvalidSettings, which names each variable that is unusable or missing, and shows no key.
    """
    auth = given.get(AUTH, runtime.auth)
    if auth == "keystone":
        _check_meant(given)
        return None
    if auth not in get_args(Auth):
        message = f"{AUTH}: must be keystone, aksk or agency"
        raise InvalidSettings(message)
    if auth == "agency" and runtime.keys is None:
        message = f"{AUTH}: only a function on FunctionGraph has an agency: use aksk or keystone"
        raise InvalidSettings(message)
    needed = (REGION,) if auth == "agency" else (ACCESS_KEY, SECRET_KEY, PROJECT, REGION)
    project_id = given.get(PROJECT) or (runtime.project_id if auth == "agency" else "")
    problems = [f"{name}: is missing: {AUTH}={auth} needs it" for name in needed if name not in given]
    problems += [f"{name}: {must}" for name, (form, must) in _FORMS.items() if _is_wrong(given, name, form)]
    problems += [*_other_projects(given, project_id, runtime), *_unusable(given)]
    if problems:
        raise InvalidSettings("; ".join(problems))
    static = Keys(
        access_key=given.get(ACCESS_KEY, ""), secret_key=given.get(SECRET_KEY, ""), security_token=given.get(TOKEN, "")
    )
    return Signing(
        keys=runtime.keys if auth == "agency" and runtime.keys else Held(static),
        project_id=project_id,
        region=given[REGION],
        cloud="huawei" if given.get(CLOUD) == "huawei" else "otc",
        cacert=given.get("OS_CACERT"),
    )


@dataclass(frozen=True, slots=True)
class Held:
    """Keys that stay as they are, as a function that returns them. Two functions with the same keys are equal."""

    keys: Keys = field(repr=False)

    def __call__(self) -> Keys:
        """Return the keys."""
        return self.keys


def _check_meant(given: Mapping[str, str]) -> None:
    """Refuse keys without an address of Keystone: they are meant to sign requests, which REAPER_AUTH must say."""
    if ACCESS_KEY in given and "OS_AUTH_URL" not in given:
        message = f"{AUTH}: must be aksk for requests to be signed with {ACCESS_KEY}; keystone needs OS_AUTH_URL"
        raise InvalidSettings(message)


def _is_wrong(given: Mapping[str, str], name: str, form: str) -> bool:
    return name in given and re.fullmatch(form, given[name]) is None


def _other_projects(given: Mapping[str, str], project_id: str, runtime: Runtime) -> list[str]:
    """What is wrong with the projects that the settings and the runtime name: a signature is for one of them."""
    form, words = _FORMS[PROJECT]
    if runtime.project_id and re.fullmatch(form, runtime.project_id) is None:
        return [f"RUNTIME_PROJECT_ID: {words}"]
    problems = []
    if runtime.project_id and project_id != runtime.project_id:
        problems.append(f"{PROJECT}: is {project_id}, but the function runs in project {runtime.project_id}")
    # Nothing else reads OS_PROJECT_ID here; but whoever has set it expects that no other project's images go.
    told = {PIN: given.get(PIN), "OS_PROJECT_ID": spell(given).get("OS_PROJECT_ID")}
    wrong = {name: value for name, value in told.items() if project_id and value and value != project_id}
    return problems + [f"{name}: is {wrong[name]}, but requests are signed for project {project_id}" for name in wrong]


def _unusable(given: Mapping[str, str]) -> list[str]:
    problems = []
    if given.get(CLOUD, "otc") not in get_args(CloudName):
        problems.append(f"{CLOUD}: must be otc or huawei")
    # Checked here: the first request would fail as well, but in words that name another cause.
    if (file := given.get("OS_CACERT")) and not Path(file).is_file():
        problems.append("OS_CACERT: can't be read")
    return problems
