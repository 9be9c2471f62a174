"""The OS_* variables as people have them: older names, what follows from others, and which source wins."""

import base64
import json
from typing import Any

import pytest

from handler.config.settings import Settings
from handler.errors import InvalidSettings
from tests.aws import Client
from tests.conftest import Auth, Invoke
from tests.fakecloud import APP_CREDENTIAL_ID, APP_CREDENTIAL_SECRET, DEMO, OTHER, FakeCloud, Server
from tests.unit.conftest import SECRET_NAME, Reap, Store

NO_PROJECT = {"OS_PROJECT_NAME": "", "OS_PROJECT_DOMAIN_NAME": ""}
NO_DOMAIN = {"OS_USER_DOMAIN_NAME": "", "OS_PROJECT_DOMAIN_NAME": ""}
BY_ID = {"OS_APPLICATION_CREDENTIAL_ID": APP_CREDENTIAL_ID}
APPLICATION = BY_ID | {"OS_APPLICATION_CREDENTIAL_SECRET": APP_CREDENTIAL_SECRET}
WORKING: dict[str, tuple[Auth, dict[str, str]]] = {
    "a project by its name in the domain of the user": ("password", {"OS_PROJECT_DOMAIN_NAME": ""}),
    "tenant id": ("password", NO_PROJECT | {"OS_TENANT_ID": DEMO}),
    "tenant name": ("password", {"OS_PROJECT_NAME": "", "OS_TENANT_NAME": "demo"}),
    "a tenant by its name in the domain of the user": ("password", NO_PROJECT | {"OS_TENANT_NAME": "demo"}),
    "tenant and project": ("password", {"OS_TENANT_NAME": "nowhere", "OS_TENANT_ID": DEMO}),
    "one domain for both": ("password", NO_DOMAIN | {"OS_DOMAIN_NAME": "Default"}),
    "the id of one domain for both": ("password", NO_DOMAIN | {"OS_DOMAIN_ID": "default"}),
    "a domain beside others": ("password", {"OS_DOMAIN_NAME": "Elsewhere", "OS_DEFAULT_DOMAIN": "elsewhere"}),
    "default domain": ("password", NO_DOMAIN | {"OS_DEFAULT_DOMAIN": "default"}),
    "the older name of the user": ("password", {"OS_USERNAME": "", "OS_USER_NAME": "reaper"}),
    "v3password": ("password", {"OS_AUTH_TYPE": "v3password"}),
    "the older name of the way": ("password", {"OS_AUTH_TYPE": "", "OS_AUTH_PLUGIN": "password"}),
    "a password alone": ("password", {"OS_AUTH_TYPE": ""}),
    "token": ("v3token", {"OS_AUTH_TYPE": "token"}),
    "a token alone": ("v3token", {"OS_AUTH_TYPE": ""}),
    "an application credential alone": ("v3applicationcredential", {"OS_AUTH_TYPE": ""}),
    "publicURL": ("password", {"OS_INTERFACE": "publicURL"}),
    "an older interface": ("password", {"OS_ENDPOINT_TYPE": "publicURL"}),
    "two interfaces": ("password", {"OS_INTERFACE": "public", "OS_ENDPOINT_TYPE": "internalURL"}),
}
COMPLETE = {
    "OS_AUTH_URL": "https://keystone.example/v3",
    "OS_USERNAME": "reaper",
    "OS_PASSWORD": "s3cret-passw0rd",
    "OS_USER_DOMAIN_NAME": "Default",
    "OS_PROJECT_NAME": "demo",
}
UNUSABLE = [
    ({"OS_AUTH_TYPE": "v3oidcpassword"}, "OS_AUTH_TYPE: .* application credential"),
    ({"OS_AUTH_TYPE": "v3totp"}, "OS_AUTH_TYPE: .* application credential"),
    ({"OS_AUTH_TYPE": "v2password"}, "OS_AUTH_TYPE: must be password, v3applicationcredential or v3token"),
    ({"OS_AUTH_URL": "https://keystone.example/v2.0"}, "OS_AUTH_URL: .*/v3"),
    ({"OS_AUTH_URL": "https://keystone.example:5000/identity/v2.0/"}, "OS_AUTH_URL: .*/v3"),
    ({"OS_INTERFACE": "private"}, "OS_INTERFACE: must be public, internal or admin"),
    ({"OS_ENDPOINT_TYPE": "private"}, "OS_ENDPOINT_TYPE"),
    ({"OS_CLOUD": "otc"}, "OS_CLOUD: .*image-reaper"),
]


