"""OS_CLOUD and clouds.yaml, from a shell: what a person sees, and which of two sources counts."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from handler.cloud.identity.clouds_yaml import with_cloud
from handler.cloud.identity.spellings import complete
from handler.errors import InvalidSettings
from tests.commands import ROOT, Ended, variables
from tests.fakecloud import APP_CREDENTIAL_ID, APP_CREDENTIAL_SECRET, OTHER, FakeCloud, Server

AUTH = {
    "auth_url": "https://keystone.example/v3",
    "username": "reaper",
    "password": "s3cret-passw0rd",
    "user_domain_name": "Default",
    "project_name": "demo",
}
APPLICATION = {"application_credential_id": "ac1", "application_credential_secret": "s3cret"}
ME = {"OS_CLOUD": "mine"}

Look = Callable[..., dict[str, str]]


@pytest.fixture
def look(tmp_path: Path, clean_environment: pytest.MonkeyPatch) -> Look:
    """What is read with a cloud `mine`, and with these variables."""

    def look_once(cloud: object, /, secure: object = None, **given: str) -> dict[str, str]:
        (tmp_path / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {"mine": cloud}}))
        (tmp_path / "secure.yaml").write_text(yaml.safe_dump({"clouds": {"mine": secure or {}}}))
        files = {name: str(tmp_path / f"{name.lower()}.yaml") for name in ("CLOUDS", "SECURE")}
        environment = ME | {"OS_CLIENT_CONFIG_FILE": files["CLOUDS"], "OS_CLIENT_SECURE_FILE": files["SECURE"]} | given
        for name, value in environment.items():
            clean_environment.setenv(name, value)
        return complete(with_cloud(environment))

    return look_once


def in_the_cloud(cloud: FakeCloud, server: Server) -> dict[str, Any]:
    names = ("AUTH_URL", "USERNAME", "PASSWORD", "USER_DOMAIN_NAME", "PROJECT_NAME")
    given = cloud.env(server.url)
    return {"auth": {name.lower(): given[f"OS_{name}"] for name in names}, "region_name": given["OS_REGION_NAME"]}


def shell(event: Path, folder: Path, **settings: str) -> Ended:
    command = [sys.executable, "-m", "handler", str(event)]
    environment = variables({"PYTHONPATH": str(ROOT), "HOME": str(folder), **ME, **settings})
    return subprocess.run(  # noqa: S603 (ours)
        command, cwd=folder, env=environment, capture_output=True, check=False, timeout=60, text=True
    )


@pytest.mark.slow("each starts an interpreter")
@pytest.mark.parametrize("place", [".", ".config/openstack"])
def test_a_cloud_of_clouds_yaml_is_worked_on_from_a_shell(
    place: str, cloud: FakeCloud, server: Server, tmp_path: Path
) -> None:
    image = cloud.add_image("ci-1")
    mine = in_the_cloud(cloud, server)
    password = {"auth": {"password": mine["auth"].pop("password")}}
    (tmp_path / "event.json").write_text(json.dumps({"image_ids": [image]}))
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    (tmp_path / place / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {"mine": mine, "other": {}}}))
    (tmp_path / place / "secure.yaml").write_text(yaml.safe_dump({"clouds": {"mine": password}}))
    ended = shell(tmp_path / "event.json", tmp_path, REAPER_MODE="delete")
    assert "delete: 1 deleted" in ended.stdout, ended.stderr
    assert set(cloud.dead) == {image}


@pytest.mark.slow("each starts an interpreter")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "clouds: {}",
        "clouds: [",
        "clouds: [mine]",
        "[]",
        "clouds: {mine: 5}",
        "clouds: {mine: {auth: x}}",
        "clouds: {mine: {auth: {password: !hunter2 }}}",
        "clouds: {mine: {auth: {password: *hunter2 }}}",
    ],
)
def test_a_cloud_that_can_not_be_read_begins_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / "clouds.yaml").write_text(text)
    (tmp_path / "event.json").write_text('{"image_ids": ["6cad483b-e281-4985-a345-7afef1f3c501"]}')
    ended = shell(tmp_path / "event.json", tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "OS_CLOUD: " in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "hunter2" not in ended.stderr


def test_what_clouds_yaml_says_is_read_as_variables(look: Look) -> None:
    found = look({"auth": AUTH, "region_name": "RegionOne", "interface": "internal", "cacert": "/ca.pem"})
    assert {f"OS_{name.upper()}": value for name, value in AUTH.items()}.items() <= found.items()
    assert (found["OS_REGION_NAME"], found["OS_INTERFACE"], found["OS_CACERT"]) == ("RegionOne", "internal", "/ca.pem")
    assert (found["OS_AUTH_TYPE"], found["OS_PROJECT_DOMAIN_NAME"]) == ("password", "Default")
    assert "OS_CLOUD" not in found


def test_a_secret_file_a_profile_and_a_number_are_read(look: Look) -> None:
    auth = {name: value for name, value in AUTH.items() if name not in {"auth_url", "password"}}
    found = look({"profile": "otc", "auth": auth}, secure={"auth": {"password": 12345}})
    assert found["OS_AUTH_URL"] == "https://iam.eu-de.otc.t-systems.com/v3"
    assert (found["OS_PASSWORD"], found["OS_REGION_NAME"]) == ("12345", "eu-de")


def test_the_region_is_chosen_by_its_variable(look: Look) -> None:
    auth = {name: value for name, value in AUTH.items() if name != "auth_url"}
    found = look({"profile": "otc", "auth": auth}, OS_REGION_NAME="eu-nl")
    assert (found["OS_AUTH_URL"], found["OS_REGION_NAME"]) == ("https://iam.eu-nl.otc.t-systems.com/v3", "eu-nl")
    with pytest.raises(InvalidSettings, match="OS_CLOUD: Region eu-xx is not a valid region"):
        look({"profile": "otc", "auth": auth}, OS_REGION_NAME="eu-xx")


@pytest.mark.parametrize(
    "given",
    [
        {"OS_PASSWORD": "another"},
        {"OS_INTERFACE": "internal"},
        {"OS_CACERT": "/ca.pem"},
        {"OS_PROJECT_DOMAIN_NAME": "Elsewhere"},
    ],
)
def test_a_variable_that_says_nothing_of_who_and_where_wins(given: dict[str, str], look: Look) -> None:
    assert given.items() <= look({"auth": AUTH}, **given).items()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OS_AUTH_URL", "https://elsewhere.example/v3"),
        ("OS_USERNAME", "admin"),
        ("OS_USER_ID", "u1"),
        ("OS_USER_DOMAIN_ID", "d1"),
        ("OS_PROJECT_NAME", "prod"),
        ("OS_PROJECT_ID", OTHER),
        ("OS_TENANT_ID", OTHER),
        ("OS_AUTH_TYPE", "v3token"),
    ],
)
def test_a_variable_that_names_another_cloud_user_or_project_is_refused(name: str, value: str, look: Look) -> None:
    with pytest.raises(InvalidSettings, match=r"OS_CLOUD: .* says otherwise of OS_.*: unset one of them"):
        look({"auth_type": "password", "auth": AUTH}, **{name: value})


def test_a_variable_that_says_the_same_is_no_contradiction(look: Look) -> None:
    same = {f"OS_{name.upper()}": value for name, value in AUTH.items()}
    assert look({"auth": AUTH}, **same, OS_AUTH_TYPE="password")["OS_PROJECT_NAME"] == "demo"


@pytest.mark.parametrize("way", [{}, {"auth_type": "v3applicationcredential"}])
def test_what_an_openrc_left_behind_does_not_change_the_way_to_log_in(way: dict[str, str], look: Look) -> None:
    auth = APPLICATION | {"auth_url": AUTH["auth_url"]}
    found = look({"auth": auth} | way, OS_USERNAME="admin", OS_PASSWORD="another", OS_PROJECT_NAME="prod")
    assert found["OS_AUTH_TYPE"] == "v3applicationcredential"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"verify": False}, "verify: false .* cacert"),
        ({"verify": "false"}, "verify: false .* cacert"),
        ({"insecure": True}, "verify: false .* cacert"),
        ({"insecure": "True"}, "verify: false .* cacert"),
        ({"cert": "/client.pem"}, "client certificate"),
    ],
)
def test_what_a_run_never_does_is_refused_with_the_cure(more: dict[str, object], words: str, look: Look) -> None:
    with pytest.raises(InvalidSettings, match=f"OS_CLOUD: .*{words}"):
        look({"auth": AUTH} | more)


def test_a_secret_beside_a_cloud_is_refused(look: Look) -> None:
    with pytest.raises(InvalidSettings, match="OS_CLOUD: REAPER_CREDENTIALS_SECRET names credentials, too"):
        look({"auth": AUTH}, REAPER_CREDENTIALS_SECRET="a")


def test_without_the_sdk_the_message_names_what_to_install(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openstack.config.loader", None)
    with pytest.raises(InvalidSettings, match=r"OS_CLOUD: needs openstacksdk.*pip install '\.\[clouds\]'"):
        look({"auth": AUTH})


def test_no_secret_of_the_file_stands_in_a_refusal(look: Look) -> None:
    for bad in ({"auth": AUTH | {"auth_url": "{s3cret}"}}, {"auth": AUTH, "regions": [{"x": "s3cret"}]}):
        with pytest.raises(InvalidSettings) as caught:
            look(bad)
        assert "s3cret" not in str(caught.value)


def test_a_function_reads_no_clouds_yaml() -> None:
    command = "import sys, handler.app; sys.exit('handler.cloud.identity.clouds_yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], cwd=ROOT, check=False).returncode == 0  # noqa: S603 (ours)


def test_an_application_credential_of_clouds_yaml_is_used(look: Look) -> None:
    auth = {
        "auth_url": AUTH["auth_url"],
        "application_credential_id": APP_CREDENTIAL_ID,
        "application_credential_secret": APP_CREDENTIAL_SECRET,
    }
    assert look({"auth": auth})["OS_AUTH_TYPE"] == "v3applicationcredential"
