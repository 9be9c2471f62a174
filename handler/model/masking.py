"""Takes out of a text what nobody may read: who logs in at an address, and the query of an address.

What stands before the host of an address may be a password. A query may hold a signature, which is as good as one, and
is never needed to know what an address names. Where a text can be read in two ways, more of it goes than may have to.
"""

import json
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

# Not compiled here: a cold start needs none of them, and few texts do.
# None repeats a group of letters that it might have to go back into: that takes a hundred bytes for each letter, and a
# text of others may have millions.
_NEXT = r"""[,;|"'<>()\[\]{}=][a-z][a-z0-9+.-]{0,30}:\\?/\\?/"""
_ADDRESS = (
    # All that has no blank, up to the next address: a password may hold whatever somebody typed.
    rf"(?i)(\\?/\\?/)(?!{_NEXT})(\S+?)(?={_NEXT}|\s|\Z)"
)
_WHOLE_ADDRESS = r"(?i)[a-z][a-z0-9+.-]{0,30}://[^/\s@:]*:[^@]*@"
"""The beginning of a text that is an address as a whole, whatever stands in its password."""
_ENCODED = r"(?i)(%3a%2f%2f)(?:(?:(?!%3a%2f%2f|%40)\S)*+%40)+|(%3f)(?:(?!%3f|%3d)\S)*+%3d\S*"
"""The same two in an address that is a part of another."""
_PARAMETER = (
    r"""(?i)((?:^|[?&;,\s"'])(?:x-[a-z]+-[a-z0-9-]+|temp_url_[a-z]+|[a-z]*accesskeyid"""
    r"|(?:access_|auth_|x-auth-|x-subject-|security-)?token|signature|sig|password|passwd|secret|credential)=)[^\s&]+"
)
"""A signature, or another secret, without the address that it belongs to."""
_suspicious = re.compile(r"[@?#%=\\]").search
"""One of the signs without which a text holds nothing to mask."""
_OF_THE_STORE = ("direct_url", "file", "locations", "self")
"""Where the image service says where the data of an image is."""
_SPEAKERS = ("charset_normalizer", "keystoneauth", "keystoneauth1", "requests", "requests_aws4auth", "urllib3")
"""Whose loggers know addresses, headers and bodies: they speak HTTP for us."""
_HARMLESS = frozenset(
    {
        "Starting new HTTP connection (%d): %s:%s",
        "Starting new HTTPS connection (%d): %s:%s",
        "Resetting dropped connection: %s",
        "Connection pool is full, discarding connection: %s. Connection pool size: %s",
    }
)
"""What they say that names a host, and nothing else."""


def masked(text: str) -> str:
    """The text with three asterisks in place of who logs in at an address, and of every query."""
    if not _suspicious(text):
        return text
    nested = _of_json(text, masked_all)
    if nested is not None:
        return nested
    if (begun := re.match(_WHOLE_ADDRESS, text)) and re.search(r"\s", begun[0]):
        text = _of_one_address(text)
    text = re.sub(_ADDRESS, lambda found: found[1] + _masked_address(found[2]), text)
    return re.sub(_PARAMETER, r"\1***", re.sub(_ENCODED, r"\1\2***", text))


def beginning(value: object, length: int = 60) -> str:
    """The beginning of a text, masked before it is cut: half a password is not recognised."""
    return masked(str(value))[:length]


def masked_all(value: Any) -> Any:  # noqa: ANN401 (any JSON)
    """A JSON value with every text in it masked, at any depth, names as well."""
    if isinstance(value, str):
        return masked(value) if _suspicious(value) else value
    if isinstance(value, dict):
        return {masked_all(key): masked_all(item) for key, item in value.items()}
    return [masked_all(item) for item in value] if isinstance(value, list | tuple) else value


def masked_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record of an image, masked, and without what the store that holds its data is told."""
    return {masked(key): _of_store(item) if key in _OF_THE_STORE else masked_all(item) for key, item in record.items()}


def mask_loggers() -> None:
    """Let the loggers of those who speak HTTP for us say what they do, and not what they do it with."""
    # Where records are made. A filter holds for one logger alone: a record of a logger below it goes past it.
    make = logging.getLogRecordFactory()
    if not hasattr(make, "masks"):
        logging.setLogRecordFactory(_masking(make))


def _masking(make: Callable[..., logging.LogRecord]) -> Callable[..., logging.LogRecord]:
    def made(*arguments: Any, **named: Any) -> logging.LogRecord:  # noqa: ANN401 (the signature of logging)
        record = make(*arguments, **named)
        if str(record.name).partition(".")[0] in _SPEAKERS and str(record.msg) not in _HARMLESS:
            # A pattern says what happened, its values may be secret. A text that is complete may hold any of them.
            record.msg = str(record.msg) if record.args else "(not shown: it may hold a secret)"
            record.args, record.exc_info, record.stack_info = (), None, None
        return record

    made.masks = True  # type: ignore[attr-defined]  # so that it is set once
    return made


def _masked_address(rest: str) -> str:
    """What follows the two slashes of an address, masked."""
    before, at, after = rest.rpartition("@")
    authority = re.split(r"\\?/", rest, maxsplit=1)[0]
    # Across slashes only after a colon: a password may hold a slash, or an @ itself, and so may a path hold an @.
    if at and (":" in authority or "@" in authority):
        # A password with a question mark, or a query with an @: nobody can tell.
        if re.search("[?#]", before):
            return "***"
        return f"***@{_without_query(after)}"
    return _without_query(rest)


def _without_query(address: str) -> str:
    return re.sub(r"([?#]).+", r"\1***", address, count=1, flags=re.DOTALL)


def _of_store(value: object) -> object:
    """What the image service says about the place of the data: no credentials, no query, no metadata."""
    if isinstance(value, str):
        nested = _of_json(value, _of_store)
        return nested or _of_one_address(value)
    if isinstance(value, dict):
        told = {masked(key): _of_store(item) for key, item in value.items() if key != "metadata"}
        return told | ({"metadata": _without_values(value["metadata"])} if "metadata" in value else {})
    return [_of_store(item) for item in value] if isinstance(value, list) else value


def _of_one_address(text: str) -> str:
    # Up to the last @, blanks or not: all of it is one address.
    return re.sub("//(.*)", lambda found: _whole(found[1]), text, count=1, flags=re.DOTALL)


def _whole(rest: str) -> str:
    before, at, after = rest.rpartition("@")
    if at and re.search("[?#]", before):
        return "//***"
    return f"//***@{_without_query(after)}" if at else f"//{_without_query(rest)}"


def _without_values(metadata: object) -> object:
    # The driver of a store may note there what it logs in with.
    return dict.fromkeys(map(masked, metadata), "***") if isinstance(metadata, dict) else "***"


def _of_json(text: str, mask: Callable[[Any], Any]) -> str | None:
    """The same for the texts in a text that is JSON itself; None for any other text."""
    if text.lstrip()[:1] not in {"[", "{"}:
        return None
    try:
        value = json.loads(text)
        changed = mask(value)
    except (RecursionError, ValueError):
        return None
    return text if changed == value else json.dumps(changed)
