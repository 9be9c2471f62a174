#!/usr/bin/env python3
"""The surgery on what pip installed into the artifact, and the artifact's word for what it then holds.

    artifact.py cut PACKAGE --platform NAME [--but NAME]   make every cut of the table for a platform, except one
    artifact.py record PACKAGE                             write each distribution's RECORD anew
    artifact.py zip PACKAGE FILE                           write a zip: the same files give the same bytes

A cut of a dependency must earn its place: at least LEAST_SHARE of a cold start or LEAST_MEGABYTES, as `make bench`
measures it. A cut for one platform takes out what is of no use there, and a cut of ours what no door of the function
loads.
"""

import argparse
import ast
import base64
import csv
import hashlib
import shutil
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

LEAST_SHARE = 0.03
LEAST_MEGABYTES = 0.5
LAMBDA, FUNCTIONGRAPH = "lambda", "functiongraph"


class Cut(NamedTuple):
    """What is taken out of the package, why, and what that gains."""

    name: str
    why: str
    share: float
    """Of a cold start's CPU without the cut, 0 where it is lost in the noise; x86_64, Python 3.13, November 2026."""
    megabytes: float
    """Of the unzipped artifact, .pyc files included."""
    emptied: tuple[str, ...] = ()
    """Modules that stay, with nothing in them."""
    removed: tuple[str, ...] = ()
    """Files and folders; a `*` stands for a version."""
    replaced: tuple[tuple[str, str, str], ...] = ()
    """Modules in which a text, which stands there just once, is replaced by another."""
    distribution: str = ""
    """One that goes whole, with what it says of itself."""
    platform: str = ""
    """The only platform that the cut is for; "" if it is for all."""
    is_ours: bool = False
    """Whether it is for modules of our own, which then need not earn their place."""


CUTS = (
    Cut(
        name="plugins",
        why="The packages only repeat names from their modules, and load every way to log in there is, a web browser's "
        "among them. Emptied, they load what we name. Neither can be emptied without the other. What only they load, "
        "and what finds a way to log in by the name of a plugin, is then of no use.",
        share=0.08,
        megabytes=0.8,
        emptied=("keystoneauth1/identity/__init__.py", "keystoneauth1/identity/v3/__init__.py"),
        removed=(
            "keystoneauth1-*.dist-info/entry_points.txt",
            "keystoneauth1/extras",
            "keystoneauth1/identity/v3/federation.py",
            "keystoneauth1/identity/v3/k2k.py",
            "keystoneauth1/identity/v3/oidc.py",
            "keystoneauth1/identity/v3/websso.py",
            "keystoneauth1/loading",
        ),
        distribution="stevedore",
    ),
    Cut(
        name="charset-normalizer",
        why="requests guesses with it the encoding of a text whose sender names none, and without it takes UTF-8. The "
        "only such texts that we read are the refusals of AWS, which are UTF-8.",
        share=0.03,
        megabytes=0.9,
        distribution="charset_normalizer",
    ),
    Cut(
        name="typed-dicts",
        why="pydantic-core describes its schemas by a hundred TypedDicts, for type checkers. Nothing reads what Python "
        "notes about them when it makes one; as plain subclasses of dict, which they are when called, they are free.",
        share=0.06,
        megabytes=0.0,
        replaced=(
            (
                "pydantic_core/core_schema.py",
                "\n    from typing import TypedDict\n",
                "\n    class TypedDict(dict):\n        def __init_subclass__(cls, total=True): ...\n",
            ),
        ),
    ),
    Cut(
        name="router",
        why="Powertools' router for web requests, which nothing of ours loads.",
        share=0.0,
        megabytes=2.6,
        removed=("aws_lambda_powertools/event_handler",),
    ),
    Cut(
        name="tests",
        why="Tests of the dependencies, which nothing loads.",
        share=0.0,
        megabytes=2.2,
        removed=(
            "annotated_types/test_cases.py",
            "iso8601/test_iso8601.py",
            "keystoneauth1/fixture",
            "keystoneauth1/tests",
            "os_service_types/tests",
            "pbr/tests",
        ),
    ),
    Cut(
        name="utilities",
        why="What Powertools knows of the events and the services of AWS. We use it to write lines and to parse.",
        share=0.0,
        megabytes=2.3,
        removed=tuple(
            f"aws_lambda_powertools/utilities/{name}"
            for name in (
                "auth_alpha",
                "batch",
                "circuit_breaker",
                "data_classes",
                "data_masking",
                "feature_flags",
                "idempotency",
                "kafka",
                "parameters",
                "parser/envelopes",
                "parser/models",
                "streaming",
                "validation",
            )
        ),
    ),
    Cut(
        name="elsewhere",
        why="Of use only to programs for the first version of pydantic, where packages are built, where types are "
        "checked, and in a web browser.",
        share=0.0,
        megabytes=1.4,
        removed=(
            "pbr-*.dist-info/entry_points.txt",
            "pbr/_compat/commands.py",
            "pbr/_compat/easy_install.py",
            "pbr/cmd",
            "pbr/hooks",
            "pbr/packaging.py",
            "pbr/setupcfg.py",
            "pydantic/mypy.py",
            "pydantic/v1",
            "urllib3/contrib/emscripten",
        ),
    ),
    Cut(
        name="snapshots",
        why="The hook that AWS calls once it has restored a snapshot. FunctionGraph has snapshots for Java only.",
        share=0.0,
        megabytes=0.0,
        distribution="snapshot_restore_py",
        platform=FUNCTIONGRAPH,
    ),
    Cut(
        name="shell",
        why="The command and what only the command loads, with the name that it is installed by. It is in the "
        "wheel, and must be able to grow without the function.",
        share=0.0,
        megabytes=0.2,
        removed=(
            "handler/__main__.py",
            "handler/cloud/identity/clouds_yaml.py",
            "handler/compose/engines/shell.py",
            "handler/shell",
            "handler/work/marks",
            "image_reaper-*.dist-info/entry_points.txt",
        ),
        is_ours=True,
    ),
)

EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold."""
UNIX, READABLE = 3, 0o100644
"""A file that everybody may read, as Unix writes it in a zip."""
COMMANDS = "bin"
"""No cut of the table: pip writes into these scripts where the Python is that it ran under, a path of this machine."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line asks for; the exit status says whether it was done whole."""
    options = _parser().parse_args(arguments)
    match options.action:
        case "cut":
            for cut in cuts_for(options.platform):
                if cut.name != options.but:
                    make(cut, options.package)
            shutil.rmtree(options.package / COMMANDS, ignore_errors=True)
        case "record":
            for record in sorted(options.package.glob("*.dist-info/RECORD")):
                write(record)
        case _:
            pack(options.package, options.file)


def cuts_for(platform: str) -> list[Cut]:
    """The cuts that are made for a platform, in their order."""
    return [cut for cut in CUTS if cut.platform in {"", platform}]


def make(cut: Cut, package: Path) -> None:
    """Make one cut; a target that is not there as expected ends the program, since the dependency has changed."""
    for name in cut.emptied:
        path = _present(package / name, cut)
        if not only_repeats_names(path.read_text(encoding="utf-8")):
            sys.exit(f"{path} no longer only repeats names: look at the cut {cut.name!r} again")
        path.write_bytes(b"")
    for name, old, new in cut.replaced:
        _replace(_present(package / name, cut), old, new, cut)
    for name in cut.removed:
        _remove(_present(package / name, cut))
    if cut.distribution:
        _remove_distribution(cut, package)


def only_repeats_names(source: str) -> bool:
    """Whether a module imports names, gives them further names, and does nothing else."""
    return all(map(_repeats_names, ast.parse(source).body))


def _repeats_names(statement: ast.stmt) -> bool:
    match statement:
        case ast.Import() | ast.ImportFrom() | ast.Expr(ast.Constant()):
            return True
        case ast.Assign(value=ast.Attribute() | ast.Tuple()):
            return True
        case _:
            return False


def _replace(path: Path, old: str, new: str, cut: Cut) -> None:
    text = path.read_text(encoding="utf-8")
    if text.count(old) != 1:
        sys.exit(f"{path} does not hold {old!r} once: look at the cut {cut.name!r} again")
    path.write_text(text.replace(old, new), encoding="utf-8")


def _present(path: Path, cut: Cut) -> Path:
    found = next(path.parent.parent.glob(f"{path.parent.name}/{path.name}"), None)
    if not found:
        sys.exit(f"there is no {path}: look at the cut {cut.name!r} again")
    return found


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _remove_distribution(cut: Cut, package: Path) -> None:
    record = next(package.glob(f"{cut.distribution}-*.dist-info/RECORD"), package / f"{cut.distribution}/RECORD")
    for path in recorded(_present(record, cut)):
        path.unlink()
    for folder in {record.parent, package / cut.distribution}:
        shutil.rmtree(folder, ignore_errors=True)  # nothing but empty folders is left in them


def recorded(record: Path) -> list[Path]:
    """The files that a RECORD lists and that are there; pip's commands lie outside of the package."""
    package = record.parent.parent
    with record.open(encoding="utf-8", newline="") as lines:
        names = [row[0] for row in csv.reader(lines)]
    return [package / name for name in names if not name.startswith("..") and (package / name).is_file()]


def write(record: Path) -> None:
    """Let a RECORD list the files that are there, as they are, and the .pyc files that were made of them."""
    package = record.parent.parent
    present = set(recorded(record))
    with record.open("w", encoding="utf-8", newline="") as lines:
        rows = csv.writer(lines, lineterminator="\n")
        for path in sorted(present | set(_compiled(present))):
            name = path.relative_to(package).as_posix()
            rows.writerow((name, "", "") if path == record else (name, *_seal(path.read_bytes())))


def _compiled(sources: Iterable[Path]) -> Iterator[Path]:
    for source in sources:
        if source.suffix == ".py":
            yield from (source.parent / "__pycache__").glob(f"{source.stem}.*.pyc")


def _seal(content: bytes) -> tuple[str, int]:
    """Hash and size, as the specification of RECORD has them."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
    return f"sha256={digest.decode()}", len(content)


def pack(package: Path, file: Path) -> None:
    """Write a zip of the files of a package: sorted, and without a trace of when, where and by whom it was made."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted((path for path in package.rglob("*") if not path.is_dir()), key=Path.as_posix):
            # A link may lead out of the zip, and FunctionGraph refuses the names of backup files.
            if path.is_symlink() or path.name.endswith("~"):
                sys.exit(f"no zip of ours can hold links, or names that end in '~': {path}")
            entry = zipfile.ZipInfo(path.relative_to(package).as_posix(), EARLIEST)
            entry.create_system, entry.external_attr = UNIX, READABLE << 16
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    cut, record, zipped = (actions.add_parser(name) for name in ("cut", "record", "zip"))
    for action in (cut, record, zipped):
        action.add_argument("package", type=Path)
    cut.add_argument("--platform", choices=(LAMBDA, FUNCTIONGRAPH), required=True)
    cut.add_argument("--but", choices=[cut.name for cut in CUTS], help="the cut that is not made")
    zipped.add_argument("file", type=Path)
    return parser


if __name__ == "__main__":
    main()
