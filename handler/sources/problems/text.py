"""What is wrong with a text that is not JSON, and where: in a line, in the words of who wrote it."""

import json

_BEGINNINGS = (
    ("Expecting ':'", "a colon must follow the name"),
    ("Extra data", "nothing may follow the end of the value"),
    ("Unterminated string", "the string that begins here has no closing quotation mark"),
    ("Invalid control", "a line break or a tab in a string must be written as \\n or \\t"),
    ("Invalid \\", "a backslash must be doubled, unless it begins an escape such as \\n"),
    ("Unexpected UTF-8 BOM", "it begins with a byte order mark: save it as UTF-8 without one"),
)
"""What Python's words about a text begin with, and ours for them."""
_QUOTES = "'\u2018\u2019\u201c\u201d\u201e`"


def why_not_json(error: json.JSONDecodeError) -> str:
    """Say what is wrong with a text, and at which line and column of it."""
    text, place = error.doc, error.pos
    if not text.strip():
        return "not JSON: it is empty"
    # Some versions of Python name the comma that is one too many, others the bracket behind it.
    before = len(text[:place].rstrip()) - 1
    if text[place : place + 1] in {"]", "}"} and text[before : before + 1] == ",":
        place = before
    line, column = text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)
    return f"not JSON at line {line}, column {column}: {_words(error.msg, text, place)}"


def _words(said: str, text: str, place: int) -> str:
    if ours := next((ours for theirs, ours in _BEGINNINGS if said.startswith(theirs)), ""):
        return ours
    rest = text[place:].lstrip()
    if not rest:
        return "it ends too early"
    if rest[0] == "," and rest[1:].lstrip()[:1] in {"]", "}"}:
        return "no comma may stand before a closing bracket"
    if rest[0] in _QUOTES:
        return 'strings and names must stand in double quotation marks (")'
    return _expected(said)


def _expected(said: str) -> str:
    if said.startswith("Expecting ','"):
        return "a comma or a closing bracket must stand here"
    if said.startswith("Expecting property name"):
        return 'a name in double quotation marks (") must stand here'
    return 'a value must stand here, such as "text", 3, true, null, a list or an object'
