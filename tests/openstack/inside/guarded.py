"""A Neutron or a Cinder that has nothing, behind the middleware that asks Keystone who is calling. Run by gunicorn."""

import os
from importlib import import_module
from typing import Any

_middleware: Any = import_module("keystonemiddleware.auth_token")
_own = f"{os.environ['OS_KEYSTONE_CONFIG_DIR']}/{os.environ['LAB_NAME']}.conf"

application = _middleware.AuthProtocol(
    import_module("no_network").application, {"oslo_config_project": "lab", "oslo_config_file": _own}
)
