"""The cloud behind a real port. Quick enough to stand in benchmarks: its own reading of HTTP, one write an answer."""

import socket
import socketserver
import threading
import time
from http.server import ThreadingHTTPServer
from typing import Self

from tests.fakecloud.api import Answers, Headers, Reply, Request

LONGEST_LINE = 65_536


class Server:
    """A cloud at `url`, from `start()` to `stop()`.

    If it is `called` something else, that is its `url`, and its catalogue says so; a front must lead there.
    """

    def __init__(self, cloud: Answers, host: str = "127.0.0.1", port: int = 0, called: str = "") -> None:
        self.cloud = cloud
        self._http = _Listener((host, port), _Connection)
        self._http.cloud = cloud
        self.url = self._http.base = called or f"http://{host}:{self._http.server_address[1]}"
        self.address = host, int(self._http.server_address[1])
        self._thread = threading.Thread(target=self._http.take_connections, daemon=True)

    def start(self) -> Self:
        """Take requests, in threads of its own."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close the port and every connection."""
        if self._thread.is_alive():
            self._http.take_no_more()
            self._thread.join()
        self._http.server_close()
        self._http.hang_up()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_exc: object) -> None:
        self.stop()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512
    cloud: Answers
    base: str

    def __init__(self, address: tuple[str, int], connection: type[socketserver.BaseRequestHandler]) -> None:
        self.open: set[socket.socket] = set()
        self._over = False
        super().__init__(address, connection)

    def server_bind(self) -> None:
        """Bind without asking the name server who we are."""
        socketserver.TCPServer.server_bind(self)

    def take_connections(self) -> None:
        """Serve every connection in a thread of its own, until the end. `serve_forever` would hear of it by polling."""
        while True:
            try:
                connection, address = self.get_request()
            except ConnectionAbortedError:  # whoever knocked has left again
                continue
            if self._over:
                connection.close()
                return
            self.process_request(connection, address)

    def take_no_more(self) -> None:
        """End `take_connections`, which a last connection wakes."""
        self._over = True
        host, port = self.server_address[:2]
        socket.create_connection((str(host), port)).close()

    def hang_up(self) -> None:
        """End the connections that clients keep."""
        for connection in tuple(self.open):
            _shut(connection)


class _Connection(socketserver.StreamRequestHandler):
    """One kept connection."""

    disable_nagle_algorithm = True
    server: _Listener

    def setup(self) -> None:
        super().setup()
        self.server.open.add(self.connection)

    def finish(self) -> None:
        self.server.open.discard(self.connection)
        super().finish()

    def handle(self) -> None:
        """Answer requests until one side hangs up."""
        try:
            while self._answer_one():
                pass
        except (OSError, ValueError):
            _shut(self.connection)

    def _answer_one(self) -> bool:
        line = self.rfile.readline(LONGEST_LINE)
        if not line.strip():
            return False
        method, target, _ = line.decode("latin-1").split()
        headers = self._headers()
        if headers.get("Expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        path, _, query = target.partition("?")
        request = Request(method, path, query, headers, self._body(headers), self.server.base)
        return self._send(request, self.server.cloud.handle(request))

    def _headers(self) -> Headers:
        pairs = {}
        while line := self.rfile.readline(LONGEST_LINE).decode("latin-1").strip():
            name, _, value = line.partition(":")
            pairs[name] = value.strip()
        return Headers(pairs)

    def _body(self, headers: Headers) -> bytes:
        if headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(headers.get("Content-Length", "0")))
        chunks = []
        while size := int(self.rfile.readline(LONGEST_LINE).split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline(LONGEST_LINE)
        while self.rfile.readline(LONGEST_LINE).strip():
            pass
        return b"".join(chunks)

    def _send(self, request: Request, reply: Reply) -> bool:
        if reply.delay:
            time.sleep(reply.delay)
        if reply.cut is True:
            _shut(self.connection)
            return False
        keep = not (reply.cut or reply.length is not None or request.headers.get("Connection", "").lower() == "close")
        self.wfile.write(_message(request, reply, keep=keep))
        if not keep:
            _shut(self.connection)
        return keep


def _message(request: Request, reply: Reply, *, keep: bool) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} {reply.phrase}"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    body = reply.body if reply.may_have_body else b""
    if reply.may_have_body:
        lines.append(f"Content-Length: {len(body) if reply.length is None else reply.length}")
    lines.append(f"Connection: {'keep-alive' if keep else 'close'}")
    sent = b"" if request.method == "HEAD" else body[: len(body) // 2] if reply.cut == "half" else body
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + sent


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the other side was quicker
