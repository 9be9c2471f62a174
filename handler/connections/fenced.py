"""Connections to the cloud and to AWS that ask the fence before they send a request.

requests calls them through its adapter.
"""

import re
import socket
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from handler.connections.reaching import Attempt, connected
from handler.connections.trust import trusting
from handler.errors import CloudError
from handler.fence import pass_fence
from handler.model.address import is_this_machine


class FencedSession(requests.Session):
    """A session of requests whose connections ask the fence, and which needs no proxy to reach this machine.

    With `bundle`, authorities as PEM, it trusts these and no others, whatever file is named to it. The options are
    those of the adapter of requests. The environment is read once for each host: requests looks for proxies in it at
    every request, which takes a fifth of all our time, and a third of that of a call to AWS.
    """

    def __init__(self, bundle: str = "", **options: Any) -> None:  # noqa: ANN401 (those of requests)
        super().__init__()
        self.bundle = bundle
        self._settings: dict[tuple[str, object, object], Any] = {}
        for scheme in ("http://", "https://"):
            self.mount(scheme, FencedAdapter(bundle, **options))

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:  # noqa: ANN401 (the signature of requests)
        """Take proxies and authorities from the environment."""
        host = "/".join(str(url).split("/", 3)[:3])
        key = (host, stream, verify)
        if key not in self._settings:
            merged = super().merge_environment_settings(url, proxies, stream, verify, cert)
            # A proxy is another machine: it could not reach this one, and would see what only this one may.
            self._settings[key] = {**merged, "proxies": {}} if is_this_machine(host) else merged
        return dict(self._settings[key])


class FencedAdapter(HTTPAdapter):
    """The adapter of requests, with connections that ask the fence."""

    def __init__(self, bundle: str, **options: Any) -> None:  # noqa: ANN401 (those of requests)
        self._bundle = bundle
        super().__init__(**options)

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:  # noqa: ANN401 (the signature of requests)
        """Say how a connection is made."""
        place, tls = super().build_connection_pool_key_attributes(request, verify, cert)
        # As a text, since a function may have no disk to write a file to.
        trusted = {"cert_reqs": "CERT_REQUIRED", "ca_cert_data": self._bundle} if self._bundle else trusting(verify)
        return place, trusted if place["scheme"] == "https" and trusted else tls

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:  # noqa: ANN401 (the signature of requests)
        """Name the file of authorities to the pool of connections."""
        # Not beside a bundle: whoever the file names would be trusted as well. Nor where it was read already.
        if not self._bundle and not trusting(verify):
            super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]  # the stubs lack it

    def init_poolmanager(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 (the signature of requests)
        """Make the pools of connections."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 (the signature of requests)
        """Make the pools of connections to a proxy."""
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager


class _Fenced(HTTPConnection):
    """A connection that asks the fence when it stands, and again before each request."""

    def _new_conn(self) -> socket.socket:
        seconds = self.timeout if isinstance(self.timeout, int | float) else None
        try:
            connection = connected(Attempt(self._dns_host, self.port, seconds), self.socket_options or ())
        except socket.gaierror as exc:
            raise NameResolutionError(self.host, self, exc) from exc
        except TimeoutError as exc:
            message = f"Connection to {self.host} timed out. (connect timeout={self.timeout})"
            raise ConnectTimeoutError(self, message) from exc
        except OSError as exc:
            message = f"Failed to establish a new connection: {exc}"
            raise NewConnectionError(self, message) from exc
        # Before a proxy is told of a host, and before TLS: nothing at all leaves a run that has ended.
        try:
            pass_fence(connection, sends=False)
        except CloudError:
            connection.close()
            raise
        return connection

    def request(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 (the signature of urllib3)
        # Connected here, and not by the first byte that is written, so that nothing comes between the fence and it.
        if self.is_closed:
            self.connect()
        pass_fence(self.sock, sends=True)
        super().request(*args, **options)


class _FencedTls(_Fenced, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Fenced


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _FencedTls


_POOLS = {"http": _Pool, "https": _TlsPool}

_PROXY = re.compile(r"host='([^']+)', port=(\d+).*Tunnel connection failed: (\d{3}\b[^'\"()]{0,60})", re.DOTALL)


def answer_of_proxy(error: Exception) -> str:
    """The words about a proxy that has answered, and has not connected us; empty for any other error."""
    # From the text: each of http.client, urllib3, requests and keystoneauth1 wraps the error of the one before it.
    found = _PROXY.search(str(error))
    return f"the proxy does not connect to {found[1]}:{found[2]}: it answered {found[3].strip()}" if found else ""


def kind_of(error: Exception) -> str:
    """Why a request has no answer, or what a proxy has answered: no more of the address than its host."""
    from handler.connections.causes import cause_of  # noqa: PLC0415 (a good run needs none of it)

    return answer_of_proxy(error) or cause_of(error).words