def read(environment: dict[str, str], secret: dict[str, str] | None = None) -> dict[str, Any]:
    """What the login is made of."""
    named = {"REAPER_CREDENTIALS_SECRET": "a"} if secret is not None else {}
    settings = Settings.from_env(environment | named, read=lambda _name, _access: secret or {})
    return settings.credentials.plugin_arguments()


@pytest.mark.parametrize("what", WORKING)
def test_credentials_are_taken_in_every_spelling_that_is_clear(what: str, cloud: FakeCloud, invoke: Invoke) -> None:
    auth, changed = WORKING[what]
    image_id = cloud.add_image()
    run = invoke({"image_ids": [image_id]}, auth=auth, **changed)
    assert run.error is None
    assert run.outcomes == {image_id: ("deleted", "")}


@pytest.mark.parametrize("what", WORKING)
def test_a_secret_may_hold_them_in_the_same_spellings(what: str, cloud: FakeCloud, server: Server) -> None:
    auth, changed = WORKING[what]
    held = {name: value for name, value in (cloud.env(server.url, auth) | changed).items() if value}
    assert read({}, held) == read(held)
    assert read({"OS_AUTH_URL": "https://elsewhere/v3", "OS_PROJECT_ID": OTHER}, held) == read(held)


@pytest.mark.parametrize(("changed", "words"), UNUSABLE)
def test_what_can_not_be_used_is_refused_with_its_name_and_its_cure(changed: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidSettings, match=words):
        Settings.from_env(COMPLETE | changed)


def test_a_function_that_is_to_read_clouds_yaml_begins_nothing(cloud: FakeCloud, invoke: Invoke) -> None:
    error = invoke({"image_ids": [cloud.add_image()]}, OS_CLOUD="otc").error
    assert isinstance(error, InvalidSettings)
    assert "OS_CLOUD: clouds.yaml is read from a shell only" in str(error)
    assert not cloud.calls


@pytest.mark.parametrize("interface", ["public", "internal", "admin"])
@pytest.mark.parametrize("name", ["OS_INTERFACE", "OS_ENDPOINT_TYPE"])
@pytest.mark.parametrize("ending", ["", "URL"])
def test_an_interface_has_its_older_spelling_too(interface: str, name: str, ending: str) -> None:
    assert Settings.from_env(COMPLETE | {name: interface + ending}).credentials.interface == interface


def test_the_domain_of_a_project_is_not_taken_for_that_of_the_user() -> None:
    with pytest.raises(InvalidSettings, match="OS_USER_DOMAIN_NAME"):
        Settings.from_env(COMPLETE | {"OS_USER_DOMAIN_NAME": "", "OS_PROJECT_DOMAIN_NAME": "Default"})


def test_a_project_by_its_name_needs_a_domain_from_somewhere() -> None:
    by_id = COMPLETE | {"OS_USERNAME": "", "OS_USER_DOMAIN_NAME": "", "OS_USER_ID": "u1"}
    with pytest.raises(InvalidSettings, match="OS_PROJECT_DOMAIN_NAME"):
        Settings.from_env(by_id)


# The secret and the environment


