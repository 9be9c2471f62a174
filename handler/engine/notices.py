"""What topics take of a notice, whichever cloud's they are: cut to fit, and without characters that none takes."""

import re
from collections.abc import Sequence

LONGEST_SUBJECT = 99
"""Characters. SMN would take more. Source: Amazon SNS API reference, Publish."""
MOST_BYTES = 262_144
"""The most bytes of a message, for SNS with all its attributes. Both may be told to take more."""
CUT = "\n(The rest does not fit into a message.)"
_BLANK = re.compile(r"[^!-~]+")
_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML can't hold, and half a character of two, which nothing can."""


def subject_of(text: str) -> str:
    """The subject of a notice: one line of ASCII."""
    line = _BLANK.sub(" ", text.encode("ascii", "replace").decode()).strip()
    return line if len(line) <= LONGEST_SUBJECT else f"{line[: LONGEST_SUBJECT - 3].rstrip()}..."


def text_of(text: str, most_bytes: int) -> str:
    """The text of a notice; if it is too long, it ends after a whole line, and says so."""
    raw = sendable(text).encode()
    if len(raw) <= most_bytes:
        return raw.decode()
    whole, _, rest = raw[: most_bytes - len(CUT)].rpartition(b"\n")
    return (whole or rest).decode(errors="ignore") + CUT


def sendable(text: str) -> str:
    """The text with a question mark for each character that can't be sent."""
    return _UNFIT.sub("?", text)


def values_of(value: str | Sequence[str]) -> list[str]:
    """The values of an attribute, each once, and none that is empty."""
    values = [value] if isinstance(value, str) else value
    return list(dict.fromkeys(filter(None, map(sendable, values))))
