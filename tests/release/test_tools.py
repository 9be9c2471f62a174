"""What looks for holes finds them: the audit, and the linters of the code and of the workflows."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.release.test_files import ROOT, plain
from tests.unit.test_release import SAMCONFIG, STACKS, overrides

TOOLS = ROOT / ".venv-release/bin"
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
RELEASE = (ROOT / ".github/workflows/release.yml").read_text()
PIN = "actions/attest@1e69f48acb82d1966a394da916b4c1698aa569d6"
NAMED = ["one==1.0", "requests==2.34.2"]


class Advisories(BaseHTTPRequestHandler):
    """An advisory service like OSV."""

    vulnerable = ""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(asked["package"])

    def answer(self, package: dict[str, str]) -> None:
        found = {
            "id": "PYSEC-2026-1",
            "summary": "A hole.",
            "affected": [
                {
                    "package": package,
                    "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99"}]}],
                }
            ],
        }
        body = json.dumps({"vulns": [found]} if package["name"] == self.vulnerable else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Broken(Advisories):
    """One that fails."""

    def answer(self, _: dict[str, str]) -> None:
        self.send_error(500)


@contextmanager
def advisories(vulnerable: str = "", kind: type[Advisories] = Advisories) -> Iterator[str]:
    """The address of an advisory service."""
    handler = type("OfOneTest", (kind,), {"vulnerable": vulnerable})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1/query"
        server.shutdown()


def audited(url: str, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, ROOT / ".ci/audit.py", ROOT / "requirements.lock", "--pip-audit", TOOLS / "pip-audit"]
    return run(*command, "--osv-url", url, *options)


def run(*command: object, **options: Any) -> "subprocess.CompletedProcess[str]":  # noqa: ANN401 (those of subprocess)
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **options)  # noqa: S603


def locked() -> set[str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return {plain(line.partition("==")[0]) for line in lines if line[:1].isalpha()}


def test_the_audit_asks_for_every_package_that_is_deployed() -> None:
    with advisories() as url:
        told = audited(url, "--strict")
    assert (told.returncode, told.stderr) == (0, "")
    assert f"Audited {len(locked())} packages" in told.stdout


def test_the_audit_fails_where_a_vulnerability_is_known() -> None:
    with advisories("requests") as url:
        told = audited(url)
    assert told.returncode == 1
    assert "VULNERABLE: requests" in told.stderr
    assert "PYSEC-2026-1, fixed in 99" in told.stderr


def test_the_audit_claims_nothing_where_the_service_fails() -> None:
    with advisories(kind=Broken) as url:
        claims_nothing(url)


def test_the_audit_claims_nothing_where_nobody_answers() -> None:
    with advisories() as url:
        pass
    claims_nothing(url)


def claims_nothing(url: str) -> None:
    lax, strict = audited(url), audited(url, "--strict")
    assert (lax.returncode, strict.returncode) == (0, 1)
    for told in (lax, strict):
        assert told.stdout == ""
        assert "NOT AUDITED" in told.stderr


def test_bandit_fails_on_a_hole_of_any_weight(tmp_path: Path) -> None:
    command = [TOOLS / "bandit", "--quiet", "--configfile", ROOT / "pyproject.toml", "--recursive", tmp_path]
    (tmp_path / "it.py").write_text("import random\nprint(random.random())\n")
    assert run(*command).returncode == 1
    (tmp_path / "it.py").write_text("print('hello')\n")
    assert run(*command).returncode == 0


@pytest.mark.parametrize(
    ("right", "wrong", "audit"),
    [
        (PIN, "actions/attest@v4", "unpinned-uses"),
        ('agree "$TAG"', "agree ${{ github.ref_name }}", "template-injection"),
        ("        with:\n          persist-credentials: false\n      -", "      -", "artipacked"),
        ("permissions: {}\n", "permissions: write-all\n", "excessive-permissions"),
    ],
)
def test_zizmor_fails_on_a_hole_in_a_workflow(right: str, wrong: str, audit: str, tmp_path: Path) -> None:
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    assert right in RELEASE
    (folder / "release.yml").write_text(RELEASE.replace(right, wrong))
    told = run(TOOLS / "zizmor", "--offline", "--no-progress", "--persona=pedantic", tmp_path)
    assert told.returncode > 10
    assert f"[{audit}]" in told.stdout + told.stderr


def test_a_key_that_workflows_do_not_have_is_found(tmp_path: Path) -> None:
    (tmp_path / "release.yml").write_text(RELEASE.replace("    needs: agree\n", "    need: agree\n"))
    assert run(
        TOOLS / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", tmp_path / "release.yml"
    ).returncode


READ = """
import json, sys
from samcli.cli.types import CfnParameterOverridesType
from samcli.commands.deploy.command import cli
from samcli.lib.config.samconfig import SamConfig

given = SamConfig(sys.argv[1], sys.argv[2]).get_all(["deploy"], "parameters", sys.argv[3])
known = {name.lstrip("-").replace("-", "_") for each in cli.params for name in each.opts}
read = CfnParameterOverridesType().convert(given["parameter_overrides"], None, None)
print(json.dumps({"given": given, "unknown": sorted(set(given) - known), "overrides": read}))
"""


@pytest.mark.parametrize("stack", STACKS)
def test_sam_reads_the_example_as_it_is_meant(stack: str) -> None:
    told = run(ROOT / ".venv-sam/bin/python", "-c", READ, ROOT / ".github", "samconfig.example.toml", stack)
    read = json.loads(told.stdout)
    assert read["unknown"] == []
    assert read["given"]["stack_name"] == SAMCONFIG[stack]["global"]["parameters"]["stack_name"]
    assert read["overrides"] == overrides(stack)
