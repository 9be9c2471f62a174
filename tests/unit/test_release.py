"""What a release needs to agree on, what is in it, and how its dependencies are audited: the programs in .ci/."""

import json
import re
import runpy
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from handler.sources.schema import read_request
from tests.unit.test_template import PARAMETERS, ROOT

RELEASE = runpy.run_path(str(ROOT / ".ci/release.py"))
WORKFLOWS = {path.name: yaml.safe_load(path.read_text()) for path in (ROOT / ".github/workflows").glob("*.yml")}
SAMCONFIG = tomllib.loads((ROOT / ".github/samconfig.example.toml").read_text())
STACKS = [name for name in SAMCONFIG if name != "version"]
FILLED_IN = {
    "SECRET_ARN": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:image-reaper-AbCdEf",
    "TOPIC_ARN": "arn:aws:sns:eu-central-1:123456789012:image-reaper-alarms",
}
"""What the words in capitals stand for."""
LOCK = (
    "one==1.0 \\\n    --hash=sha256:aa\ntwo==2.0 \\\n    --hash=sha256:bb\ncolorama==1 ; sys_platform == 'win32' \\\n"
)
VULNERABLE = {"name": "two", "version": "2.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]}

Project = Callable[..., Path]
Asked = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project of some version, whose changelog tells of one."""

    def make(*, version: str = "1.2.0", heading: str = "1.2.0 - 2026-12-24", notes: str = "It is faster.") -> Path:
        (tmp_path / ".github").mkdir()
        changelog = f"# Changelog\n\nWhat a user notices.\n\n## {heading}\n\n{notes}\n\n## 1.1.0 - 2026-11-01\n\nOld.\n"
        (tmp_path / ".github/CHANGELOG.md").write_text(changelog)
        (tmp_path / "pyproject.toml").write_text(f'[project]\nname = "image-reaper"\nversion = "{version}"\n')
        return tmp_path

    return make


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    """Audit a lock with a pip-audit that gives an answer of ours."""

    def audit(answer: object, *options: str) -> subprocess.CompletedProcess[str]:
        text = answer if isinstance(answer, str) else json.dumps({"dependencies": answer})
        (tmp_path / "answer").write_text(text)
        (tmp_path / "lock").write_text(LOCK)
        command = tmp_path / "pip-audit"
        command.write_text(f'#!/bin/sh\ncat "{tmp_path}/answer"\necho "no route to host" >&2\nexit 1\n')
        command.chmod(0o755)
        given = [sys.executable, str(ROOT / ".ci/audit.py"), str(tmp_path / "lock"), "--pip-audit", str(command)]
        return subprocess.run([*given, *options], capture_output=True, text=True, check=False)  # noqa: S603 (ours)

    return audit


def clean(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "version": "1.0", "vulns": []} for name in names]


# What must agree


def test_a_release_is_made_where_the_tag_the_version_and_the_changelog_agree(project: Project) -> None:
    RELEASE["agree"]("v1.2.0", project())


@pytest.mark.parametrize(
    ("tag", "given", "cure"),
    [
        ("1.2.0", {}, "tag v1.2.0"),
        ("v1.2.1", {}, "tag v1.2.0"),
        ("v1.3.0", {"version": "1.3.0"}, "newest entry of CHANGELOG.md is 1.2.0"),
        ("v1.2.0", {"heading": "1.2.0 - unreleased"}, "day of the release"),
        ("v1.2.0", {"notes": ""}, "says nothing of 1.2.0"),
    ],
)
def test_a_release_is_refused_where_they_do_not(tag: str, given: dict[str, str], cure: str, project: Project) -> None:
    with pytest.raises(SystemExit, match=re.escape(cure)):
        RELEASE["agree"](tag, project(**given))


def test_its_notes_are_what_the_changelog_says_of_it_and_of_no_other(project: Project) -> None:
    assert RELEASE["newest"](project(notes="It is faster.\n\n### Fixed\n\nA bug.")).notes == (
        "It is faster.\n\n### Fixed\n\nA bug."
    )


# What is in it


@pytest.mark.parametrize("arch", ["arm64", "x86_64"])
def test_a_released_template_differs_from_ours_in_the_artifact_alone(arch: str) -> None:
    ours = (ROOT / "template.yaml").read_text().splitlines()
    released = RELEASE["for_zip"](ROOT / "template.yaml", arch).splitlines()
    changed = [line.strip() for line in set(released) - set(ours)]
    expected = [f"CodeUri: image-reaper-lambda-{arch}.zip", "Architectures: [x86_64]"]
    assert len(released) == len(ours)
    assert sorted(changed) == sorted(expected if arch == "x86_64" else expected[:1])


def test_a_template_that_builds_in_another_way_makes_no_release(tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text((ROOT / "template.yaml").read_text().replace("CodeUri: .", "CodeUri: handler/"))
    with pytest.raises(SystemExit, match=r"'CodeUri: \.'"):
        RELEASE["for_zip"](template, "arm64")


def test_the_checksums_are_those_of_sha256sum(tmp_path: Path) -> None:
    (tmp_path / "b.zip").write_bytes(b"two")
    (tmp_path / "a.json").write_text("one")
    (tmp_path / "SHA256SUMS").write_text("those of an earlier time")
    told = subprocess.check_output(["sha256sum", "a.json", "b.zip"], cwd=tmp_path, text=True)  # noqa: S607
    assert RELEASE["sums"](tmp_path) == told


def test_a_zip_whose_modules_are_not_compiled_is_not_released(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "it.zip", "w") as archive:
        for name in ("one.py", "__pycache__/one.cpython-313.pyc", "two/__init__.py"):
            archive.writestr(name, "")
    with pytest.raises(SystemExit, match=r"two/__init__\.py"):
        RELEASE["whole"](tmp_path)
    with zipfile.ZipFile(tmp_path / "it.zip", "a") as archive:
        archive.writestr("two/__pycache__/__init__.cpython-313.pyc", "")
    RELEASE["whole"](tmp_path)


# Who makes it


def test_no_job_of_a_release_that_may_write_or_sign_runs_code_of_this_repository() -> None:
    jobs = WORKFLOWS["release.yml"]["jobs"]
    mighty = {name: job for name, job in jobs.items() if "write" in job["permissions"].values()}
    assert set(mighty) == {"attest", "publish"}
    steps = [step for job in mighty.values() for step in job["steps"]]
    assert not [
        step for step in steps if re.search(r"checkout|\bmake\b|\.ci\b", f"{step.get('uses')} {step.get('run')}")
    ]


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
def test_a_job_that_names_no_rights_can_at_most_read(name: str) -> None:
    assert set(WORKFLOWS[name]["permissions"].items()) <= {("contents", "read")}


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
def test_no_name_that_somebody_chose_gets_into_a_command(name: str) -> None:
    steps = [step for job in WORKFLOWS[name]["jobs"].values() for step in job.get("steps", [])]
    assert steps
    assert not [step["run"] for step in steps if "${{" in step.get("run", "")]


# Audits


def test_a_known_vulnerability_fails(asked: Asked) -> None:
    told = asked([*clean("one"), VULNERABLE])
    assert told.returncode == 1
    assert "VULNERABLE: two 2.0: PYSEC-1, fixed in 2.1" in told.stderr


def test_where_nobody_answers_it_says_that_nothing_was_audited(asked: Asked) -> None:
    told = asked("Traceback (most recent call last):")
    assert told.returncode == 0
    assert told.stdout == ""
    assert "NOT AUDITED" in told.stderr
    assert "no route to host" in told.stderr
    assert asked("", "--strict").returncode == 1


def test_a_clean_lock_is_called_so_with_the_number_of_its_packages(asked: Asked) -> None:
    told = asked(clean("one", "two"))
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith("Audited 2 packages of ")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ([*clean("one"), {"name": "two", "skip_reason": "two is not known"}], "two is not known"),
        (clean("one"), "does not mention two"),
        ([], "found no package"),
    ],
)
def test_a_package_that_was_left_out_was_not_audited(answer: list[Any], why: str, asked: Asked) -> None:
    told = asked(answer)
    assert (told.returncode, told.stdout) == (0, "")
    assert "NOT AUDITED" in told.stderr
    assert why in told.stderr
    assert asked(answer, "--strict").returncode == 1


def test_a_vulnerability_counts_even_if_another_package_was_left_out(asked: Asked) -> None:
    told = asked([{"name": "one", "skip_reason": "one is not known"}, VULNERABLE])
    assert told.returncode == 1
    assert "VULNERABLE: two 2.0" in told.stderr
    assert "NOT AUDITED" in told.stderr


# Configuration of sam


def overrides(stack: str) -> dict[str, str]:
    """The parameters of a stack, without the quotes that sam takes off."""
    pairs = (pair.partition("=") for pair in SAMCONFIG[stack]["deploy"]["parameters"]["parameter_overrides"])
    return {name: re.sub(r"\\(.)", r"\1", value.strip('"')) for name, _, value in pairs}


@pytest.mark.parametrize("stack", STACKS)
def test_the_example_for_sam_names_parameters_of_the_template_and_values_that_they_take(stack: str) -> None:
    assert overrides(stack)
    for name, value in overrides(stack).items():
        filled = FILLED_IN.get(value, value)
        assert re.search(PARAMETERS[name].get("AllowedPattern", ""), filled), name
        assert filled in PARAMETERS[name].get("AllowedValues", [filled]), name
    assert read_request(json.loads(overrides(stack)["ScheduledRequest"]))


@pytest.mark.parametrize("stack", STACKS)
def test_an_arn_that_was_not_filled_in_makes_no_stack(stack: str) -> None:
    """An alarm with the topic of somebody else would tell nobody, and say nothing of that."""
    given = {name: value for name, value in overrides(stack).items() if name.endswith("Arn")}
    assert set(given.values()) == set(FILLED_IN)
    assert not [name for name, value in given.items() if re.search(PARAMETERS[name]["AllowedPattern"], value)]


def test_the_stacks_of_the_example_are_two_and_neither_deletes_before_somebody_says_so() -> None:
    names = {SAMCONFIG[stack]["global"]["parameters"]["stack_name"] for stack in STACKS}
    assert len(names) == 2
    assert {overrides(stack)["Mode"] for stack in STACKS} == {"dry-run"}
