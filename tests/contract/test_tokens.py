import pytest

from tests.contract.asking import Answer, send, shape_of, sign_in
from tests.contract.cloud import MISSING, Cloud

ENTRY = {"id": "str", "name": "str"}
TOKEN = {
    "methods": ["str"],
    "user": {"domain": ENTRY, "id": "str", "name": "str", "password_expires_at": None},
    "audit_ids": ["str"],
    "expires_at": "str",
    "issued_at": "str",
    "project": {"domain": ENTRY, "id": "str", "name": "str"},
    "is_domain": "bool",
    "roles": [ENTRY],
    "catalog": [
        {
            "endpoints": [{"id": "str", "interface": "str", "region_id": "str", "url": "str", "region": "str"}],
            "id": "str",
            "type": "str",
            "name": "str",
        }
    ],
}
CREDENTIAL = {"id": "str", "name": "str", "restricted": "bool"}
REFUSED = "The request you have made requires authentication."


def says_no(answer: Answer, status: int, title: str, message: str) -> bool:
    error = {"code": status, "message": message, "title": title}
    return (answer.status, answer.reason, answer.type, answer.body) == (
        status,
        title.upper(),
        "application/json",
        {"error": error},
    )


def test_a_password_buys_a_token_for_a_project(cloud: Cloud) -> None:
    answer = sign_in(cloud.backend.env())
    token = answer.body["token"]
    assert (answer.status, answer.reason, answer.type) == (201, "CREATED", "application/json")
    assert len(answer.headers["X-Subject-Token"]) == 183
    assert answer.headers["Vary"] == "X-Auth-Token"
    assert shape_of(token) == TOKEN
    assert (token["methods"], token["project"]["id"]) == (["password"], cloud.demo)
    assert {role["name"] for role in token["roles"]} == {"member", "reader"}


def test_an_application_credential_buys_a_token_for_its_project(cloud: Cloud) -> None:
    answer = sign_in(cloud.backend.env("v3applicationcredential"))
    token = answer.body["token"]
    assert answer.status == 201
    assert shape_of(token) == TOKEN | {"application_credential": CREDENTIAL}
    assert (token["methods"], token["project"]["id"]) == (["application_credential"], cloud.demo)
    assert token["application_credential"]["restricted"] is True


def test_the_catalogue_names_each_service_for_everybody_within_and_for_administrators(cloud: Cloud) -> None:
    catalog = sign_in(cloud.backend.env()).body["token"]["catalog"]
    urls = {
        (service["type"], endpoint["interface"], endpoint["region"]): endpoint["url"]
        for service in catalog
        for endpoint in service["endpoints"]
    }
    for interface in ("public", "internal", "admin"):
        assert urls["image", interface, "RegionOne"] == cloud.backend.image
        assert urls["compute", interface, "RegionOne"] == f"{cloud.compute}/v2.1"
        assert urls["identity", interface, "RegionOne"] == f"{cloud.backend.identity}/v3"


@pytest.mark.parametrize(
    "changes",
    [
        {"password": "wrong"},
        {"username": "nobody"},
        {"project_name": "other"},
        {"project_name": "nowhere"},
    ],
    ids=["password", "user", "project of others", "no project"],
)
def test_keystone_does_not_say_what_was_wrong(cloud: Cloud, changes: dict[str, str]) -> None:
    answer = sign_in(cloud.backend.env(), **changes)
    assert says_no(answer, 401, "Unauthorized", REFUSED)
    assert answer.headers["WWW-Authenticate"].startswith("Keystone uri=")


def test_a_wrong_secret_is_refused(cloud: Cloud) -> None:
    answer = sign_in(cloud.backend.env("v3applicationcredential"), application_credential_secret="wrong")
    assert says_no(answer, 401, "Unauthorized", REFUSED)


def test_an_unknown_application_credential_is_a_404(cloud: Cloud) -> None:
    answer = sign_in(cloud.backend.env("v3applicationcredential"), application_credential_id="0" * 32)
    assert says_no(answer, 404, "Not Found", f"Could not find Application Credential: {'0' * 32}.")
    assert "WWW-Authenticate" not in answer.headers


