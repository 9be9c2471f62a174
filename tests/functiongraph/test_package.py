"""The zip: the root module, the package, its dependencies and nothing else, the same every time."""

import hashlib
import os
import re
import runpy
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.functiongraph.runtime import ROOT, VERSIONS, ZIP

LARGEST = 8_000_000
SURGERY = runpy.run_path(str(ROOT / ".ci/artifact.py"))
CUTS = SURGERY["cuts_for"]("functiongraph")
ONLY = [cut for cut in CUTS if cut.platform]
NEEDED = (".ci", "handler", "LICENSE", "Makefile", "pyproject.toml", "requirements.lock", "tests/requirements.lock")
MAGIC, UNCHECKED_HASH = b"\xcb\r\r\n", 1  # CPython 3.12; PEP 552


@pytest.fixture(scope="module")
def entries() -> dict[str, bytes]:
    with zipfile.ZipFile(ZIP) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def infos() -> list[zipfile.ZipInfo]:
    with zipfile.ZipFile(ZIP) as archive:
        return archive.infolist()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def built_in(folder: Path) -> Path:
    """The zip of a copy of the project, made on another day, by a user whose files nobody else may read."""
    for name in NEEDED:
        (shutil.copytree if (ROOT / name).is_dir() else copy)(ROOT / name, folder / name)
    for path in (folder / "handler").rglob("*.py"):
        os.utime(path, (0, 1_000_000_000))
        path.chmod(0o600)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    given = [f"VENV={ROOT}/.venv/bin/python", f"READY={ROOT}/.venv/ready"]
    subprocess.run(["make", "package-functiongraph", *given], cwd=folder, env=environment, umask=0o077, check=True)  # noqa: S603, S607
    return folder / "dist" / ZIP.name


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)  # as old as it is: else make would think that its environment has changed


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / ".ci/artifact.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (our own command)


def test_it_is_at_most_8_megabytes() -> None:
    print(f"\n{ZIP.stat().st_size / 1e6:.1f} MB")
    assert ZIP.stat().st_size <= LARGEST


def test_it_is_the_same_wherever_and_whenever_it_is_made(tmp_path: Path) -> None:
    assert digest(built_in(tmp_path / "elsewhere")) == digest(ZIP)


def test_it_holds_the_root_module_our_package_and_the_locked_dependencies(entries: dict[str, bytes]) -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    locked = {match[1].replace("-", "_") for line in lines if (match := re.match(r"([\w.-]+)==", line))}
    named = {name.partition("-")[0] for name in entries if name.endswith(".dist-info/RECORD")}
    assert named == (locked - {cut.distribution for cut in CUTS}) | {"image_reaper"}
    loose = {name for name in entries if "/" not in name}
    assert loose == {"index.py", "typing_extensions.py"}
    assert "handler/cloud/calls.py" in entries


def test_it_holds_nothing_that_only_aws_has(entries: dict[str, bytes]) -> None:
    assert {cut.name for cut in ONLY} == {"snapshots"}
    gone = [
        *(f"{cut.distribution}" for cut in ONLY if cut.distribution),
        *(name for cut in ONLY for name in cut.removed),
    ]
    assert not [name for name in entries if name.startswith(tuple(gone))]


def test_it_holds_nothing_that_only_a_shell_needs(entries: dict[str, bytes]) -> None:
    assert "handler/functiongraph.py" in entries
    shell = ("handler/shell", "handler/__main__", "handler/__pycache__/__main__", "openstack/", "tqdm", "yaml/")
    assert not [name for name in entries if name.startswith(shell)]


def test_it_names_no_place_of_the_machine_that_made_it(entries: dict[str, bytes]) -> None:
    places = [str(place).encode() for place in (ROOT, sys.prefix)]
    assert not [name for name, content in entries.items() if any(place in content for place in places)]


def test_its_entries_are_sorted_plain_files_without_a_time(infos: list[zipfile.ZipInfo]) -> None:
    names = [info.filename for info in infos]
    assert names == sorted(set(names))
    assert {(info.date_time, info.external_attr, info.create_system) for info in infos} == {
        ((1980, 1, 1, 0, 0, 0), 0o100644 << 16, 3)
    }
    assert not [name for name in names if name.endswith("~") or name.startswith("bin/")]


def test_its_libraries_are_for_cpython_3_12_on_old_x86_64(entries: dict[str, bytes]) -> None:
    libraries = {name: content for name, content in entries.items() if ".so" in name}
    assert libraries
    assert {name.partition(".")[2] for name in libraries} == {"cpython-312-x86_64-linux-gnu.so"}
    assert {struct.unpack("<H", content[18:20])[0] for content in libraries.values()} == {62}  # EM_X86_64 of elf.h
    tags = re.findall(rb"^Tag: cp312-cp312-(\S+)", b"\n".join(entries.values()), re.MULTILINE)
    assert set(tags) <= {b"manylinux_2_17_x86_64", b"manylinux2014_x86_64"}
    assert tags


def test_its_modules_are_compiled_if_the_python_that_runs_them_is_here(entries: dict[str, bytes]) -> None:
    sources = {name for name in entries if name.endswith(".py")} if "3.12" in VERSIONS else set[str]()
    compiled = {name: content for name, content in entries.items() if name.endswith(".pyc")}
    assert {re.sub(r"__pycache__/(.*)\.cpython-312\.pyc", r"\1.py", name) for name in compiled} == sources
    heads = {content[:8] for content in compiled.values()}
    assert heads <= {MAGIC + struct.pack("<I", UNCHECKED_HASH)}
    assert b"/opt/function/code/handler/errors.py" in compiled.get(
        "handler/__pycache__/errors.cpython-312.pyc", b""
    ) or (not sources)


@pytest.mark.parametrize("name", ["backup.py~", "link"])
def test_what_functiongraph_does_not_take_ends_the_build(name: str, tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / name).symlink_to("/etc/hostname") if name == "link" else (package / name).touch()
    ended = run("zip", package, tmp_path / "it.zip")
    assert ended.returncode
    assert name in ended.stderr


@pytest.mark.parametrize("cut", ONLY, ids=lambda cut: str(cut.name))
def test_a_cut_that_does_not_find_what_it_is_for_ends_the_build(cut: object, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=str(getattr(cut, "name", ""))):
        SURGERY["make"](cut, tmp_path)