@pytest.mark.parametrize(
    ("below", "above", "field", "gone"),
    [
        ({"OS_PROJECT_ID": OTHER}, {"OS_PROJECT_NAME": "demo"}, "project_name", "project_id"),
        ({"OS_TENANT_ID": OTHER}, {"OS_PROJECT_NAME": "demo"}, "project_name", "project_id"),
        ({"OS_PROJECT_ID": OTHER}, {"OS_TENANT_NAME": "demo"}, "project_name", "project_id"),
        ({"OS_USER_ID": "u1"}, {"OS_USERNAME": "demo"}, "username", "user_id"),
        ({"OS_USER_DOMAIN_ID": "d1"}, {"OS_USER_DOMAIN_NAME": "demo"}, "user_domain_name", "user_domain_id"),
        ({"OS_USER_DOMAIN_ID": "d1"}, {"OS_DOMAIN_NAME": "demo"}, "user_domain_name", "user_domain_id"),
        ({"OS_PROJECT_DOMAIN_ID": "d1"}, {"OS_DOMAIN_NAME": "demo"}, "project_domain_name", "project_domain_id"),
    ],
)
def test_a_name_in_the_secret_wins_over_an_id_in_the_environment(
    below: dict[str, str], above: dict[str, str], field: str, gone: str
) -> None:
    found = read(COMPLETE | below, above)
    assert found[field] == "demo"
    assert gone not in found


@pytest.mark.parametrize("way", ["", "password", "v3password", "v3oidcpassword"])
def test_an_application_credential_in_the_secret_wins_over_a_password_in_the_environment(way: str) -> None:
    found = read(COMPLETE | {"OS_AUTH_TYPE": way}, APPLICATION)
    assert "password" not in found
    assert found["application_credential_id"] == APP_CREDENTIAL_ID


@pytest.mark.parametrize("way", ["", "v3applicationcredential", "v3token"])
def test_a_password_in_the_secret_wins_over_other_ways_in_the_environment(way: str) -> None:
    environment = COMPLETE | APPLICATION | {"OS_AUTH_TYPE": way, "OS_TOKEN": "t", "OS_PASSWORD": ""}
    assert read(environment, {"OS_PASSWORD": "from-the-secret"})["password"] == "from-the-secret"


def test_the_environment_says_the_way_where_the_secret_fits_it() -> None:
    both = {"OS_PASSWORD": "p", "OS_APPLICATION_CREDENTIAL_SECRET": "s"}
    environment = COMPLETE | BY_ID | {"OS_AUTH_TYPE": "v3applicationcredential"}
    assert read(environment, both)["application_credential_secret"] == "s"
    assert "password" not in read(environment, both)


def test_the_way_that_the_secret_names_is_taken() -> None:
    found = read(COMPLETE | {"OS_AUTH_TYPE": "password"}, APPLICATION | {"OS_AUTH_TYPE": "v3applicationcredential"})
    assert "password" not in found


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_a_secret_may_be_a_file_of_any_editor(
    encoding: str, cloud: FakeCloud, vault: Client, reap: Reap, store: Store
) -> None:
    store("{}")
    text = json.dumps({"OS_PASSWORD": cloud.users["reaper"].password}, indent=1).replace("\n", "\r\n")
    vault.put_secret_value(SecretId=SECRET_NAME, SecretBinary=text.encode(encoding))
    assert reap().answer["counts"] == {"deleted": 1}


@pytest.mark.parametrize("around", ["\ufeff{}", "\ufeff{}\r\n", "\r\n{}\r\n"])
def test_a_secret_may_begin_with_the_mark_that_windows_leaves(
    around: str, cloud: FakeCloud, reap: Reap, store: Store
) -> None:
    store(around.replace("{}", json.dumps({"OS_PASSWORD": cloud.users["reaper"].password})))
    assert reap().answer["counts"] == {"deleted": 1}


@pytest.mark.parametrize("content", [b"s3cret", b"\xff\xfe\x00", b"[1]", base64.b64encode(b'{"OS_PASSWORD": "x"}')])
def test_a_binary_secret_that_is_no_object_refuses_to_start(
    content: bytes, vault: Client, reap: Reap, store: Store
) -> None:
    store("{}")
    vault.put_secret_value(SecretId=SECRET_NAME, SecretBinary=content)
    error = reap().error
    assert isinstance(error, InvalidSettings)
    assert "REAPER_CREDENTIALS_SECRET: the secret is not a JSON object" in str(error)
    assert "s3cret" not in str(error)
