"""Odd values: what looks like the right thing, what is at an edge, what is too much, and what is meant badly."""

import json
from typing import Any

from hypothesis import strategies as st

from tests.chaos.doors.world import ANSWERS, IMAGES, UNKNOWN
from tests.fakecloud import DEMO, OTHER

Json = Any
_FIRST = next(iter(IMAGES))


class Written(str):
    """A value as its JSON: it is too deep to be shown, copied or compared as a value."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Written({self[:8]!r}..., {len(self)})"


def nested(levels: int, kind: str = "[") -> Written:
    """A value inside a value inside a value."""
    opening, closing = ("[", "]") if kind == "[" else ('{"a":', "}")
    return Written(f"{opening * levels}1{closing * levels}")


def in_strings(value: Json, levels: int) -> str:
    """JSON in a string in JSON in a string, and so on."""
    text = json.dumps(value)
    for _ in range(levels):
        text = json.dumps({"Type": "Notification", "Message": text})
    return text


UUIDS = (
    _FIRST.upper(),
    f" {_FIRST}",
    f"{_FIRST}\n",
    f"{{{_FIRST}}}",
    f"urn:uuid:{_FIRST}",
    _FIRST.replace("-", ""),
    _FIRST.replace("-", "\u2010"),
    _FIRST.replace("6", "\uff16"),
    _FIRST.replace("c", "\u0441"),
    f"{_FIRST}\x00",
    f"{_FIRST}/../{_FIRST}",
    f"{_FIRST}?x=1",
    f"{_FIRST}%2F",
)
"""What looks like the id of an image, and is none, or is another spelling of it."""
NUMBERS = (
    *(0, -1, 1, 25, 2**31, 2**63, 2**64, 10**4200, -(10**4200)),
    *(0.0, -0.0, 0.5, 50.0, 100.00000001, 1e308, 5e-324, float("nan"), float("inf"), float("-inf")),
)
LOOKALIKES = (
    "true",
    "True",
    "TRUE",
    "false",
    "off",
    "no",
    "0",
    "1024",
    "null",
    "1e400",
    " 1",
    "\uff11",
    True,
    False,
    None,
)
TIMES = (
    *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59.999999Z", "0000-01-01"),
    *("10000-01-01", "2026-02-30", "2026-W53-7", "20260131T120000Z", "2026-01-31T24:00:00Z", "2026-01-31T12:00:60Z"),
    *("2026-01-31T12:00:00+24:00", "now", "1793787900", "2026-01-31T12:00:00\u00a0Z"),
)
AGES = ("99999w", "100000w", "0d", "-1d", "1.5d", "1d ", "\uff11d", "1D", "P1D", "1d1d", "", "d")
GLOBS = (
    "*" * 255,
    "*a" * 127,
    "[" * 255,
    "[!]",
    "[]",
    "[z-a]",
    "[a-",
    "(a+)+$",
    "\\*",
    "?" * 255,
    "{name}",
    "{",
    "*\x00",
)
TEXTS = (
    *("", " ", "\x00", "\ufeff", "\ud800", "\udfff\ud800", "\u202e", "\x1b[2J\x1b[31m", "a\nb", "a\r\nSet-Cookie: x"),
    *("a" * 255, "a" * 256, "a" * 257, "\U0001f4a9" * 64, "e\u0301" * 100, "\ufdfa" * 40),
    *(ANSWERS, f"https://user:p@ss@x.test/{DEMO}", "//" * 40, "%3a%2f%2f" * 20, "${jndi:ldap://x}", "../../v3/users"),
    *("{name}", "{family}{family}", "{image_id}", "{x}", "{}", "%s%n", "$(id)", "' OR 1=1 --", "<script>", "[" * 990),
)
ADDRESSES = (
    *("", "ftp://127.0.0.1/x", "http://127.0.0.1", "http://127.0.0.1:99999/x", "http://127.0.0.1/\n", "//" * 200),
    *("https://x.s3.amazonaws.com.evil.test/a?X-Amz-Signature=q", "https://u:p@x.s3.amazonaws.com/a", "http://[::1"),
    *("https://x.s3.amazonaws.com./a", "http://x.s3.amazonaws.com/a", "https://evil.test/?.amazonaws.com/", "x" * 500),
)
DEEP = (
    # Up to the most that Python's reader of JSON takes: what is called from deeper has less room left.
    *(nested(levels, kind) for levels in (5, 40, 400, 900, *range(960, 996)) for kind in "[{"),
    *(in_strings({"image_ids": [_FIRST]}, levels) for levels in (1, 2, 3, 8)),
    *("[" * 100_000, '{"a":' * 20_000),
)
WORDS = (
    *(
        "image_ids",
        "images",
        "sweep",
        "select",
        "id",
        "expect",
        "Records",
        "body",
        "messageId",
        "eventSource",
        "aws:sqs",
    ),
    *(
        "EventSource",
        "aws:sns",
        "Sns",
        "Message",
        "Type",
        "Notification",
        "detail",
        "detail-type",
        "RequestType",
        "Delete",
    ),
    *("NotificationMetadata", "ResponseURL", "ResourceProperties", "Scheduled Event", "payload", "cts", "oslo.message"),
    *("Event", "s3:TestEvent", "MessageGroupId", "dry_run", "dryrun", "DRY_RUN", "force", "__proto__", "self", "model"),
    *(DEMO, OTHER, UNKNOWN, _FIRST),
)
CONTAINERS: tuple[Json, ...] = (
    [],
    {},
    [None],
    [[]],
    [{}],
    {"": ""},
    [_FIRST],
    [_FIRST, _FIRST],
    {"id": _FIRST},
    ["x"] * 1001,
)
POOLS = (UUIDS, NUMBERS, LOOKALIKES, TIMES, AGES, GLOBS, TEXTS, ADDRESSES, DEEP, WORDS, CONTAINERS)

_LETTERS = st.sampled_from([*"aA0-_*?[{}/ \\\"'\n\x00", "\ud800", "\u0660", "\U0001f4a9"])
_CHANCE = (
    st.lists(_LETTERS, max_size=12).map("".join),
    st.integers(-99, 99),
    st.integers(-99, 99).map(lambda number: number / 7),
)
# No text, number or range of hypothesis's own that is larger: it would draw from the constants of whatever modules are
# loaded, and the same seed would not give the same events.
odd = st.one_of(*(st.sampled_from(pool) for pool in POOLS), *_CHANCE)
"""Any of them."""
