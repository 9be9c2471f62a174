"""What nobody may read is taken out of a text, and the rest of it stays."""

import json
import logging
import tracemalloc
from collections.abc import Iterator

import pytest

from handler.model.masking import mask_loggers, masked, masked_all, masked_record
from tests.growth import grows_as_its_input

WITH_SECRETS = {
    "a user and a password": "https://bob:s3cret@host.example/x",
    "a token alone": "https://s3cret@host.example/x",
    "a slash in the password": "https://bob:k3y/s3cret@host.example/x",
    "an @ in the password": "https://bob:k3y@s3cret@host.example/x",
    "a question mark in the password": "https://bob:k3y?s3cret@host.example/x",
    "a hash in the password": "https://bob:k3y#s3cret@host.example/x",
    "a blank in the password": "https://bob:k3y s3cret@host.example/x",
    "blanks and slashes in the password": "swift+https://bob:k3y/k3y \u00a0s3cret@s3cret@host.example/x y",
    "an address in the password": "https://bob:k3y://s3cret@host.example/x",
    "a quote in the password": "https://bob:k3y\"s3cret'x@host.example/x",
    "a number as the password": "https://bob:33/s3cret@host.example/x",
    "another scheme": "swift+https://tenant%3Auser:s3cret@host.example/v1/x",
    "capitals": "HTTPS://bob:s3cret@host.example/x",
    "escaped slashes": r"https:\/\/bob:s3cret@host.example\/x",
    "a presigned query": "https://host.example/x?X-Amz-Date=1&X-Amz-Signature=s3cret",
    "an @ in the query": "https://host.example/x?Signature=k3y@s3cret",
    "an @ in the query behind a port": "https://host.example:443/x?Signature=k3y@s3cret",
    "a signature of Swift": "https://host.example/v1/c/o?temp_url_sig=s3cret&temp_url_expires=1",
    "a signature of Azure": "https://host.example/c?sv=1&se=2&sp=r&sig=s3cret",
    "a parameter of any name": "https://host.example/x?anything=s3cret",
    "a fragment": "https://host.example/x#access_token=s3cret",
    "an address in a path": "https://proxy/https%3A%2F%2Fbob%3As3cret%40host.example%2Fx",
    "a query in a path": "https://proxy/https%3A%2F%2Fhost.example%2Fx%3Fsig%3Ds3cret",
    "a path with a query": "/arn/x?X-Amz-Signature=s3cret&X-Amz-Security-Token=s3cret",
    "a signature alone": "temp_url_sig=s3cret",
    "in a sentence": "see https://bob:s3cret@host.example/x, or ask me@example.com",
    "two in one text": "https://a:s3cret@host.example,https://b:s3cret@host.example",
    "two lines": "a: https://a:s3cret@host.example\nb: https://b:s3cret@host.example",
    "JSON": json.dumps([{"source": "https://bob:s3cret@host.example/x", "size": 1}]),
    "JSON in JSON": json.dumps({"a": json.dumps(["https://bob:s3cret@host.example/x"])}),
    "JSON that escapes": r'["https:\/\/bob:s3cret\u0040host.example\/x"]',
    "JSON that is cut off": '[{"source": "https://bob:s3cret@host.example/x", "si',
}


@pytest.mark.parametrize("text", WITH_SECRETS.values(), ids=WITH_SECRETS)
def test_a_secret_in_a_text_is_masked(text: str) -> None:
    assert "***" in masked(text)
    assert not [part for part in ("s3cret", "k3y") if part in masked(text)]


@pytest.mark.parametrize("text", WITH_SECRETS.values(), ids=WITH_SECRETS)
def test_what_is_masked_stays_as_it_is_when_it_is_masked_again(text: str) -> None:
    assert masked(masked(text)) == masked(text)


HARMLESS = [
    "mailto:bob@example.com",
    "git@host.example:group/project.git",
    "bob@example.com",
    "Bob <bob@example.com>, maintainer of https://host.example/x",
    "https://host.example/x, bob@example.com",
    "https://host.example:8443/v2/images",
    "https://[::1]:8443/v2/images",
    "https://host.example/@scope/package@1.2",
    "docker://host.example/app@sha256:0a1b2c",
    "rbd://fsid/pool/image/snap",
    "file:///var/lib/glance/x",
    "why? because: 50% = half #1",
    "a//b",
    "key=value",
    "reaper-delete-after=2027-01-31",
    '{"a": "bob@example.com",   "b": [1, 2.50, null]}',
    "C:\\images\\x@y",
    "is it at https://host.example/x?",
    "",
]


