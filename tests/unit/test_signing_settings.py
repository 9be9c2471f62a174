"""The settings of signed requests: read together, and refused by name."""

import re

import pytest

from handler.cloud.identity.credentials import Credentials
from handler.cloud.identity.signing.access import Keys, Signing
from handler.config.settings import Settings
from handler.config.signing import Runtime
from handler.errors import InvalidSettings

PROJECT, OTHER = "9c53a566cb3443ab910cf0daebca90c4", "0123456789abcdef0123456789abcdef"
AKSK = {
    "REAPER_AUTH": "aksk",
    "HUAWEICLOUD_SDK_AK": "EXAMPLEAK0000000000A",
    "HUAWEICLOUD_SDK_SK": "exampleSecretKey0000000000000000000000AB",
    "HUAWEICLOUD_SDK_PROJECT_ID": PROJECT,
    "OS_REGION_NAME": "eu-de",
}
AGENCY = {"OS_REGION_NAME": "eu-de"}
KEYS = Keys("AK", "SK", "token")
FUNCTION = Runtime("functiongraph", PROJECT, lambda: KEYS)


def signing(environment: dict[str, str], runtime: Runtime = Runtime()) -> Signing:  # noqa: B008 (a value, frozen)
    found = Settings.from_env(environment, runtime=runtime).proof
    assert isinstance(found, Signing)
    return found


def test_keys_of_the_settings_sign_for_the_project_that_they_name() -> None:
    found = signing(AKSK | {"HUAWEICLOUD_SDK_SECURITY_TOKEN": "T", "REAPER_CLOUD": "huawei"})
    assert (found.project_id, found.region, found.cloud) == (PROJECT, "eu-de", "huawei")
    assert found.keys() == Keys(AKSK["HUAWEICLOUD_SDK_AK"], AKSK["HUAWEICLOUD_SDK_SK"], "T")


def test_a_function_with_an_agency_needs_nothing_but_its_region() -> None:
    found = signing(AGENCY, FUNCTION)
    assert (found.project_id, found.region, found.cloud, found.keys()) == (PROJECT, "eu-de", "otc", KEYS)


def test_the_same_settings_are_equal_so_that_a_warm_environment_knows_them_again() -> None:
    assert signing(AKSK) == signing(AKSK)
    assert signing(AKSK) != signing(AKSK | {"HUAWEICLOUD_SDK_SK": "another"})


def test_signed_requests_go_to_ims_unless_another_api_is_named() -> None:
    assert Settings.from_env(AKSK).image_api == "ims"
    assert Settings.from_env(AKSK | {"REAPER_IMAGE_API": "ecs-v2.1"}).image_api == "ecs-v2.1"


def test_a_function_on_functiongraph_may_log_in_with_keystone_all_the_same() -> None:
    keystone = {"OS_AUTH_URL": "https://iam/v3", "OS_USERNAME": "u", "OS_PASSWORD": "p", "OS_PROJECT_NAME": "eu-de"}
    found = Settings.from_env(keystone | {"OS_USER_DOMAIN_NAME": "d", "REAPER_AUTH": "keystone"}, runtime=FUNCTION)
    assert isinstance(found.proof, Credentials)
    assert found.image_api == "glance"


