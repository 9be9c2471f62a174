"""The files that configure the services: SQLite unless told otherwise, a folder as store, no message broker."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

VENV = Path(__file__).parents[2] / ".venv-openstack"
REGION = "RegionOne"
GUARDED = {"network": "network", "volume": "volumev3"}
"""The services that are none, but may stand behind the guard of real ones, and their types."""


@dataclass(frozen=True)
class Settings:
    """Where a lab lives, the ports of its services, and what a test may want otherwise."""

    home: Path
    ports: Mapping[str, int]
    service_password: str
    token_seconds: int = 3600
    token_cache_seconds: int = 300
    image_database: str = ""
    """The address of another database for Glance than SQLite."""

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"

    def database(self, name: str) -> Path:
        return self.home / f"{name}.sqlite"


def write(settings: Settings) -> None:
    """Write all of them. They hold passwords: the folder is ours alone."""
    home = settings.home
    for name, text in {
        "keystone.conf": _keystone(settings),
        "glance-api.conf": _glance(settings),
        "nova.conf": _nova(settings),
    }.items():
        (home / name).write_text(text)
    for name, kind in GUARDED.items():
        (home / f"{name}.conf").write_text(f"[keystone_authtoken]\n{_guard(settings, 'nova', kind)}")
    shutil.copy(VENV / "etc/nova/api-paste.ini", home)
    for folder in ("images", "staging", "tasks", "locks"):
        (home / folder).mkdir(exist_ok=True)


def connection(database: Path) -> str:
    """The address of a database; the seconds that a writer waits for another are generous."""
    return f"sqlite:///{database}?timeout=60"


def _keystone(settings: Settings) -> str:
    return f"""
[DEFAULT]
log_file = {settings.home}/keystone.log
[database]
connection = {connection(settings.database("keystone"))}
[token]
provider = fernet
expiration = {settings.token_seconds}
[fernet_tokens]
key_repository = {settings.home}/fernet
[fernet_receipts]
key_repository = {settings.home}/fernet
[credential]
key_repository = {settings.home}/fernet
# The passwords here guard nothing: the cheapest hash will do.
[identity]
password_hash_rounds = 4
"""


def _glance(settings: Settings) -> str:
    home = settings.home
    return f"""
[DEFAULT]
log_file = {home}/glance.log
enabled_backends = fs:file
worker_self_reference_url = {settings.url("image")}
[database]
connection = {settings.image_database or connection(settings.database("glance"))}
[glance_store]
default_backend = fs
[fs]
filesystem_store_datadir = {home}/images
[os_glance_staging_store]
filesystem_store_datadir = {home}/staging
[os_glance_tasks_store]
filesystem_store_datadir = {home}/tasks
[oslo_concurrency]
lock_path = {home}/locks
[paste_deploy]
flavor = keystone
config_file = {VENV}/etc/glance/glance-api-paste.ini
[keystone_authtoken]
{_guard(settings, "glance", "image")}
"""


def _nova(settings: Settings) -> str:
    return f"""
[DEFAULT]
log_file = {settings.home}/nova.log
state_path = {settings.home}
host = lab
transport_url = fake:///
[api_database]
connection = {connection(settings.database("nova_api"))}
[database]
connection = {connection(settings.database("nova_cell0"))}
[oslo_concurrency]
lock_path = {settings.home}/locks
[oslo_messaging_notifications]
driver = noop
[glance]
endpoint_override = {settings.url("image")}
[neutron]
endpoint_override = {settings.url("network")}
{_service_user(settings, "nova")}
[keystone_authtoken]
{_guard(settings, "nova", "compute")}
"""


def _guard(settings: Settings, user: str, service: str) -> str:
    """How the middleware before a service asks Keystone who is calling; its type is what access rules name."""
    return f"""{_service_user(settings, user)}
service_type = {service}
token_cache_time = {settings.token_cache_seconds}"""


def _service_user(settings: Settings, name: str) -> str:
    return f"""auth_type = password
auth_url = {settings.url("identity")}/v3
www_authenticate_uri = {settings.url("identity")}/v3
username = {name}
password = {settings.service_password}
project_name = service
user_domain_name = Default
project_domain_name = Default
region_name = {REGION}"""
