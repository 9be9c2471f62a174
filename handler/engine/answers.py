"""What a bucket answers, and what that means. Pure.

Source: Amazon S3 API reference, "Error responses".
"""

import re
from collections.abc import Mapping
from typing import NamedTuple, Self

from handler.model.masking import beginning

HEAD = 4096
"""Bytes that are read of an answer which is an error."""
LONGEST_PROBLEM = 300
"""The most characters that are shown of what a bucket says."""
ABSENT = frozenset({"AccessDenied", "NoSuchKey"})
"""The names of the error that an object is not there: who may not list a bucket is told that he may not read."""
PASSING = frozenset({"ConditionalRequestConflict", "OperationAborted", "RequestTimeout"})
"""The names of errors that another try may cure, although their status does not say so."""
PASSING_STATUSES = frozenset({429, 500, 502, 503, 504})
_GOOD = 200
_CODE = re.compile(rb"<Code>([A-Za-z.]{1,100})</Code>")
_MESSAGE = re.compile(rb"<Message>([^<]*)</Message>")
_PROOF = re.compile(r"(?:Credential|Signature)=([^/,\s]+)")
_REGION = re.compile(r"[a-z0-9-]{1,40}")


class Answer(NamedTuple):
    """An answer; `body` is the whole object that was asked for, or the beginning of whatever else came."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_good(self) -> bool:
        """Whether a bucket has done what was asked for. A 200 may come from a proxy, but every object has an ETag."""
        return self.status == _GOOD and "ETag" in self.headers

    @property
    def is_absent(self) -> bool:
        """Whether a bucket says that an object is not there, or not for us."""
        return self._code in ABSENT

    @property
    def may_pass(self) -> bool:
        """Whether another try may help."""
        return self.status in PASSING_STATUSES or self._code in PASSING

    @property
    def _code(self) -> str:
        return "" if self.is_good else code_in(self.body)

    def with_error(self, body: bytes, sent: Mapping[str, str]) -> Self:
        """The answer with an error as its body, without what shows the keys, even if it repeats the headers `sent`."""
        proof = sent.get("Authorization", "")
        for secret in filter(None, (sent.get("x-amz-security-token"), proof, *_PROOF.findall(proof))):
            body = body.replace(secret.encode(), b"***")
        return self._replace(body=body)

    def told(self, bucket: str, region: str) -> str:
        """What is wrong, in words; the bucket was asked in `region`."""
        if not self._code:
            return f"the bucket {bucket} can't be reached: HTTP {self.status} came from something that is no bucket"
        found = _MESSAGE.search(self.body)
        words = " ".join(found[1].decode(errors="replace").split()) if found else ""
        elsewhere = self.headers.get("x-amz-bucket-region", region)
        is_elsewhere = elsewhere != region and _REGION.fullmatch(elsewhere)
        where = f"; it is in {elsewhere}, and was asked for in {region}" if is_elsewhere else ""
        said = beginning(words, LONGEST_PROBLEM)
        return f"the bucket {bucket} answered HTTP {self.status} {self._code}: {said}{where}"


def code_in(body: bytes) -> str:
    """The name that an answer in XML gives to an error, empty if it gives none."""
    # Not parsed: it may be anybody's XML, and is only its beginning.
    found = _CODE.search(body[:HEAD])
    return found[1].decode() if found else ""