@pytest.mark.parametrize("name", [name for name in AKSK if name != "REAPER_AUTH"])
def test_what_is_missing_is_named(name: str) -> None:
    with pytest.raises(InvalidSettings, match=f"^{name}: is missing: REAPER_AUTH=aksk needs it$"):
        Settings.from_env({key: value for key, value in AKSK.items() if key != name})


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"HUAWEICLOUD_SDK_AK": "a b"}, "HUAWEICLOUD_SDK_AK: must be ASCII without blanks: copy it again"),
        ({"HUAWEICLOUD_SDK_SK": "a\nb"}, "HUAWEICLOUD_SDK_SK: must be ASCII without blanks"),
        ({"HUAWEICLOUD_SDK_SECURITY_TOKEN": "ä"}, "HUAWEICLOUD_SDK_SECURITY_TOKEN: must be ASCII without blanks"),
        ({"HUAWEICLOUD_SDK_PROJECT_ID": "eu-de"}, "HUAWEICLOUD_SDK_PROJECT_ID: must be the id of a project"),
        ({"OS_REGION_NAME": "eu-de.evil.example/"}, "OS_REGION_NAME: must be the name of a region, such as eu-de"),
        ({"REAPER_CLOUD": "aws"}, "REAPER_CLOUD: must be otc or huawei"),
        ({"REAPER_AUTH": "AKSK"}, "REAPER_AUTH: must be keystone, aksk or agency"),
        ({"REAPER_AUTH": "agency"}, "REAPER_AUTH: only a function on FunctionGraph has an agency"),
        ({"REAPER_PROJECT_ID": OTHER}, f"REAPER_PROJECT_ID: is {OTHER}, but requests are signed for project {PROJECT}"),
        ({"OS_PROJECT_ID": OTHER}, f"OS_PROJECT_ID: is {OTHER}, but requests are signed for project {PROJECT}"),
        ({"OS_TENANT_ID": OTHER}, f"OS_PROJECT_ID: is {OTHER}, but requests are signed for project {PROJECT}"),
        ({"OS_CACERT": "/nowhere"}, "OS_CACERT: can't be read"),
    ],
    ids=["ak", "sk", "token", "project", "region", "cloud", "auth", "agency", "pin", "other", "older", "authorities"],
)
def test_what_is_wrong_is_named_and_no_key_is_shown(wrong: dict[str, str], problem: str) -> None:
    with pytest.raises(InvalidSettings, match=re.escape(problem)) as error:
        Settings.from_env(AKSK | wrong)
    assert AKSK["HUAWEICLOUD_SDK_SK"] not in str(error.value)


def test_keys_without_a_keystone_are_meant_to_sign_and_the_cure_is_named() -> None:
    forgotten = {name: value for name, value in AKSK.items() if name != "REAPER_AUTH"}
    with pytest.raises(InvalidSettings, match=r"^REAPER_AUTH: must be aksk for requests to be signed with"):
        Settings.from_env(forgotten)


def test_a_function_signs_for_no_other_project_than_its_own() -> None:
    with pytest.raises(InvalidSettings, match=f"but the function runs in project {PROJECT}"):
        signing(AKSK | {"HUAWEICLOUD_SDK_PROJECT_ID": OTHER}, FUNCTION)
    with pytest.raises(InvalidSettings, match=f"REAPER_PROJECT_ID: is {OTHER}"):
        signing(AGENCY | {"REAPER_PROJECT_ID": OTHER}, FUNCTION)
    with pytest.raises(InvalidSettings, match=f"OS_PROJECT_ID: is {OTHER}"):
        signing(AGENCY | {"OS_PROJECT_ID": OTHER}, FUNCTION)


@pytest.mark.parametrize("project", ["a\nb", "a/../b", "eu-de", "ä" * 32])
def test_a_runtime_that_names_no_project_that_there_can_be_begins_nothing(project: str) -> None:
    with pytest.raises(InvalidSettings, match="RUNTIME_PROJECT_ID: must be the id of a project"):
        signing(AGENCY, Runtime("functiongraph", project, lambda: KEYS))


def test_a_secret_may_hold_the_keys_and_brings_its_own_security_token_or_none() -> None:
    held = {name: AKSK[name] for name in ("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK")}
    environment = AKSK | {"HUAWEICLOUD_SDK_AK": "old", "HUAWEICLOUD_SDK_SECURITY_TOKEN": "of the old one"}
    found = Settings.from_env(environment | {"REAPER_CREDENTIALS_SECRET": "s"}, lambda _name, _access: held).proof
    assert isinstance(found, Signing)
    assert found.keys() == Keys(*held.values())


def test_nothing_of_the_keys_is_shown() -> None:
    found = Settings.from_env(AKSK)
    for text in (repr(found), str(found), repr(found.proof), repr(signing(AKSK).keys()), f"{found.model_dump()}"):
        assert AKSK["HUAWEICLOUD_SDK_SK"] not in text
        assert AKSK["HUAWEICLOUD_SDK_AK"] not in text