@pytest.mark.parametrize("text", HARMLESS)
def test_a_text_without_a_secret_stays_as_it_is(text: str) -> None:
    assert masked(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://a:b@h1/x,https://c:d@h2/y", "https://***@h1/x,https://***@h2/y"),
        ("https://bob:pw@host:443/x?y=1", "https://***@host:443/x?***"),
        ("url: /v2/images?marker=a&token=b (Caused by x)", "url: /v2/images?marker=a&token=*** (Caused by x)"),
        ('["https://a:b@h/x", "c@d"]', '["https://***@h/x", "c@d"]'),
    ],
)
def test_the_rest_of_a_text_stays_as_it_is(text: str, expected: str) -> None:
    assert masked(text) == expected


def test_every_text_of_a_value_is_masked_at_any_depth() -> None:
    value = {"https://a:b@h": [{"c": ("https://a:b@h", 1, None, True)}]}
    assert masked_all(value) == {"https://***@h": [{"c": ["https://***@h", 1, None, True]}]}


def test_the_metadata_of_a_location_keeps_its_names_alone() -> None:
    location = {"url": "s3://a/b c:d@h/x?y=z", "metadata": {"password": "s3cret", "more": {"key": "s3cret"}}}
    told = {"url": "s3://***@h/x?***", "metadata": {"password": "***", "more": "***"}}
    for value, expected in (([location], [told]), (json.dumps([location]), json.dumps([told]))):
        assert masked_record({"locations": value, "name": "n"}) == {"locations": expected, "name": "n"}


@pytest.mark.parametrize(
    "unit", ["/", "a", "@", "//", ",a", "?", "%3a%2f%2f", "%3f", "&x-a-", "=a:", "//a:", "[", '{"a":']
)
def test_masking_takes_a_time_that_grows_as_the_text_does(unit: str) -> None:
    assert grows_as_its_input(lambda length: masked("https://a:" + unit * (length // len(unit)) + "="), 20_000)


@pytest.fixture
def printed() -> Iterator[list[str]]:
    """What a handler of the root logger prints at the level DEBUG."""
    lines: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    root, level, handler = logging.getLogger(), logging.getLogger().level, Lines()
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lines
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize("name", ["urllib3.connectionpool", "urllib3.of.tomorrow", "keystoneauth.session", "requests"])
def test_others_say_what_they_do_and_not_with_what(name: str, printed: list[str]) -> None:
    mask_loggers()
    log = logging.getLogger(name)
    try:
        int("s3cret")
    except ValueError:
        log.warning("Retrying %s at 100 %%", "/x?X-Amz-Signature=s3cret", exc_info=True)
    log.debug("X-Auth-Token: s3cret", stack_info=True)
    assert printed[0] == "Retrying %s at 100 %%"
    assert "s3cret" not in "".join(printed)


def test_others_may_name_the_host_that_they_connect_to(printed: list[str]) -> None:
    logging.getLogger("urllib3.connectionpool").debug("Starting new HTTP connection (%d): %s:%s", 1, "h", 80)
    assert printed == ["Starting new HTTP connection (1): h:80"]


def test_other_loggers_are_left_alone(printed: list[str]) -> None:
    mask_loggers()
    logging.getLogger("urllib3x").warning("as %s", "it is")
    logging.makeLogRecord({"msg": "without a name"})
    assert printed == ["as it is"]


@pytest.mark.parametrize("text", ["/" * 10**6 + "?", "%3a%2f%2f" + "a" * 10**6, "%3f" + "a" * 10**6, "a://b?" * 10**5])
def test_a_long_text_takes_no_more_memory_than_it_has(text: str) -> None:
    masked(text)  # what is compiled stays
    tracemalloc.start()
    masked(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * len(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a%3a%2f%2fu%40b%40c%3a%2f%2fd", "a%3a%2f%2f***c%3a%2f%2fd"),
        ("%3a%2f%2fu%3fp%3d1%40c", "%3a%2f%2f***c"),
        ("%3fa%3fb%3dc %3fd", "%3fa%3f*** %3fd"),
        ("%3fa%3a%2f%2fx%3dy%40z", "%3f***"),
        ('a://b:c@d,"e://f:g@h', 'a://***@d,"e://***@h'),
        ("a://,b://c?d", "a://,b://c?***"),
    ],
)
def test_where_one_address_ends_and_the_next_begins(text: str, shown: str) -> None:
    assert masked(text) == shown
