"""The connections to the cloud's services, with what is the same for every request."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import requests
from requests.exceptions import SSLError
from requests.hooks import dispatch_hook

from handler.cloud.identity.identity import USER_AGENT
from handler.connections.fenced import FencedSession

Session = requests.Session


class _Session(FencedSession):
    """A session that does only once what is the same for every request, and sends no cookies.

    At every request, requests merges the request with the session's parameters, cookies, hooks and credentials, of
    which we have none: a tenth of all our time. And it looks for cookies and redirects in request and answer, and
    prepares parameters that are not there: another tenth.
    """

    def __init__(self, connections: int, bundle: str, distrust: Callable[[], object]) -> None:
        super().__init__(bundle, pool_maxsize=connections)
        self._distrust = distrust

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:  # noqa: ANN401 (the signature of requests)
        # requests lets REQUESTS_CA_BUNDLE win over the authorities of a session, but not over those of a request.
        verify = self.verify if isinstance(self.verify, str) else verify
        return super().merge_environment_settings(url, proxies, stream, verify, cert)

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        # Not merged by the session: it would add the password of a netrc file, and cookies of another service.
        prepared = requests.PreparedRequest()
        prepared.prepare_method(request.method)
        prepared.prepare_url(request.url, request.params or "")
        prepared.prepare_headers({**self.headers, **request.headers})
        prepared.prepare_body(request.data, request.files, request.json)
        prepared.prepare_auth(request.auth)
        return prepared

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # noqa: ANN401 (the same)
        # The body is read here, so that an error in it is raised where the request is made.
        del options["allow_redirects"]
        began = time.perf_counter()
        try:
            response = self.get_adapter(str(request.url)).send(request, **options)
        except SSLError:
            self._distrust()
            raise
        response.elapsed = timedelta(seconds=time.perf_counter() - began)
        answered: requests.Response = dispatch_hook("response", request.hooks, response, **options)  # type: ignore[no-untyped-call]  # the stubs lack it
        _ = answered.content
        return answered


def new_session(
    connections: int,
    verify: str | bool,  # noqa: FBT001 (requests' own parameter)
    bundle: str = "",
    distrust: Callable[[], object] = lambda: None,
) -> Session:
    """A session that keeps up to this many connections to each service open.

    Certificates are checked against `bundle`, which is PEM, or else against `verify`, as requests does. `distrust` is
    called if one of them is refused.
    """
    session = _Session(connections, bundle, distrust)
    session.verify = verify
    # Glance answers with JSON only if that is all that we accept: to `*/*`, its errors are HTML.
    session.headers.update({"Accept": "application/json", "User-Agent": USER_AGENT})
    return session