def test_a_token_request_without_auth_is_malformed(cloud: Cloud) -> None:
    answer = send("POST", f"{cloud.backend.identity}/v3/auth/tokens", None, payload={})
    assert (answer.status, answer.body["error"]["title"]) == (400, "Bad Request")
    assert answer.message.startswith("Expecting to find auth in request body.")


def test_a_revoked_token_is_no_token(cloud: Cloud) -> None:
    token = cloud.new_token()
    revoked = cloud.keystone("DELETE", "/auth/tokens", token, about=token)
    assert (revoked.status, revoked.content) == (204, b"")
    assert says_no(cloud.keystone("GET", "/auth/tokens", token, about=token), 401, "Unauthorized", REFUSED)
    assert cloud.keystone("GET", "/auth/tokens", cloud.token("reaper"), about=token).status == 404
    assert cloud.glance("DELETE", f"/{MISSING}", token=token).status == 401
    assert cloud.nova("DELETE", f"/v2.1/images/{MISSING}", token=token).status == 401


def test_an_expired_token_is_no_token(cloud: Cloud) -> None:
    token = cloud.backend.let_tokens_expire(cloud.new_token)
    assert says_no(cloud.keystone("GET", "/auth/tokens", token, about=token), 401, "Unauthorized", REFUSED)
    assert cloud.glance("DELETE", f"/{MISSING}", token=token).status == 401
    assert cloud.nova("DELETE", f"/v2.1/images/{MISSING}", token=token).status == 401


def test_a_revoked_token_that_a_service_has_seen_goes_on_for_a_while(cloud: Cloud) -> None:
    token, image_id = cloud.new_token(), cloud.queue()
    for ask in (cloud.glance, cloud.nova):
        ask("GET", "" if ask == cloud.glance else "/v2.1/servers", token=token)
    cloud.keystone("DELETE", "/auth/tokens", token, about=token)
    assert cloud.nova("GET", "/v2.1/servers", token=token).status == 200
    assert cloud.glance("DELETE", f"/{image_id}", token=token).status == 204


@pytest.mark.parametrize("token", ["garbage", ""])
def test_glance_tells_who_is_not_known_where_to_sign_in(cloud: Cloud, token: str) -> None:
    answer = cloud.glance("DELETE", f"/{MISSING}", headers={"X-Auth-Token": token})
    assert (answer.status, answer.type) == (401, "application/json")
    assert (answer.body["code"], answer.body["title"]) == ("401 Unauthorized", "Unauthorized")
    assert answer.message.startswith("This server could not verify that you are authorized to access the document")
    assert answer.headers["WWW-Authenticate"] == f'Keystone uri="{cloud.backend.identity}/v3"'
    assert "x-openstack-request-id" not in answer.headers


@pytest.mark.parametrize("token", ["garbage", ""])
@pytest.mark.parametrize("version", ["v2", "v2.1"])
def test_nova_has_a_401_of_its_own(cloud: Cloud, version: str, token: str) -> None:
    answer = cloud.nova("DELETE", f"/{version}/images/{MISSING}", headers={"X-Auth-Token": token})
    assert (answer.status, answer.type) == (401, "application/json")
    assert answer.body == {"error": {"code": 401, "title": "Unauthorized", "message": REFUSED}}
    assert answer.headers["WWW-Authenticate"] == f'Keystone uri="{cloud.backend.identity}/v3"'


def test_what_does_not_exist_is_not_told_to_strangers(cloud: Cloud) -> None:
    known, stranger = {"X-Auth-Token": cloud.token("reaper")}, {"X-Auth-Token": "garbage"}
    for ask, path in ((cloud.glance, f"/{MISSING}/nonsense"), (cloud.nova, "/v2.1/nonsense")):
        assert ask("GET", path, headers=known).status == 404
        assert ask("GET", path, headers=stranger).status == 401
