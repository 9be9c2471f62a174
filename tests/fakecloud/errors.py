"""What goes wrong, as classes; and how each service puts it on the wire.

The sentences are those of the services: clients read them.
"""

import json
from collections.abc import Mapping
from html import escape
from http import HTTPStatus

from tests.fakecloud.api import Reply, Request, json_reply

JSON_TYPE = {"Content-Type": "application/json"}
COULD_NOT_VERIFY = (
    "This server could not verify that you are authorized to access the document you requested. Either you supplied "
    "the wrong credentials (e.g., bad password), or your browser does not understand how to supply the credentials "
    "required."
)
PHRASES = {413: "Request Entity Too Large"}
"""Those that Python calls otherwise since 3.13."""
NO_SUCH_RESOURCE = "The resource could not be found."
REQUIRES_AUTHENTICATION = "The request you have made requires authentication."


class CloudError(Exception):
    """The cloud says no; `status` and `message` are Glance's, other services translate."""

    status = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotSigned(CloudError):
    """The gateway refuses a signature; `code` is its name for the reason."""

    status = 401

    def __init__(self, message: str, code: str = "APIGW.0301", status: int = 401) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class BadRequest(CloudError):
    """400."""

    status = 400


class Unauthorized(CloudError):
    """401."""

    status = 401

    def __init__(self, message: str = REQUIRES_AUTHENTICATION) -> None:
        super().__init__(message)


class Forbidden(CloudError):
    """403."""

    status = 403


class NoPermission(Forbidden):
    """The keys are good, but their policies do not allow an action."""

    def __init__(self, action: str) -> None:
        super().__init__(f"Policy doesn't allow {action} to be performed.")


class NotFound(CloudError):
    """404."""

    status = 404

    def __init__(self, message: str = NO_SUCH_RESOURCE) -> None:
        super().__init__(message)


class NotAcceptable(CloudError):
    """406."""

    status = 406


class Conflict(CloudError):
    """409."""

    status = 409


class UnsupportedMediaType(CloudError):
    """415."""

    status = 415


class ImageNotFound(NotFound):
    """There is no such image, or the caller may not know that there is."""


class ImageProtected(Forbidden):
    """The image is protected."""


class NotYourImage(Forbidden):
    """The image is visible, but another project's."""


class PublicImage(NotYourImage):
    """The image is visible, another project's, and public."""


class RoleMissing(Forbidden):
    """The caller's roles do not allow it."""


class ImageBusy(Conflict):
    """The image is being made."""


class BadTag(BadRequest):
    """A tag is longer than any may be, or not of the letters that it may be of."""


class TooManyTags(CloudError):
    """413: an image may not have another tag."""

    status = 413


class UnknownMarker(BadRequest):
    """A page shall begin after an image that is not there, or not any more."""


class BadTransition(BadRequest):
    """The image can't go from its status to that one."""


def title_of(status: int) -> str:
    """The phrase of a status, as in `404 Not Found`."""
    return PHRASES.get(status, HTTPStatus(status).phrase)


def challenge(request: Request, identity: str = "identity") -> dict[str, str]:
    """The header that tells where tokens are made."""
    return {"WWW-Authenticate": f'Keystone uri="{request.service(identity)}/v3"'}


def page(request: Request, status: int, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    """An error of a WSGI service (Glance; Nova where no route matches): it follows `Accept`."""
    return _page(request, status, message, "\n\n\n", headers or {})


def method_not_allowed(request: Request, allowed: str, headers: Mapping[str, str] | None = None) -> Reply:
    """A 405 of Glance, whose page is a little different from the others."""
    message = f"The method {request.method} is not allowed for this resource. "
    return _page(request, 405, message, "\n", {"Allow": allowed, **(headers or {})})


def _page(request: Request, status: int, message: str, tail: str, headers: Mapping[str, str]) -> Reply:
    line = f"{status} {title_of(status)}"
    kind = preferred_type(request.headers.get("Accept", ""))
    if kind == "application/json":
        payload = {"message": f"{message}<br /><br />{tail}", "code": line, "title": title_of(status)}
        return json_reply(payload, status, headers)
    text = _html(line, message, tail) if kind == "text/html" else f"{line}\n\n{message}\n\n   "
    return Reply(status, {"Content-Type": f"{kind}; charset=UTF-8", **headers}, text.encode())


def _html(line: str, message: str, tail: str) -> str:
    shown = escape(message).encode("ascii", "xmlcharrefreplace").decode()
    return (
        f"<html>\n <head>\n  <title>{line}</title>\n </head>\n <body>\n  <h1>{line}</h1>\n"
        f"  {shown}<br /><br />{tail}\n </body>\n</html>"
    )


def preferred_type(accept: str) -> str:
    """The type in which a WSGI service answers; HTML wins a draw, plain text is for who wants neither."""
    weights = dict(map(_weighted, accept.split(",")))
    html, as_json = (_weight(weights, kind) for kind in ("text/html", "application/json"))
    if max(html, as_json) <= 0:
        return "text/plain"
    return "text/html" if html >= as_json else "application/json"


def _weighted(entry: str) -> tuple[str, float]:
    kind, _, parameters = entry.strip().partition(";")
    _, _, weight = parameters.replace(" ", "").partition("q=")
    return kind.strip().lower(), float(weight) if weight.replace(".", "", 1).isdigit() else 1.0


def _weight(weights: Mapping[str, float], kind: str) -> float:
    group = kind.split("/", maxsplit=1)[0] + "/*"
    return next((weights[name] for name in (kind, group, "*/*") if name in weights), 0.0)


def keystone_error(request: Request, error: CloudError) -> Reply:
    """An error of Keystone, and of IAM."""
    title = title_of(error.status)
    payload = {"error": {"code": error.status, "message": error.message, "title": title}}
    body = json.dumps(payload, separators=(",", ":")).encode() + b"\n"
    identity = request.path.split("/")[1] if request.path.count("/") > 1 else "identity"
    extra = challenge(request, identity) if error.status == Unauthorized.status else {}
    headers = {**JSON_TYPE, "Vary": "X-Auth-Token", "x-openstack-request-id": request.request_id, **extra}
    return Reply(error.status, headers, body, reason=title.upper())


FAULT_NAMES = {
    400: "badRequest", 401: "unauthorized", 403: "forbidden", 404: "itemNotFound", 405: "badMethod",
    409: "conflictingRequest", 413: "overLimit", 415: "badMediaType", 429: "overLimit", 501: "notImplemented",
    503: "serviceUnavailable",
}  # fmt: skip


def nova_fault(status: int, message: str) -> Reply:
    """A fault of Nova or Cinder."""
    payload = {FAULT_NAMES.get(status, "computeFault"): {"code": status, "message": message}}
    return json_reply(payload, status, {"Content-Type": "application/json; charset=UTF-8"})


def middleware_401(request: Request) -> Reply:
    """The 401 that stands before Nova and Cinder."""
    payload = {"error": {"code": 401, "title": "Unauthorized", "message": REQUIRES_AUTHENTICATION}}
    return json_reply(payload, 401, challenge(request))


def vendor_error(status: int, code: str, message: str) -> Reply:
    """An error of IMS or ECS on Open Telekom Cloud."""
    return json_reply({"error": {"message": message, "code": code}}, status)


def gateway_error(request: Request, status: int, code: str, message: str) -> Reply:
    """An error of the API gateway that stands before every service of Open Telekom Cloud."""
    number = request.request_id.removeprefix("req-").replace("-", "")
    return json_reply({"error_msg": message, "error_code": code, "request_id": number}, status)
