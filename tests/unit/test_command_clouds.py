"""Which cloud a command is about, and what it may do there: the words of a person who has not said so."""

from pathlib import Path

import pytest
import yaml

from tests.commands import Command, here
from tests.conftest import UNKNOWN_ID
from tests.fakecloud import FakeCloud, Server

NAMES = ("AUTH_URL", "USERNAME", "PASSWORD", "USER_DOMAIN_NAME", "PROJECT_NAME")


@pytest.fixture
def files(cloud: FakeCloud, server: Server, tmp_path: Path) -> dict[str, str]:
    """The variables by which a clouds.yaml is found: `mine` is the fake cloud."""
    given = cloud.env(server.url)
    mine = {"auth": {name.lower(): given[f"OS_{name}"] for name in NAMES}, "region_name": given["OS_REGION_NAME"]}
    # Not where the command is run: openstacksdk looks there, too.
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {"mine": mine, "other": {}}}))
    return {
        "OS_CLIENT_CONFIG_FILE": str(folder / "clouds.yaml"),
        "OS_CLIENT_SECURE_FILE": str(folder / "secure.yaml"),
    }


@pytest.fixture
def bare(tmp_path: Path, clean_environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command with no variables but those given."""
    clean_environment.chdir(tmp_path)
    return lambda *words, **settings: here(words, clean_environment, capsys, **settings)


def test_a_cloud_may_be_named_by_an_option(bare: Command, cloud: FakeCloud, files: dict[str, str]) -> None:
    image = cloud.add_image()
    ended = bare(image, "--cloud", "mine", REAPER_MODE="delete", **files)
    assert (ended.returncode, set(cloud.dead)) == (0, {image})


def test_the_option_counts_more_than_the_variable(bare: Command, cloud: FakeCloud, files: dict[str, str]) -> None:
    image = cloud.add_image()
    assert bare(image, "--cloud", "mine", OS_CLOUD="nowhere", REAPER_MODE="delete", **files).returncode == 0
    assert set(cloud.dead) == {image}


@pytest.mark.parametrize(
    ("words", "given", "option"),
    [
        (("--cloud", "min"), {}, "--cloud"),
        ((), {"OS_CLOUD": "min"}, "OS_CLOUD"),
        (("--cloud", "min"), {"OS_USERNAME": "x"}, "--cloud"),
    ],
)
def test_an_unknown_cloud_is_told_with_those_that_there_are(
    bare: Command, files: dict[str, str], words: tuple[str, ...], given: dict[str, str], option: str
) -> None:
    ended = bare(UNKNOWN_ID, *words, **given, **files)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert f"{option}: min: no such cloud in clouds.yaml, which has mine, other" in ended.stderr


def test_without_a_file_the_places_are_told(bare: Command, tmp_path: Path) -> None:
    nowhere = {f"OS_CLIENT_{name}_FILE": str(tmp_path / "x.yaml") for name in ("CONFIG", "SECURE")}
    ended = bare(UNKNOWN_ID, "--cloud", "mine", **nowhere)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "--cloud: " in ended.stderr
    assert "OS_CLOUD" not in ended.stderr


def test_with_no_cloud_at_all_the_three_ways_are_told_in_one_line(bare: Command) -> None:
    ended = bare(UNKNOWN_ID)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    for way in ("--cloud NAME", "clouds.yaml", "OS_CLOUD", "openrc"):
        assert way in ended.stderr


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"OS_AUTH_URL": "https://keystone.example/v3"}, "OS_USERNAME"),
        ({"REAPER_AUTH": "aksk"}, "HUAWEICLOUD_SDK_AK"),
        ({"REAPER_SETTINGS": '{"OS_AUTH_TYPE": "password"}'}, "OS_AUTH_URL"),
    ],
)
def test_where_something_is_said_what_is_missing_is_named(bare: Command, given: dict[str, str], words: str) -> None:
    ended = bare(UNKNOWN_ID, **given)
    assert (ended.returncode, words in ended.stderr, "--cloud NAME" in ended.stderr) == (2, True, False)


def test_a_mode_that_there_is_not_is_named(command: Command, cloud: FakeCloud) -> None:
    ended = command(cloud.add_image(), REAPER_MODE="armed")
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n"), cloud.calls) == (2, "", 1, [])
    assert "REAPER_MODE: " in ended.stderr


@pytest.mark.parametrize("words", [("--plan", "p.json"), ("--today", "2026-12-31")])
def test_what_is_for_rehearsals_is_turned_down_in_an_armed_run(
    command: Command, cloud: FakeCloud, tmp_path: Path, words: tuple[str, ...]
) -> None:
    ended = command(cloud.add_image(), *words, REAPER_MODE="delete")
    assert (ended.returncode, cloud.calls, list(tmp_path.iterdir())) == (2, [], [])
    assert f"{words[0]}: for rehearsals only" in ended.stderr


KEYS = {f"HUAWEICLOUD_SDK_{name}": "a" * 32 for name in ("AK", "SK", "PROJECT_ID")}


@pytest.mark.parametrize(
    ("words", "given", "said"),
    [
        (("--cloud", ""), {"OS_AUTH_URL": "https://elsewhere.example"}, "--cloud: is empty: give the name of a cloud"),
        (("--cloud", "mine"), {"REAPER_AUTH": "aksk"}, "--cloud: REAPER_AUTH=aksk says who asks, too"),
        (("--cloud", "mine"), {"REAPER_SETTINGS": '{"REAPER_AUTH": "aksk"}'}, "--cloud: REAPER_AUTH=aksk says who"),
        ((), {"REAPER_AUTH": "aksk", "OS_CLOUD": "mine"}, "OS_CLOUD: REAPER_AUTH=aksk says who asks, too"),
    ],
)
def test_no_other_cloud_is_asked_than_the_one_that_is_named(
    bare: Command, files: dict[str, str], words: tuple[str, ...], given: dict[str, str], said: str
) -> None:
    path = Path(files["OS_CLIENT_CONFIG_FILE"])
    path.write_text(path.read_text().replace("RegionOne", "eu-de"))
    ended = bare(UNKNOWN_ID, *words, **given, **KEYS, **files)
    assert ended.returncode == 2
    assert said in ended.stderr


def test_a_setting_that_is_named_as_in_the_template_is_turned_down(command: Command, cloud: FakeCloud) -> None:
    ended = command(cloud.add_image(), InUseAlso="snapshots")
    said = "image-reaper: InUseAlso: is a parameter of the template: in a shell, set REAPER_IN_USE_ALSO in its place\n"
    assert (ended.returncode, ended.stderr, cloud.calls) == (2, said, [])
