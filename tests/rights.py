"""The rights that OPERATIONS.md says the function needs, and how a call is told from another."""

import json
import re
from pathlib import Path
from typing import NamedTuple

OPERATIONS = Path(__file__).parents[1] / ".github" / "OPERATIONS.md"
SECTION = OPERATIONS.read_text(encoding="utf-8").split("\n## Rights in the cloud\n")[1].split("\n## ")[0]


class Row(NamedTuple):
    """A row of the table: a call to a service, what it is `only` needed for, and what permits it."""

    method: str
    path: str
    service: str
    only: frozenset[str]
    policy: str
    role: str
    right: str

    def __str__(self) -> str:
        """The call."""
        return f"{self.method} {self.path}"

    def is_of(self, method: str, path: str, service: str) -> bool:
        """Whether it speaks of a call: `{name}` and `*` stand for one part of a path, or for the rest of a part."""
        parts = re.split(r"({[^}]*}|\*)", self.path)
        pattern = "".join("[^/]+" if part[:1] in {"{", "*"} else re.escape(part) for part in parts if part)
        return (method, service) == (self.method, self.service) and re.fullmatch(pattern, path) is not None

    @property
    def rule(self) -> dict[str, str]:
        """The rule of an application credential that permits it."""
        return {"service": self.service, "method": self.method, "path": self.path}


def rows() -> list[Row]:
    """The table."""
    return [_row(*line.strip("|").split("|")) for line in SECTION.splitlines() if line.startswith("| `")]


def _row(*cells: str) -> Row:
    call, service, _, only, policy, role, right = (cell.strip(" `") for cell in cells)
    method, path = call.split()
    return Row(
        method=method,
        path=path,
        service=service,
        only=frozenset(re.findall(r"[^`, ]+", only)),
        policy=policy,
        role=role,
        right=right,
    )


def access_rules() -> list[dict[str, str]]:
    """The access rules, as they are to be written into a file."""
    found: list[dict[str, str]] = json.loads(SECTION.split("```json\n")[1].split("```")[0])
    return found
