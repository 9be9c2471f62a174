"""A PostgreSQL of a lab's own, since SQLite lets in one writer at a time."""

import subprocess
import tempfile
from pathlib import Path

from tests.openstack.process import INSIDE, PYTHON


class Postgres:
    """A server with one database, on a socket in a folder of its own; it ends with the process that started it."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._home = Path(tempfile.mkdtemp(prefix="image-reaper-postgres-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address of the database, for SQLAlchemy."""
        return f"postgresql+psycopg2://lab@/{self._database}?host={self._home}"

    def start(self) -> None:
        """Start it, and wait until it serves; raises ChildProcessError if it does not, having written why."""
        self._process = subprocess.Popen(  # noqa: S603 (every word of it is ours)
            [str(PYTHON), str(INSIDE / "postgres.py"), str(self._home), self._database],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the lab, which then stops its services
        )
        if self._process.stdout is None or self._process.stdout.readline() != b"ready\n":
            message = "PostgreSQL did not start"
            raise ChildProcessError(message)

    def stop(self) -> None:
        """Stop it and remove all that it kept."""
        process, self._process = self._process, None
        if process is not None:
            process.communicate()  # closes its input
