"""One service as a process: started on a port that stays its own, stopped, started again."""

import os
import signal
import socket
import subprocess
from pathlib import Path

from tests.openstack.config import VENV

INSIDE = Path(__file__).parent / "inside"
PYTHON = VENV / "bin/python"


class Port:
    """A free port of the loopback, held by a socket that never listens.

    While the service is down, connections are refused, as in life, and yet nobody else is given the port.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number: int = self._socket.getsockname()[1]

    def release(self) -> None:
        """Let others have it."""
        self._socket.close()


class Service:
    """A WSGI application of the services' environment under gunicorn; it ends with the process that started it.

    `size` is how many workers it has, and how many threads each of them.
    """

    def __init__(self, name: str, application: str, home: Path, port: Port, size: tuple[int, int]) -> None:
        self.name = name
        self.url = f"http://127.0.0.1:{port.number}"
        self._application = application
        self._home = home
        self._log = home / f"{name}.gunicorn.log"
        workers, threads = (str(number) for number in size)
        self._settings = {
            "LAB_NAME": name,
            "LAB_PORT": str(port.number),
            "LAB_LOG": str(self._log),
            "LAB_WORKERS": workers,
            "LAB_THREADS": threads,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Start it, and do not wait."""
        configured = ("-c", str(INSIDE / "gunicorn_conf.py"), f"{self._application}:application")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 (every word of it is ours)
                [str(PYTHON), "-m", "gunicorn", *configured],
                cwd=INSIDE,
                env=environment(self._home) | self._settings,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the lab, which then stops its services
            )

    def await_ready(self) -> None:
        """Return once it serves; raises ChildProcessError with the end of its log if it does not."""
        if self._process is None or self._process.stdout is None or self._process.stdout.readline() != b"ready\n":
            message = f"{self.name} did not start:\n{self._log.read_text()[-4000:]}"
            raise ChildProcessError(message)

    def start(self) -> None:
        """Start it, and wait until it serves."""
        self.launch()
        self.await_ready()

    def stop(self, *, crash: bool = False) -> None:
        """Stop it, or let it die in the middle of what it does; connections are refused afterwards."""
        process, self._process = self._process, None
        if process is None or process.stdin is None or process.stdout is None:
            return
        process.send_signal(signal.SIGKILL if crash else signal.SIGQUIT)
        process.stdout.read()  # ends with the last process that holds the port
        process.wait()
        process.stdin.close()
        process.stdout.close()

    def restart(self) -> None:
        """Stop it and start it again."""
        self.stop()
        self.start()


def environment(home: Path) -> dict[str, str]:
    """What the services are told by variables: where their files are, and nothing of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "PYTHON", "REAPER_"))}
    return kept | {
        "OS_KEYSTONE_CONFIG_DIR": str(home),
        "OS_GLANCE_CONFIG_DIR": str(home),
        "OS_NOVA_CONFIG_DIR": str(home),
        "LAB_NOVA_CONF": str(home / "nova.conf"),
        "PYTHONWARNINGS": "ignore",
        "no_proxy": "127.0.0.1",
    }
