#!/usr/bin/env python3
"""What a release is made of besides the artifacts, and whether a release may be made.

release.py agree TAG            end with an error unless the tag, pyproject.toml and CHANGELOG.md say the same version
release.py notes                print what CHANGELOG.md says of that version
release.py template FILE ARCH   write template.yaml for a released zip: `sam deploy` uploads it, and builds nothing
release.py sums FOLDER          write SHA256SUMS of all that is in a folder
release.py whole FOLDER         end with an error if a zip in a folder lacks .pyc files
"""

import argparse
import hashlib
import re
import sys
import tomllib
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
SUMS = "SHA256SUMS"
HEADING = re.compile(r"^## (?P<version>\S+) - (?P<date>.+)$", re.MULTILINE)
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
BUILT_HERE = (("CodeUri: .", "CodeUri: {zip}"), ("Architectures: [arm64]", "Architectures: [{arch}]"))
"""What the template says of an artifact that is built from a checkout, and what it says of a released one."""


class Entry(NamedTuple):
    """What CHANGELOG.md says of one version."""

    version: str
    date: str
    notes: str


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line asks for; the exit status says whether all is well."""
    options = _parser().parse_args(arguments)
    match options.action:
        case "agree":
            agree(options.tag, ROOT)
        case "notes":
            print(newest(ROOT).notes)
        case "template":
            options.file.write_text(for_zip(ROOT / "template.yaml", options.arch), encoding="utf-8")
        case "sums":
            (options.folder / SUMS).write_text(sums(options.folder), encoding="utf-8")
        case _:
            whole(options.folder)


def agree(tag: str, root: Path) -> None:
    """End the program unless a tag names the version of the project, and the changelog tells of it, with a date."""
    entry, version = newest(root), str(tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"])
    if tag != f"v{version}":
        sys.exit(f"the tag is {tag!r}, and pyproject.toml says {version}: tag v{version}, or change the version first")
    if entry.version != version:
        sys.exit(f"the newest entry of CHANGELOG.md is {entry.version}, and pyproject.toml says {version}")
    if not DATE.fullmatch(entry.date):
        sys.exit(f"CHANGELOG.md says {version!r} is {entry.date!r}: put the day of the release there (YYYY-MM-DD)")
    if not entry.notes:
        sys.exit(f"CHANGELOG.md says nothing of {version}")


def newest(root: Path) -> Entry:
    """The topmost entry of CHANGELOG.md."""
    text = (root / ".github/CHANGELOG.md").read_text(encoding="utf-8")
    heading = HEADING.search(text)
    if not heading:
        sys.exit("CHANGELOG.md has no heading like '## 1.2.3 - 2026-12-24'")
    notes, _, _ = text[heading.end() :].partition("\n## ")
    return Entry(version=heading["version"], date=heading["date"], notes=notes.strip())


def for_zip(template: Path, arch: str) -> str:
    """A template whose functions have a released zip, which lies beside it, as their code."""
    text = template.read_text(encoding="utf-8")
    for built, released in BUILT_HERE:
        if text.count(f"    {built}\n") != 1:
            sys.exit(f"{template} does not hold {built!r} once: look at BUILT_HERE in {Path(__file__).name}")
        text = text.replace(
            f"    {built}\n", f"    {released.format(zip=f'image-reaper-lambda-{arch}.zip', arch=arch)}\n"
        )
    return text


def sums(folder: Path) -> str:
    """The checksums of the files in a folder, as sha256sum reads them."""
    files = sorted(path for path in folder.iterdir() if path.name != SUMS)
    lines = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)
    return "".join(lines)


def whole(folder: Path) -> None:
    """End the program if a zip lacks .pyc files: whoever downloads it can't make them, and each cold start would."""
    for file in sorted(folder.glob("*.zip")):
        if uncompiled := _uncompiled(file):
            sys.exit(f"{file} goes without .pyc files ({uncompiled[0]}): this machine lacks the Python of its platform")


def _uncompiled(file: Path) -> list[str]:
    """The modules in a zip without a .pyc file."""
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
    compiled = {re.sub(r"__pycache__/([^/]+)\.[^./]+\.pyc$", r"\1.py", name) for name in names if name.endswith(".pyc")}
    return sorted({name for name in names if name.endswith(".py")} - compiled)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("agree").add_argument("tag")
    actions.add_parser("notes")
    template = actions.add_parser("template")
    template.add_argument("file", type=Path)
    template.add_argument("arch", choices=("arm64", "x86_64"))
    actions.add_parser("sums").add_argument("folder", type=Path)
    actions.add_parser("whole").add_argument("folder", type=Path)
    return parser


if __name__ == "__main__":
    main()
