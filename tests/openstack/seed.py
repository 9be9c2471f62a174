"""What every lab starts from: databases with their tables, projects, users and roles. Made once, then copied.

It is kept beside the services, under a name that changes with the code that makes it.
"""

import base64
import hashlib
import json
import os
import secrets
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.openstack import config
from tests.openstack.accounts import Accounts, create_accounts
from tests.openstack.config import VENV, Settings, connection
from tests.openstack.process import INSIDE, PYTHON, Port, Service, environment

DATABASES = ("keystone", "glance", "nova_api", "nova_cell0", "nova_cell1")
URLS = {"identity": "/v3", "image": "", "compute": "/v2.1"}
"""The services of the catalogue, and what their addresses end in."""


@dataclass(frozen=True)
class Seed:
    """The folder that is copied, and the accounts that are in it."""

    folder: Path
    accounts: Accounts


def kept_seed() -> Seed:
    """The seed, made if there is none yet. Two that make it at once make it twice, and one is kept."""
    folder = VENV / f"seed-{_version()}"
    if not folder.exists():
        building = Path(tempfile.mkdtemp(prefix="building-", dir=VENV))
        try:
            _build(building)
            building.rename(folder)
        except OSError:
            if not folder.exists():
                raise
        finally:
            shutil.rmtree(building, ignore_errors=True)
    return Seed(folder, Accounts(**json.loads((folder / "accounts.json").read_text())))


def plant(seed: Seed, settings: Settings) -> None:
    """Copy the seed to where a lab lives, and give it keys and addresses of its own."""
    shutil.copytree(seed.folder, settings.home, dirs_exist_ok=True)
    config.write(settings)
    _make_keys(settings.home / "fernet")
    for service, tail in URLS.items():
        _change(
            settings.database("keystone"),
            "UPDATE endpoint SET url = ? WHERE service_id IN (SELECT id FROM service WHERE type = ?)",
            (settings.url(service) + tail, service),
        )
    for cell in ("cell0", "cell1"):
        _change(
            settings.database("nova_api"),
            "UPDATE cell_mappings SET database_connection = ? WHERE name = ?",
            (connection(settings.database(f"nova_{cell}")), cell),
        )


def _build(home: Path) -> None:
    ports = {service: Port() for service in (*URLS, "network")}
    numbers = {service: port.number for service, port in ports.items()}
    settings = Settings(home, numbers, service_password=secrets.token_urlsafe())
    config.write(settings)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda make: make(settings), (_make_nova, _make_keystone_and_glance)))
    for name in DATABASES:
        _change(settings.database(name), "PRAGMA journal_mode = WAL", ())
    _create_accounts(settings, ports["identity"])
    for port in ports.values():
        port.release()


def _make_keystone_and_glance(settings: Settings) -> None:
    home = settings.home
    _make_keys(home / "fernet")
    keystone = ("keystone-manage", "--config-file", str(home / "keystone.conf"))
    _run(home, *keystone, "db_sync")
    bootstrap = {"OS_BOOTSTRAP_PASSWORD": settings.service_password}
    _run(home, *keystone, "bootstrap", "--bootstrap-region-id", config.REGION, **bootstrap)
    make_image_database(settings)


def make_image_database(settings: Settings) -> None:
    """Make Glance's tables."""
    home = settings.home
    _run(home, "glance-manage", "--config-file", str(home / "glance-api.conf"), "db_sync")


def _make_keys(folder: Path) -> None:
    """Write what `keystone-manage fernet_setup` writes, which wants a system user to give it to."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for number in ("0", "1"):
        (folder / number).write_bytes(base64.urlsafe_b64encode(secrets.token_bytes(32)))


def _make_nova(settings: Settings) -> None:
    home = settings.home
    nova = ("nova-manage", "--config-file", str(home / "nova.conf"))
    cell0, cell1 = (connection(settings.database(f"nova_{cell}")) for cell in ("cell0", "cell1"))
    _run(home, *nova, "api_db", "sync")
    _run(home, *nova, "cell_v2", "map_cell0", "--database_connection", cell0)
    new_cell = ("--name", "cell1", "--transport-url", "fake:///", "--database_connection", cell1)
    _run(home, *nova, "cell_v2", "create_cell", *new_cell)
    _run(home, *nova, "db", "sync", "--local_cell")
    shutil.copy(settings.database("nova_cell0"), settings.database("nova_cell1"))
    _run(home, "python", str(INSIDE / "pattern_server.py"))


def _create_accounts(settings: Settings, port: Port) -> None:
    keystone = Service("identity", "keystone.wsgi.api", settings.home, port, (1, 1))
    keystone.start()
    try:
        accounts = create_accounts(keystone.url, settings.service_password, tuple(URLS))
    finally:
        keystone.stop()
    (settings.home / "accounts.json").write_text(json.dumps(vars(accounts)))


def _run(home: Path, program: str, *arguments: str, **variables: str) -> None:
    """Run a command of the services; its output goes to a log, and is shown if it fails."""
    done = subprocess.run(  # noqa: S603 (every word of it is ours)
        [str(PYTHON.with_name(program)), *arguments],
        env=environment(home) | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        message = f"{program} {arguments[-1]} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        raise ChildProcessError(message)


def _change(database: Path, statement: str, values: Sequence[object]) -> None:
    with closing(sqlite3.connect(database)) as opened, opened:
        opened.execute(statement, values)


def _version() -> str:
    here = Path(__file__).parent
    sources = [*(here / name for name in ("accounts.py", "config.py", "seed.py")), INSIDE / "pattern_server.py"]
    return hashlib.sha256(os.fsencode("".join(source.read_text() for source in sources))).hexdigest()[:12]
