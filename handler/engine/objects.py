"""Objects of a bucket, by the protocol of S3, which OBS speaks as well: signed plain HTTP.

Sources: Amazon S3 API reference, PutObject, GetObject and "Error responses"; Object Storage Service, "S3 API
reference".
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import quote

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from handler.clock import Backoff, Deadline
from handler.connections.fenced import FencedSession, kind_of
from handler.engine.answers import HEAD, Answer
from handler.errors import EngineFault, Unavailable
from handler.model.masking import beginning

Keys = tuple[str, str, str]
"""An access key, its secret key, and the token that temporary keys come with, else empty."""
LARGEST = 64 * 1024 * 1024
"""The most bytes of an object that is read. A plan of 10,000 images has about ten million."""
LONGEST_KEY = 1024
"""The most bytes of a key."""
_CHUNK = 1 << 16


class Place(NamedTuple):
    """Where buckets are: the address of the service, the region that requests are signed for, and whom to trust there.

    `by_path`: the bucket is a part of the path, and not of the host's name.
    """

    service: str
    region: str
    by_path: bool = False
    verify: str | bool | None = None

    def address_of(self, bucket: str) -> str:
        """The address of a bucket, without a slash at its end."""
        scheme, _, host = self.service.rstrip("/").partition("://")
        # The certificate of the service is not good for a name with a dot in it.
        return f"{scheme}://{host}/{bucket}" if self.by_path or "." in bucket else f"{scheme}://{bucket}.{host}"


class _Ask(NamedTuple):
    """A request, before it is signed."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None = None


class Objects:
    """The objects of one bucket. Safe for threads.

    `keys` returns the keys that are valid now, and may raise CloudError. So may the deadline.
    """

    def __init__(self, name: str, place: Place, keys: Callable[[], Keys], deadline: Deadline) -> None:
        self.name = name
        self._place = place
        self._keys = keys
        self._deadline = deadline
        self._session = FencedSession()

    def put(self, key: str, content: bytes, content_type: str) -> None:
        """Store an object, in place of the one that may be there; raises EngineFault."""
        headers = {
            "Content-Type": content_type,
            # A bucket that locks its objects takes none without a checksum, and not all take the same one.
            "Content-MD5": _base64(hashlib.md5(content, usedforsecurity=False).digest()),
            "x-amz-checksum-sha256": _base64(hashlib.sha256(content).digest()),
            "x-amz-sdk-checksum-algorithm": "SHA256",
        }
        answer = self._asked(_Ask(method="PUT", url=self._address_of(key), headers=headers, content=content))
        if not answer.is_good:
            raise EngineFault(answer.told(self.name, self._place.region))

    def get(self, key: str) -> bytes | None:
        """Read an object, None if it is not there or may not be read; raises EngineFault."""
        # As it is stored: what is compressed on its way might be of any size.
        answer = self._asked(_Ask(method="GET", url=self._address_of(key), headers={"Accept-Encoding": "identity"}))
        if answer.is_absent:
            return None
        if not answer.is_good:
            raise EngineFault(answer.told(self.name, self._place.region))
        return answer.body

    def _address_of(self, key: str) -> str:
        # requests takes such parts out: the signature would be wrong, or the object another one.
        is_sound = not {"", ".", ".."}.intersection(key.split("/")) and len(key.encode(errors="replace")) <= LONGEST_KEY
        try:
            if is_sound:
                return f"{self._place.address_of(self.name)}/{quote(key, safe='/~')}"
        except UnicodeEncodeError:
            pass
        message = f"{beginning(key)!r} can't be the key of an object"
        raise EngineFault(message)

    def _asked(self, ask: _Ask) -> Answer:
        """Ask the bucket, more than once where that may help: what is stored twice is the same."""
        backoff = Backoff(self._deadline)
        try:
            while True:
                try:
                    return self._asked_once(ask)
                except Unavailable as error:
                    failure = error
                backoff.wait(failure)
        except Unavailable as last:
            raise EngineFault(str(last)) from last

    def _asked_once(self, ask: _Ask) -> Answer:
        """Ask the bucket; raises Unavailable where another try may help."""
        try:
            answer = self._sent(ask)
        # What no header can hold, such as a key that ends in a line break, is a ValueError whose text shows it.
        except ValueError as exc:
            message = f"the bucket {self.name} can't be asked: {kind_of(exc)}"
            raise EngineFault(message) from None
        except (requests.RequestException, HTTPError) as exc:
            message = f"the bucket {self.name} can't be reached: {kind_of(exc)}"
            raise Unavailable(message) from None
        if answer.may_pass:
            raise Unavailable(answer.told(self.name, self._place.region))
        return answer

    def _sent(self, ask: _Ask) -> Answer:
        # Whatever fence the thread has: what permits a request to the cloud is no permit for this one.
        with (
            self._deadline.fence.around(),
            self._session.request(
                ask.method,
                ask.url,
                data=ask.content,
                headers=ask.headers,
                auth=self._signature(),
                timeout=self._deadline.timeout(),
                verify=self._place.verify,
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            found = Answer(status=response.status_code, headers=response.headers, body=b"")
            is_object = found.is_good and ask.method == "GET"
            body = self._read(response, LARGEST if is_object else HEAD)
            if is_object and len(body) > LARGEST:
                message = f"the bucket {self.name} holds more than the {LARGEST} bytes that are read"
                raise EngineFault(message)
            return found._replace(body=body) if is_object else found.with_error(body, response.request.headers)

    def _signature(self) -> AuthBase:
        """Signature version 4. Keys are asked for at each try: temporary ones may have been replaced meanwhile."""
        # Loaded late: most functions on FunctionGraph have no bucket, and need it for nothing else.
        from requests_aws4auth import AWS4Auth  # noqa: PLC0415 (see above)

        key, secret, token = self._keys()
        signature: AuthBase = AWS4Auth(key, secret, self._place.region, "s3", session_token=token or None)
        return signature

    def _read(self, response: requests.Response, most: int) -> bytes:
        """The body, or a little more than the beginning that is wanted of it."""
        body = bytearray()
        for part in response.iter_content(_CHUNK):
            # No time-out covers a server that goes on sending a little.
            self._deadline.check()
            body += part
            if len(body) > most:
                break
        return bytes(body)


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
