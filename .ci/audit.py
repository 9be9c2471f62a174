#!/usr/bin/env python3
"""Says whether a lock pins a version with a known vulnerability, or that nobody could be asked.

    audit.py LOCK --pip-audit COMMAND [--strict] [--osv-url URL]

Ends with 1 if a vulnerability is known. pip-audit calls a package that no service knows "skipped", and ends well if it
finds nothing else. Here, such a package was not audited, and neither was one that pip-audit doesn't mention: then this
program says NOT AUDITED. It ends with 0, so that a machine without a network can check the rest; with --strict, it ends
with 1. (pip-audit's own --strict ends at the first package that is skipped, before it names any vulnerability.)
"""

import argparse
import json
import re
import subprocess  # nosec B404 # it runs the command that our Makefile names
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

FOUND, UNKNOWN = 1, 1
"""The exit status if a vulnerability is known, and with --strict if that is not known."""
ALWAYS = re.compile(r"^([\w.-]+)==[^\s;]+(?: \\)?$", re.MULTILINE)
"""A line of a lock that pins a version for every platform."""


class Audit(NamedTuple):
    """What pip-audit has found out."""

    audited: int
    """Packages of which it is known whether there is a vulnerability."""
    vulnerable: list[str]
    """What is wrong, one line a vulnerability."""
    unknown: list[str]
    """Why something was not audited, one line a package or for all of them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Audit a lock, say what came of it, and return the exit status."""
    options = _parser().parse_args(arguments)
    audit = ask(options.lock, options.pip_audit, options.osv_url)
    for line in audit.vulnerable:
        print(f"VULNERABLE: {line}", file=sys.stderr)
    if audit.unknown:
        rest = f" (and {len(audit.unknown) - 1} more like it)" if audit.unknown[1:] else ""
        print(f"NOT AUDITED: {options.lock}: {audit.unknown[0]}{rest}", file=sys.stderr)
    else:
        print(f"Audited {audit.audited} packages of {options.lock}: {len(audit.vulnerable)} known vulnerabilities")
    if audit.vulnerable:
        return FOUND
    return UNKNOWN if audit.unknown and options.strict else 0


def ask(lock: Path, command: str, osv_url: str) -> Audit:
    """Let pip-audit look up every package of a lock."""
    given = ["--requirement", str(lock), "--disable-pip", "--require-hashes", "--format=json", "--progress-spinner=off"]
    asked = ["--vulnerability-service=osv", f"--osv-url={osv_url}"] if osv_url else []
    told = subprocess.run(  # noqa: S603  # nosec B603 # no shell, and a command that our Makefile names
        [command, *given, *asked], capture_output=True, text=True, check=False
    )
    try:
        dependencies = json.loads(told.stdout)["dependencies"]
    except (json.JSONDecodeError, KeyError):
        last = told.stderr.strip().splitlines()[-1:] or [f"pip-audit ended with {told.returncode} and said nothing"]
        return Audit(audited=0, vulnerable=[], unknown=last)
    return judge(dependencies, lock)


def judge(dependencies: Sequence[dict[str, Any]], lock: Path) -> Audit:
    """Tell apart what pip-audit has looked up and what it has not."""
    known = [each for each in dependencies if "skip_reason" not in each]
    skipped = [str(each["skip_reason"]) for each in dependencies if "skip_reason" in each]
    missing = {_plain(name) for name in ALWAYS.findall(lock.read_text(encoding="utf-8"))}
    missing -= {_plain(each["name"]) for each in dependencies}
    unmentioned = [f"pip-audit does not mention {name}" for name in sorted(missing)]
    if not dependencies:
        unmentioned = ["pip-audit has found no package in it"]
    return Audit(
        audited=len(known),
        vulnerable=[_line(each, vulnerability) for each in known for vulnerability in each["vulns"]],
        unknown=skipped + unmentioned,
    )


def _plain(name: str) -> str:
    """A name as it is compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _line(package: dict[str, Any], vulnerability: dict[str, Any]) -> str:
    cure = " or ".join(vulnerability["fix_versions"]) or "no version yet"
    return f"{package['name']} {package['version']}: {vulnerability['id']}, fixed in {cure}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lock", type=Path)
    parser.add_argument("--pip-audit", required=True, metavar="COMMAND")
    parser.add_argument("--strict", action="store_true", help="fail if it could not be found out")
    parser.add_argument("--osv-url", default="", metavar="URL", help="ask OSV, or a copy of it there, and not PyPI")
    return parser


if __name__ == "__main__":
    sys.exit(main())
