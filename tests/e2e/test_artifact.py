"""What is deployed: the package, its dependencies and nothing else, for the right machine, the same every time."""

import base64
import hashlib
import os
import re
import runpy
import struct
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tests.e2e.runtime import PACKAGE, ROOT, VERSION

LARGEST = 15_000_000
MACHINES = {"arm64": 183, "x86_64": 62}  # EM_AARCH64 and EM_X86_64 of elf.h
UNCHECKED_HASH = 1  # PEP 552
COMPILED = sorted({PACKAGE, *(ROOT / f"build/{arch}-3.13/package" for arch in MACHINES if VERSION == "3.13")})
"""What this machine can compile: the functions of the template only if it has their Python."""
SURGERY = runpy.run_path(str(ROOT / ".ci/artifact.py"))
CUTS = SURGERY["cuts_for"]("lambda")
RECORDS = [f"{cut.distribution}-1.0.dist-info/RECORD" for cut in CUTS if cut.distribution]
REPLACED = {name: old for cut in CUTS for name, old, _ in cut.replaced}
TARGETS = [*RECORDS, *REPLACED, *(target for cut in CUTS for target in (*cut.emptied, *cut.removed))]
NAMES = '"""Names."""\nfrom keystoneauth1.identity import base\n\nAuth = base.Auth\n__all__ = ("Auth", "base")\n'
SHELL = ("handler/shell", "handler/__main__", "handler/__pycache__/__main__", "openstack/", "tqdm", "yaml/")
FOREIGN = {"tests", "test", "events", "pip", "setuptools", "boto3", "botocore", "wheel", "bin"}


def staged(arch: str, *, anew: bool = False) -> Path:
    """The artifact as it is deployed, built by the command that `sam build` runs."""
    ready = next((ROOT / "build").glob(f"{arch}-3.13/ready"), None)
    if anew and ready:
        ready.unlink()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    subprocess.run(["make", "stage", f"ARCH={arch}"], cwd=ROOT, env=environment, check=True)  # noqa: S603, S607
    return ROOT / f"build/{arch}-3.13/package"


def files(package: Path) -> list[Path]:
    return sorted(path for path in package.rglob("*") if path.is_file())


