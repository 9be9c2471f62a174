"""Runs commands of other clients, unmodified, in children of this one process, since each takes a second to load.

Run by the Python of `.venv-clients`, never imported by a test. Each line of the input is an order, as JSON; each line
of the output says what came of it.
"""

import contextlib
import importlib
import io
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

WARM = (
    "openstackclient.shell",
    "glanceclient.v2.shell",
    "otcextensions.sdk",
    *(f"huaweicloudsdk{service}" for service in ("ims.v2", "ecs.v2", "evs.v2", "as.v1")),
)
"""What is loaded once, for all."""


def openstack(words: list[str]) -> object:
    """A command of `openstack`."""
    return importlib.import_module("openstackclient.shell").main(words)


def glance(words: list[str]) -> object:
    """A command of `glance`, which reads the words itself."""
    sys.argv = ["glance", *words]
    return importlib.import_module("glanceclient.shell").main()


def otcextensions(words: list[str]) -> object:
    """A call of a connection of openstacksdk with otcextensions: a path of attributes, then arguments as JSON."""
    sdk = importlib.import_module("otcextensions").sdk
    connection = importlib.import_module("openstack").connect(load_yaml_config=False)
    sdk.load(connection)
    path, *arguments = words
    found: Any = connection
    for name in path.split("."):
        found = getattr(found, name)
    told = found(*json.loads(arguments[0]), **json.loads(arguments[1]))
    plain = [each.to_dict() for each in told] if hasattr(told, "__next__") else told.to_dict() if told else None
    print(json.dumps(plain, default=str))
    return 0


def huawei(words: list[str]) -> object:
    """A call of a Huawei SDK: service and version, method, and the request as JSON, each object with its class."""
    service, version, method, host, request = words
    module = importlib.import_module(f"huaweicloudsdk{service}.{version}")
    http = importlib.import_module("huaweicloudsdkcore.http.http_config").HttpConfig.get_default_config()
    http.proxy_protocol, (http.proxy_host, http.proxy_port) = "http", _proxy()
    http.ssl_ca_cert, http.retry_times = os.environ["REQUESTS_CA_BUNDLE"], 0
    client_class = next(getattr(module, name) for name in dir(module) if name.lower() == f"{service}client")
    client = (
        client_class.new_builder().with_http_config(http).with_credentials(_credentials()).with_endpoint(host).build()
    )
    print(json.dumps(getattr(client, method)(_made(module, json.loads(request))).to_json_object(), default=str))
    return 0


def sign(words: list[str]) -> object:
    """The headers that huaweicloudsdkcore has put on requests when they are signed."""
    request_of = importlib.import_module("huaweicloudsdkcore.sdk_request").SdkRequest
    credentials = _credentials()
    told = []
    for order in json.loads(words[0]):
        query = [tuple(pair) for pair in order["query_params"]]
        signed = credentials.sign_request(request_of(schema="https", **{**order, "query_params": query}))
        told.append({name: str(value) for name, value in signed.header_params.items()})
    print(json.dumps(told))
    return 0


def _credentials() -> Any:  # noqa: ANN401 (of the SDK)
    core = importlib.import_module("huaweicloudsdkcore.auth.credentials")
    keys = {name: os.environ[f"HUAWEICLOUD_SDK_{name.upper()}"] for name in ("ak", "sk", "project_id")}
    credentials = core.BasicCredentials(**keys)
    if token := os.environ.get("HUAWEICLOUD_SDK_SECURITY_TOKEN"):
        credentials.with_security_token(token)
    return credentials


CLIENTS: Mapping[str, Callable[[list[str]], object]] = {
    "openstack": openstack,
    "glance": glance,
    "otcextensions": otcextensions,
    "huawei": huawei,
    "sign": sign,
}


def _proxy() -> tuple[str, int]:
    host, _, port = os.environ["HTTPS_PROXY"].removeprefix("http://").partition(":")
    return host, int(port)


def _made(module: Any, told: Any) -> Any:  # noqa: ANN401 (classes of the SDK)
    """What an SDK wants: `{"class": "TagKeyValue", ...}` becomes an object of that class."""
    if isinstance(told, list):
        return [_made(module, each) for each in told]
    if not isinstance(told, dict):
        return told
    fields = {name: _made(module, value) for name, value in told.items() if name != "class"}
    return getattr(module, told["class"])(**fields) if "class" in told else fields


def _carried_out(order: Mapping[str, Any]) -> dict[str, Any]:
    os.environ.update(order["environment"])
    out, err, code = io.StringIO(), io.StringIO(), None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = CLIENTS[order["client"]](order["words"])
        except SystemExit as exc:
            code = exc.code
        except Exception:  # noqa: BLE001 (told to the test)
            traceback.print_exc()
            code = 1
    return {"code": code or 0, "out": out.getvalue(), "err": err.getvalue()}


def _answer(line: str) -> None:
    """Carry an order out in a process of its own: clients keep what they know of a cloud."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    os.write(1, json.dumps(_carried_out(json.loads(line))).encode() + b"\n")
    os._exit(0)


if __name__ == "__main__":
    for name in WARM:
        importlib.import_module(name)
    for order in sys.stdin:
        _answer(order)
