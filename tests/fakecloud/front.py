"""The real names of the clouds' hosts in front of a fake: a proxy that leads them there, with certificates for tests.

A client that honours HTTPS_PROXY and trusts the authority of `ca_file` needs nothing else. It asks for
`ims.eu-de.otc.t-systems.com`; what it sends arrives at the fake to the byte, so that its signature can be recomputed.
"""

import atexit
import base64
import ipaddress
import re
import select
import shutil
import socket
import ssl
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.fakecloud.server import Server

DOMAINS = (".otc.t-systems.com", ".myhuaweicloud.com")
HEAD = 65_536
CHUNK = 1 << 16
Address = tuple[str, int]
_NOTHING: Mapping[str, Address] = {}


class Front:
    """A proxy in front of a cloud's server, from `start()` to `stop()`; it leads the hosts of both clouds there.

    `more` are the ends of other hosts' names, and the address that each leads to; they come first.
    """

    def __init__(
        self, server: Server, host: str = "127.0.0.1", port: int = 0, more: Mapping[str, Address] = _NOTHING
    ) -> None:
        self.connects: list[str] = []
        """The hosts that were asked for, in order, including those that were turned away."""
        self.login = ""
        """The user and the password that the proxy wants, with a colon between them; empty if it wants none."""
        self.refusal = ""
        """The status line with which the proxy turns everything away; empty if it does not."""
        self._places = {**more, **dict.fromkeys(DOMAINS, server.address)}
        self._listener = socket.create_server((host, port))
        self.url = f"http://{host}:{self._listener.getsockname()[1]}"
        self.ca_file = str(_authority().file)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._over = False
        self._thread = threading.Thread(target=self._take, name="front", daemon=True)

    def environment(self) -> dict[str, str]:
        """The variables with which the handler goes through the proxy."""
        return {"HTTPS_PROXY": self.url, "OS_CACERT": self.ca_file}

    def client_environment(self) -> dict[str, str]:
        """The variables with which other programs do."""
        bundles = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "OS_CACERT")
        return {"HTTPS_PROXY": self.url, "https_proxy": self.url, **dict.fromkeys(bundles, self.ca_file)}

    def start(self) -> Self:
        """Take connections, in threads of its own."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close the port and every connection."""
        self._over = True
        with suppress(OSError):
            socket.create_connection(self._listener.getsockname()).close()
        self._thread.join()
        self._listener.close()
        self.hang_up()

    def hang_up(self) -> None:
        """End the connections that clients keep."""
        with self._lock:
            held = tuple(self._open)
        for connection in held:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    def _take(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._over:
                connection.close()
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with self._lock:
            self._open.add(client)
        try:
            host, login = _wanted(client)
            self.connects.append(host)
            place = next((at for end, at in self._places.items() if host.endswith(end)), None)
            refusal = self.refusal if login == self.login else "407 Proxy Authentication Required"
            if refusal or place is None:
                client.sendall(f"HTTP/1.1 {refusal or '403 Forbidden'}\r\nContent-Length: 0\r\n\r\n".encode())
                return
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self._lead(client, host, place)
        except (OSError, ValueError):  # the other side has left, or has never spoken the protocol
            return
        finally:
            with self._lock:
                self._open.discard(client)
            client.close()

    def _lead(self, client: socket.socket, host: str, place: Address) -> None:
        with (
            _context(host).wrap_socket(client, server_side=True) as shown,
            socket.create_connection(place) as to,
        ):
            with self._lock:
                self._open |= {shown, to}
            try:
                _pipe(shown, to)
            finally:
                with self._lock:
                    self._open -= {shown, to}


def _wanted(client: socket.socket) -> tuple[str, str]:
    """The host that a client wants to be connected with, and its login; ValueError if it wants anything else."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = client.recv(1)
        if not byte or len(head) > HEAD:
            raise ValueError
        head += byte
    method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split()
    host, _, port = target.rpartition(":")
    if method != "CONNECT" or port != "443":
        raise ValueError
    basic = re.search(rb"\r\nProxy-Authorization: Basic (\S+)\r\n", head, re.IGNORECASE)
    return host.lower(), base64.b64decode(basic[1]).decode() if basic else ""


def _pipe(client: ssl.SSLSocket, server: socket.socket) -> None:
    """Carry bytes both ways until one side ends. One thread for both: a TLS connection is not safe for two."""
    while True:
        ready = [client] if client.pending() else select.select([client, server], [], [])[0]
        for source, sink in ((client, server), (server, client)):
            if source in ready:
                data = source.recv(CHUNK)
                if not data:
                    return
                sink.sendall(data)


class _Authority:
    """A certificate authority that only tests trust, in a folder that lives as long as the process."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="front-"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority for tests")])
        own = self._builder(self._name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)  # noqa: FBT003 (its signature)
        signed = own.add_extension(usage, critical=True).sign(self._key, hashes.SHA256())
        self.file = self.folder / "authority.pem"
        self.file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def certificate(self, host: str) -> Path:
        """A file with the key and the certificate of a host."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])
        names = x509.SubjectAlternativeName([_general_name(host)])
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        ours = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        built = self._builder(subject, key).add_extension(names, critical=False).add_extension(purpose, critical=False)
        signed = built.add_extension(ours, critical=False).sign(self._key, hashes.SHA256())
        plain = serialization.NoEncryption()
        secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
        path = self.folder / f"{host}.pem"
        path.write_bytes(secret + signed.public_bytes(serialization.Encoding.PEM))
        return path

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder(self._name, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


_MAKING = threading.Lock()


def _authority() -> _Authority:
    with _MAKING:
        return _made_once()


@cache
def _made_once() -> _Authority:
    return _Authority()


_CONTEXTS: dict[str, ssl.SSLContext] = {}


def _context(host: str) -> ssl.SSLContext:
    """The TLS context with which a host shows who it is."""
    authority = _authority()
    with _MAKING:
        if host not in _CONTEXTS:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(authority.certificate(host))
            _CONTEXTS[host] = context
        return _CONTEXTS[host]
