"""Secrets: none of them stands in anything that was printed, answered, raised or handed over."""

import json
import re
from urllib.parse import quote

from tests.chaos.history import Request
from tests.chaos.observer.approvals import BUCKET
from tests.chaos.observer.case import Case

LEAST = 12
PLAIN = re.compile(r"[A-Za-z0-9_-]{12,}", re.ASCII)
"""A secret of only such signs stands in a word of only such signs, which is looked up: there may be thousands."""


class Secrets:
    """All secrets of a world, ready to be looked for."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.plain: dict[str, set[str]] = {}
        self.odd: dict[str, set[str]] = {}

    def learn(self, secrets: set[str]) -> None:
        """Take in those that are new."""
        for secret in secrets - self.known - {""}:
            self.known.add(secret)
            if PLAIN.fullmatch(secret):
                self.plain.setdefault(secret[:LEAST], set()).add(secret)
            else:
                self.odd[secret] = {secret, json.dumps(secret)[1:-1], quote(secret, safe="")}

    def found_in(self, text: str) -> set[str]:
        """Those that stand in a text."""
        found = {secret for secret, spellings in self.odd.items() if any(one in text for one in spellings)}
        for word in set(PLAIN.findall(text)):
            for start in range(len(word) - LEAST + 1):
                likely = self.plain.get(word[start : start + LEAST], ())
                found |= {secret for secret in likely if word.startswith(secret, start)}
        return found


def _is_for_people(request: Request) -> bool:
    is_object = request.method == "PUT" and request.path.startswith(BUCKET)
    return is_object or b"Action=Publish" in request.body


def check_secrets(case: Case) -> None:
    """Look for every secret in everything that an invocation said."""
    secrets: Secrets = vars(case.index).setdefault("secrets", Secrets())
    secrets.learn(case.index.history.secrets)
    invocation = case.invocation
    answer = json.dumps(invocation.answer, default=str, ensure_ascii=False)
    sent = "".join(one.body for one in case.index.history.handed_over if one.invocation == invocation.number)
    stored = "".join(one.body.decode(errors="replace") for one in case.requests if _is_for_people(one))
    told = (
        ("bucket or a notice", stored),
        ("log", invocation.printed),
        ("answer", answer),
        ("error", invocation.error),
        ("queue of failures", sent),
    )
    for place, text in told:
        for secret in secrets.found_in(text):
            case.say("secret", f"{secret[:3]}... of {len(secret)} signs stands in the {place}")