def tree_hash(package: Path) -> str:
    digest = hashlib.sha256()
    for path in files(package):
        digest.update(f"{path.relative_to(package)}\0{path.stat().st_mode:o}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def locked() -> set[str]:
    """The distributions that a Lambda function on Linux needs."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return {match[1].replace("-", "_") for line in lines if (match := re.match(r"([\w.-]+)==", line))}


def distributions(package: Path) -> list[metadata.Distribution]:
    """What importlib.metadata finds in the artifact."""
    return list(metadata.distributions(path=[str(package)]))


def cut(package: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / ".ci/artifact.py"), "cut", str(package), "--platform", "lambda"]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (our own command)


@pytest.fixture
def stub(tmp_path: Path) -> Path:
    """A package that holds what is cut, and nothing in it."""
    for target in TARGETS:
        (tmp_path / target).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / target).write_text(REPLACED.get(target, NAMES if target.endswith(".py") else ""))
    return tmp_path


@pytest.fixture(params=sorted(MACHINES))
def arch(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_cuts_that_find_what_they_expect_are_made(stub: Path) -> None:
    assert cut(stub).returncode == 0
    assert not [name for name, old in REPLACED.items() if old in (stub / name).read_text()]


@pytest.mark.parametrize("target", [target for target in TARGETS if target not in RECORDS])
def test_a_cut_that_does_not_find_its_target_ends_the_build(stub: Path, target: str) -> None:
    (stub / target).unlink()
    ended = cut(stub)
    assert ended.returncode
    assert target in ended.stderr


@pytest.mark.parametrize("target", [*REPLACED, *(name for cut in CUTS for name in cut.emptied)])
def test_a_cut_that_finds_something_else_ends_the_build(stub: Path, target: str) -> None:
    (stub / target).write_text("import this\n\nthis.is_not_what_was_there()\n")
    ended = cut(stub)
    assert ended.returncode
    assert target in ended.stderr


def test_it_holds_our_package_and_the_locked_dependencies(arch: str) -> None:
    names = {path.name.partition("-")[0] for path in staged(arch).glob("*.dist-info")}
    assert names == (locked() - {cut.distribution for cut in CUTS}) | {"image_reaper"}


def test_every_file_belongs_to_exactly_one_of_them(arch: str) -> None:
    package = staged(arch)
    recorded = [str(file) for found in distributions(package) for file in found.files or []]
    assert sorted(recorded) == sorted(str(path.relative_to(package)) for path in files(package))


def test_every_record_tells_what_each_file_holds(arch: str) -> None:
    told = [file for found in distributions(staged(arch)) for file in found.files or [] if file.name != "RECORD"]
    assert told
    for file in told:
        content = Path(str(file.locate())).read_bytes()
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        assert (file.hash and file.hash.value, file.size) == (digest, len(content)), file


def test_the_metadata_names_no_distribution_and_no_entry_point_that_was_taken_out(arch: str) -> None:
    package = staged(arch)
    found = distributions(package)
    assert {one.name.lower().replace("-", "_") for one in found} == {
        path.name.partition("-")[0] for path in package.glob("*.dist-info")
    }
    targets = [target for one in CUTS for target in (*one.removed, one.distribution) if target]
    cut_out = [target.removesuffix(".py").replace("/", ".") for target in targets]
    modules = {point.module for one in found for point in one.entry_points}
    assert modules
    assert not [module for module in modules if any(f"{module}.".startswith(f"{name}.") for name in cut_out)]


def test_it_holds_no_tests_of_ours_no_events_no_installers_and_no_aws_sdk(arch: str) -> None:
    package = staged(arch)
    assert not {path.name for path in package.iterdir()} & FOREIGN
    ours = {part for path in files(package / "handler") for part in path.parts[len(package.parts) :]}
    assert not ours & FOREIGN
    assert not {part for part in ours if part.startswith(("test_", "conftest"))}


def test_it_holds_nothing_that_only_a_shell_needs(arch: str) -> None:
    package = staged(arch)
    names = {path.relative_to(package).as_posix() for path in files(package)}
    assert "handler/app.py" in names
    assert not [name for name in names if name.startswith(SHELL)]


@pytest.mark.parametrize("package", COMPILED, ids=str)
def test_every_module_is_compiled_to_last_with_an_unchecked_hash(package: Path) -> None:
    if package != PACKAGE:
        staged(package.parent.name.removesuffix("-3.13"))
    compiled = [path for path in files(package) if path.suffix == ".pyc"]
    sources = {path.with_suffix("") for path in files(package) if path.suffix == ".py"}
    assert {path.parent.parent / path.name.split(".")[0] for path in compiled} == sources
    assert {struct.unpack("<I", path.read_bytes()[4:8])[0] for path in compiled} == {UNCHECKED_HASH}


def test_a_traceback_names_the_place_where_lambda_has_the_file() -> None:
    text = (PACKAGE / "handler/__pycache__").glob("app.*.pyc").__next__().read_bytes()
    assert b"/var/task/handler/app.py" in text
    assert str(ROOT).encode() not in text


def test_it_is_the_same_every_time() -> None:
    assert tree_hash(staged("arm64")) == tree_hash(staged("arm64", anew=True))


def test_every_library_is_for_the_machine_that_was_asked_for(arch: str) -> None:
    libraries = [path for path in files(staged(arch)) if path.suffix == ".so"]
    assert libraries
    assert {struct.unpack("<H", path.read_bytes()[18:20])[0] for path in libraries} == {MACHINES[arch]}


def test_it_is_at_most_15_megabytes(arch: str) -> None:
    size = sum(path.stat().st_size for path in files(staged(arch)))
    print(f"\n{arch}: {size / 1e6:.1f} MB unzipped")
    assert size <= LARGEST
