"""The fake cloud answers as the real services were recorded to, over a real port and through `responses` alike."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from keystoneauth1.identity.v3 import ApplicationCredential, Password
from keystoneauth1.session import Session

from tests.fakecloud import APP_CREDENTIAL_ID, APP_CREDENTIAL_SECRET, DEMO, OTHER, FakeCloud, Server
from tests.unit.fakeclient import MISSING, Client, code_of, message_of

RIGHT = "s3cret-passw0rd"
PATCH_TYPE = "application/openstack-images-v2.1-json-patch"
NOVA = f"/compute/v2.1/{DEMO}"
ECS = f"/ecs/v2.1/{DEMO}"


# Keystone


def ask_token(client: Client, identity: object, **scope: object) -> requests.Response:
    home = "/iam" if client.cloud.flavour == "otc" else "/identity"
    body = {"auth": {"identity": identity, **({"scope": scope} if scope else {})}}
    return client.session.post(f"{client.url}{home}/v3/auth/tokens", json=body, timeout=5)


def password(name: str = "reaper", secret: str = RIGHT) -> dict[str, object]:
    person = {"name": name, "password": secret, "domain": {"id": "default"}}
    return {"methods": ["password"], "password": {"user": person}}


def credential(key: str, secret: str) -> dict[str, object]:
    return {"methods": ["application_credential"], "application_credential": {"id": key, "secret": secret}}


def test_a_password_buys_a_token_and_a_catalogue(client: Client) -> None:
    answer = ask_token(client, password(), project={"name": "demo", "domain": {"id": "default"}})
    token = answer.json()["token"]
    urls = {service["type"]: service["endpoints"][0]["url"] for service in token["catalog"]}
    assert answer.status_code == 201
    assert len(answer.headers["X-Subject-Token"]) == 183
    assert token["project"]["id"] == DEMO
    assert urls["image"] == f"{client.url}/image"
    assert urls["compute_legacy"] == f"{client.url}/compute/v2/{DEMO}"


@pytest.mark.parametrize(("body", "length"), [("{", 239), ("{}", 233)])
def test_keystone_says_what_is_wrong_with_a_token_request(client: Client, body: str, length: int) -> None:
    answer = client.session.post(f"{client.url}/identity/v3/auth/tokens", data=body, timeout=5)
    assert (answer.status_code, len(answer.content)) == (400, length)


def test_keystoneauth_finds_its_way_by_password(client: Client) -> None:
    image_id, env = client.cloud.add_image(), client.cloud.env(client.url)
    plugin = Password(
        auth_url=env["OS_AUTH_URL"].removesuffix("/v3"), username=env["OS_USERNAME"], password=env["OS_PASSWORD"],
        user_domain_name="Default", project_name="demo", project_domain_name="Default",
    )  # fmt: skip
    session = Session(plugin, session=client.session)
    image_service = {"service_type": "image", "region_name": "RegionOne"}
    session.request(f"/v2/images/{image_id}", "DELETE", endpoint_filter=image_service)
    assert image_id in client.cloud.dead
    assert client.cloud.tokens_issued == 1


def test_keystoneauth_finds_its_way_by_application_credential(client: Client) -> None:
    auth_url = client.cloud.env(client.url)["OS_AUTH_URL"]
    plugin = ApplicationCredential(
        auth_url, application_credential_id=APP_CREDENTIAL_ID, application_credential_secret=APP_CREDENTIAL_SECRET
    )
    assert plugin.get_access(Session(session=client.session)).project_id == DEMO


def test_a_service_can_be_missing_from_the_catalogue(client: Client) -> None:
    client.cloud.catalog_without("image")
    token = ask_token(client, password(), project={"id": DEMO}).json()["token"]
    kinds = {service["type"] for service in token["catalog"]}
    assert kinds == {"identity", "compute", "compute_legacy", "volumev3", "block-storage"}


@pytest.mark.parametrize(
    "event", [FakeCloud.revoke_tokens, FakeCloud.expire_tokens, lambda cloud: cloud.rotate_password("new")]
)
def test_a_token_ends(client: Client, event: Callable[[FakeCloud], None]) -> None:
    image_id = client.cloud.add_image()
    old = {"X-Auth-Token": client.cloud.env(client.url, "v3token")["OS_TOKEN"]}
    event(client.cloud)
    assert client.delete(image_id, headers=old).status_code == 401
    assert client.delete(image_id).status_code == 204


# Glance


def test_glance_deletes_an_image_once(client: Client) -> None:
    image_id = client.cloud.add_image()
    first, second = client.delete(image_id), client.delete(image_id)
    assert (first.status_code, first.content, first.headers.get("Content-Length")) == (204, b"", None)
    assert (second.status_code, message_of(second)) == (404, f"Failed to find image {image_id} to delete")
    assert list(client.cloud.dead) == [image_id]


def test_of_many_who_delete_the_same_image_one_does(client: Client) -> None:
    image_id = client.cloud.add_image()
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: client.delete(image_id).status_code, range(8)))
    assert sorted(answers) == [204] + [404] * 7


def test_glance_puts_errors_in_plain_text_for_who_accepts_nothing(client: Client) -> None:
    answer = client.delete(MISSING, headers={"Accept": None})
    assert (answer.headers["Content-Type"], len(answer.content)) == ("text/plain; charset=UTF-8", 87)


@pytest.mark.parametrize(
    ("image", "status", "words"),
    [
        ({"protected": True}, 403, "is protected and cannot be deleted."),
        ({"owner": OTHER}, 404, "Failed to find image"),
        ({"owner": OTHER, "visibility": "public", "protected": True}, 403, "complete delete_image action."),
        ({"owner": OTHER, "visibility": "community"}, 403, "complete delete_image action."),
        ({"owner": OTHER, "visibility": "shared", "members": {DEMO: "pending"}}, 403, "complete delete_image action."),
        ({"status": "deleted"}, 400, "Image status transition from deleted to deleted is not allowed"),
    ],
)
def test_glance_refuses_and_keeps_the_image(client: Client, image: dict[str, Any], status: int, words: str) -> None:
    image_id = client.cloud.add_image(**image)
    answer = client.delete(image_id)
    assert answer.status_code == status
    assert words in message_of(answer)
    assert image_id in client.cloud.images


@pytest.mark.parametrize("status", ["queued", "saving", "deactivated"])
def test_glance_deletes_what_is_not_active(client: Client, status: str) -> None:
    assert client.delete(client.cloud.add_image(status=status)).status_code == 204


def test_a_reader_may_look_but_not_delete(client: Client) -> None:
    image_id = client.cloud.add_image()
    assert client.call("GET", f"/image/v2/images/{image_id}", user="reader").status_code == 200
    assert client.delete(image_id, user="reader").status_code == 403


@pytest.mark.parametrize(
    ("method", "path", "status", "length"),
    [
        ("DELETE", "/image/v2/images", 405, 190),
        ("DELETE", "/image/v2/images/", 404, 154),
        ("DELETE", f"/image/v2/images/{MISSING}/", 404, 154),
        ("DELETE", "/image/v2/images/a%2Fb", 404, 154),
        ("DELETE", "/image/v2/images/a%00b", 500, 228),
        ("DELETE", "/image/v2/images/%C3%A9", 404, 165),
        ("GET", f"/image/v2/images/{MISSING}", 404, 181),
        ("HEAD", f"/image/v2/images/{MISSING}", 405, 0),
        ("DELETE", f"{NOVA}/images", 404, 154),
    ],
)
def test_wrong_addresses_answer_as_recorded(client: Client, method: str, path: str, status: int, length: int) -> None:
    answer = client.call(method, path, headers={"Accept": "*/*"})
    assert (answer.status_code, len(answer.content)) == (status, length)


@pytest.mark.parametrize("token", [None, "", "garbage"])
def test_glance_says_where_tokens_are_made(client: Client, token: str | None) -> None:
    answer = client.delete(client.cloud.add_image(), headers={"X-Auth-Token": token, "Accept": "*/*"})
    assert (answer.status_code, len(answer.content)) == (401, 358)
    assert answer.headers["WWW-Authenticate"] == f'Keystone uri="{client.url}/identity/v3"'
    assert "x-openstack-request-id" not in answer.headers


def test_an_image_is_made_filled_changed_and_tagged(client: Client) -> None:
    made = client.call("POST", "/image/v2/images", json={"name": "new", "disk_format": "raw", "team": "blue"}).json()
    path = f"/image/v2/images/{made['id']}"
    assert (made["status"], made["size"], made["visibility"]) == ("queued", None, "shared")
    assert client.call("PUT", path + "/file", data=iter([b"x" * 8, b"x" * 8])).status_code == 204
    assert client.call("PUT", path + "/file", data=b"x").status_code == 409
    change = [{"op": "replace", "path": "/protected", "value": True}, {"op": "remove", "path": "/team"}]
    client.call("PATCH", path, data=json.dumps(change), headers={"Content-Type": PATCH_TYPE})
    client.call("PUT", path + "/tags/keep")
    client.call("POST", path + "/actions/deactivate")
    shown = client.call("GET", path).json()
    assert (shown["size"], shown["checksum"]) == (16, "45ed9cc2f92b77cd8b2f5bd59ff635f8")
    assert (shown["status"], shown["protected"], shown["tags"]) == ("deactivated", True, ["keep"])
    assert "team" not in shown


def test_time_passes_for_images_as_it_is_told(client: Client) -> None:
    client.cloud.now = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
    path = f"/image/v2/images/{client.cloud.add_image()}"
    assert client.call("GET", path).json()["created_at"] == "2027-01-31T12:00:00Z"
    client.cloud.advance(timedelta(days=90))
    client.call("PUT", path + "/tags/keep")
    shown = client.call("GET", path).json()
    assert (shown["created_at"], shown["updated_at"]) == ("2027-01-31T12:00:00Z", "2027-05-01T12:00:00Z")


def test_tokens_outlive_the_months_that_pass_for_images(client: Client) -> None:
    token = client.cloud.env(client.url, "v3token")["OS_TOKEN"]
    client.cloud.advance(timedelta(days=365))
    assert client.delete(client.cloud.add_image(), headers={"X-Auth-Token": token}).status_code == 204
    made = ask_token(client, password(), project={"id": DEMO}).json()["token"]
    assert abs(datetime.fromisoformat(made["issued_at"]) - datetime.now(UTC)) < timedelta(hours=1)


def test_a_clock_that_nobody_stopped_goes_on(client: Client) -> None:
    client.cloud.advance(timedelta(days=-30))
    made = client.call("POST", "/image/v2/images", json={"name": "new"}).json()
    age = datetime.now(UTC) - datetime.fromisoformat(made["created_at"])
    assert timedelta(days=29) < age < timedelta(days=31)


# Nova and Cinder


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (NOVA, {}, 204),
        ("/compute/v2.1", {}, 204),
        (NOVA, {"OpenStack-API-Version": "compute 2.35"}, 204),
        (NOVA, {"OpenStack-API-Version": "compute 2.36"}, 404),
        (NOVA, {"X-OpenStack-Nova-API-Version": "latest"}, 404),
        (NOVA, {"OpenStack-API-Version": "compute 2.999"}, 406),
        (f"/compute/v2/{DEMO}", {"OpenStack-API-Version": "compute 2.999"}, 204),
        (f"/compute/v2.1/{OTHER}", {}, 400),
        (f"/compute/v2/{OTHER}", {}, 400),
    ],
)
def test_nova_deletes_where_it_still_may(client: Client, path: str, headers: dict[str, str], status: int) -> None:
    image_id = client.cloud.add_image()
    assert client.call("DELETE", f"{path}/images/{image_id}", headers=headers).status_code == status
    assert (image_id in client.cloud.dead) is (status == 204)


def test_nova_has_a_401_of_its_own(client: Client) -> None:
    answer = client.call("DELETE", f"{NOVA}/images/{MISSING}", headers={"X-Auth-Token": None})
    assert (answer.status_code, len(answer.content)) == (401, 114)


@pytest.mark.parametrize(
    ("path", "key"), [(f"{NOVA}/servers/detail", "servers"), (f"/volume/v3/{DEMO}/volumes/detail", "volumes")]
)
def test_servers_and_volumes_come_in_pages(client: Client, path: str, key: str) -> None:
    made = [client.cloud.add_server() if key == "servers" else client.cloud.add_volume() for _ in range(4)]
    first = client.call("GET", path + "?limit=1000").json()
    link = first[f"{key}_links"][0]["href"].removeprefix(client.url)
    second = client.call("GET", link).json()
    assert [len(first[key]), len(second[key])] == [3, 1]
    assert [record["id"] for record in first[key] + second[key]] == (made[::-1] if key == "servers" else made)
    assert f"{key}_links" not in second


def test_a_server_tells_its_image_unless_booted_from_a_volume(client: Client) -> None:
    image_id = client.cloud.add_image()
    client.cloud.add_server("web-1", image=image_id)
    server_id = client.cloud.add_server("db-1")
    client.cloud.add_volume(image=image_id, server=server_id)
    db, web = client.call("GET", f"{NOVA}/servers/detail").json()["servers"]
    (volume,) = client.call("GET", f"/volume/v3/{DEMO}/volumes/detail").json()["volumes"]
    assert (web["image"]["id"], db["image"]) == (image_id, "")
    assert volume["volume_image_metadata"]["image_id"] == image_id
    assert volume["attachments"][0]["server_id"] == server_id
    assert len(client.call("GET", f"{NOVA}/servers/detail?image={image_id}").json()["servers"]) == 1


# Open Telekom Cloud


@pytest.mark.parametrize(
    ("image", "code"),
    [
        ({"protected": True}, "IMG.0028"),
        ({"owner": OTHER}, "IMG.0027"),
        ({"owner": OTHER, "visibility": "public"}, "IMG.0094"),
        ({"owner": OTHER, "visibility": "shared", "members": {DEMO: "accepted"}}, "IMG.0092"),
        ({"status": "saving"}, "IMG.0090"),
    ],
)
def test_ims_refuses_by_code(otc: Client, image: dict[str, Any], code: str) -> None:
    image_id = otc.cloud.add_image(**image)
    assert code_of(otc.delete(image_id)) == (400, code)
    assert image_id in otc.cloud.images


@pytest.mark.parametrize(
    ("body", "left"), [(None, True), ({"delete_backup": False}, True), ({"delete_backup": True}, False)]
)
def test_ims_deletes_the_backup_only_when_told(otc: Client, body: object, left: bool) -> None:  # noqa: FBT001
    image_id = otc.cloud.add_image(__backup_id="backup-1")
    assert otc.delete(image_id, json=body).status_code == 204
    assert ("backup-1" in otc.cloud.backups) is left


def test_ims_writes_sizes_and_truths_as_text(otc: Client) -> None:
    shown = otc.call("GET", f"/ims/v2/images/{otc.cloud.add_image(size=5000)}").json()
    assert (shown["size"], shown["__image_size"], shown["max_ram"]) == (18, "5000", "0")
    assert (shown["__isregistered"], shown["hw_vif_multiqueue_enabled"]) == ("True", "False")
    assert (shown["protected"], "__whole_image" in shown) == (False, False)


def test_the_gateway_knows_only_what_was_published(otc: Client) -> None:
    image_id = otc.cloud.add_image()
    assert code_of(otc.call("POST", f"/ims/v2/images/{image_id}/actions/deactivate")) == (404, "APIGW.0101")
    assert code_of(otc.call("DELETE", f"/image/v2/images/{image_id}")) == (404, "APIGW.0101")
    assert code_of(otc.delete(image_id, headers={"X-Auth-Token": None})) == (401, "APIGW.0301")
    old = otc.cloud.env(otc.url, "v3token")["OS_TOKEN"]
    otc.cloud.expire_tokens()
    assert code_of(otc.delete(image_id, headers={"X-Auth-Token": old})) == (401, "APIGW.0307")


def test_ecs_deletes_and_refuses_by_code(otc: Client) -> None:
    image_id = otc.cloud.add_image()
    assert otc.call("DELETE", f"{ECS}/images/{image_id}").status_code == 204
    assert code_of(otc.call("DELETE", f"{ECS}/images/{image_id}")) == (400, "Ecs.0031")
    assert code_of(otc.call("DELETE", f"/ecs/v2/{OTHER}/images/{image_id}")) == (400, "Ecs.0023")


def test_servers_of_otc_carry_their_image_in_the_metadata(otc: Client) -> None:
    image_id, server_id = otc.cloud.add_image(), otc.cloud.add_server()
    otc.cloud.add_volume(image=image_id, server=server_id)
    (server,) = otc.call("GET", f"{ECS}/servers/detail").json()["servers"]
    assert server["metadata"]["metering.image_id"] == image_id


def test_ims_tags_natively_and_allows_ten(otc: Client) -> None:
    image_id = otc.cloud.add_image(tags=[f"tag-{number}" for number in range(9)])
    path = f"/ims/v2/images/{image_id}"
    assert otc.call("PUT", path + "/tags/reaper-delete-after%3D2026-12-01").status_code == 204
    assert otc.call("GET", path).json()["tags"][-1] == "reaper-delete-after=2026-12-01"
    assert code_of(otc.call("PUT", path + "/tags/one-more")) == (400, "IMG.0116")
    assert code_of(otc.call("PUT", path + "/tags/" + "x" * 256)) == (400, "IMG.0115")
    assert otc.call("DELETE", path + "/tags/reaper-delete-after%3D2026-12-01").status_code == 204
    assert otc.call("DELETE", path + "/tags/reaper-delete-after%3D2026-12-01").status_code == 404


def test_ims_may_take_only_plain_tags_natively(otc: Client) -> None:
    otc.cloud.plain_tags = True
    path = f"/ims/v2/images/{otc.cloud.add_image()}/tags/"
    assert code_of(otc.call("PUT", path + "a%3Db")) == (400, "IMG.0115")
    assert otc.call("PUT", path + "reaper-delete-after_2026").status_code == 204


def test_ims_tags_by_key_and_value(otc: Client) -> None:
    path = f"/ims/v2/{DEMO}/images/{otc.cloud.add_image(tags=['keep'])}/tags"
    for value in ("2026-11-01", "2026-12-01"):
        answer = otc.call("POST", path, json={"tag": {"key": "reaper-delete-after", "value": value}})
        assert answer.status_code == 204
    keep, mark = {"key": "keep", "value": ""}, {"key": "reaper-delete-after", "value": "2026-12-01"}
    assert otc.call("GET", path).json()["tags"] == [keep, mark]
    assert otc.call("DELETE", path + "/reaper-delete-after").status_code == 204
    assert otc.call("DELETE", path + "/reaper-delete-after").status_code == 404


@pytest.mark.parametrize(
    "tag", [None, {}, {"key": "", "value": "x"}, {"key": "x" * 37, "value": ""}, {"key": "x", "value": "y" * 44}]
)
def test_ims_refuses_a_tag_without_a_key_or_too_long(otc: Client, tag: object) -> None:
    answer = otc.call("POST", f"/ims/v2/{DEMO}/images/{otc.cloud.add_image()}/tags", json={"tag": tag})
    assert code_of(answer) == (400, "IMG.0115")


def test_the_catalogue_of_otc_names_auto_scaling(otc: Client) -> None:
    token = ask_token(otc, password(), project={"id": DEMO}).json()["token"]
    urls = {service["type"]: service["endpoints"][0]["url"] for service in token["catalog"]}
    assert urls["as"] == f"{otc.url}/as/autoscaling-api/v1/{DEMO}"


def test_iam_has_passwords_but_no_application_credentials(otc: Client) -> None:
    assert ask_token(otc, password(), project={"id": DEMO}).status_code == 201
    assert ask_token(otc, credential(APP_CREDENTIAL_ID, APP_CREDENTIAL_SECRET)).status_code == 400


# Faults


def test_a_fault_comes_as_often_as_asked(client: Client) -> None:
    image_id = client.cloud.add_image()
    client.cloud.fault("DELETE", status=429, headers={"Retry-After": "1"}, body={"error_code": "x"}, times=2, skip=1)
    answers = [client.delete(MISSING), client.delete(image_id), client.delete(image_id), client.delete(image_id)]
    assert [answer.status_code for answer in answers] == [404, 429, 429, 204]
    assert (answers[1].headers["Retry-After"], answers[1].json()) == ("1", {"error_code": "x"})
    assert [call.status for call in client.cloud.calls_of("DELETE")] == [404, 429, 429, 204]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"cut": True}, requests.ConnectionError),
        ({"cut": "half", "body": "x" * 100}, requests.exceptions.ChunkedEncodingError),
        ({"length": 1000, "body": "short"}, requests.exceptions.ChunkedEncodingError),
        ({"delay": 30}, requests.ReadTimeout),
    ],
)
def test_an_answer_can_be_lost_although_the_image_is_gone(
    client: Client, fault: dict[str, Any], error: type[Exception]
) -> None:
    image_id, gone = client.cloud.add_image(), threading.Event()
    client.cloud.fault("DELETE", apply=True, then=gone.set, **fault)
    token = client.cloud.env(client.url, "v3token")["OS_TOKEN"]
    with pytest.raises(error):
        client.session.delete(
            f"{client.url}/image/v2/images/{image_id}", headers={"X-Auth-Token": token}, timeout=(5, 0.1)
        )
    assert gone.wait(5)
    assert image_id in client.cloud.dead


def test_a_fault_without_apply_does_nothing_to_the_image(client: Client) -> None:
    image_id = client.cloud.add_image()
    client.cloud.fault("DELETE", r"/images/", status=503)
    assert client.delete(image_id).status_code == 503
    assert image_id in client.cloud.images


def test_an_image_can_die_just_after_it_was_looked_at(client: Client) -> None:
    image_id = client.cloud.add_image()
    client.cloud.fault("GET", image_id, status=None, then=lambda: client.cloud.kill(image_id))
    assert client.call("GET", f"/image/v2/images/{image_id}").json()["status"] == "active"
    assert client.call("GET", f"/image/v2/images/{image_id}").status_code == 404


def test_every_answer_but_keystones_can_be_slow(client: Client) -> None:
    client.cloud.delay = 30
    token = ask_token(client, password(), project={"id": DEMO}).headers["X-Subject-Token"]
    with pytest.raises(requests.ReadTimeout):
        client.session.get(f"{client.url}/image/v2/images", headers={"X-Auth-Token": token}, timeout=(5, 0.1))


# The rest


def test_the_sink_keeps_what_it_is_sent(client: Client) -> None:
    assert client.session.put(f"{client.url}/sink/stack?X-Sig=1", data=b"{}", timeout=5).status_code == 200
    assert client.cloud.sink == {"stack": [b"{}"]}


def test_a_server_that_stops_hangs_up() -> None:
    server = Server(FakeCloud()).start()
    with requests.Session() as session:
        assert session.get(server.url + "/_state", timeout=5).status_code == 200
        server.stop()
        with pytest.raises(requests.ConnectionError):
            session.get(server.url + "/_state", timeout=5)


def test_a_seed_fills_the_cloud(client: Client) -> None:
    client.cloud.now = datetime(2027, 1, 31, tzinfo=UTC)
    images: list[dict[str, Any]] = [{"name": "ci", "count": 2}, {"name": "web", "id": MISSING}]
    client.cloud.seed({"images": images, "scaling_configurations": [{"name": "as-1", "image": MISSING}]})
    state = client.session.get(client.url + "/_state", timeout=5).json()
    assert [image["name"] for image in state["images"]] == ["ci-1", "ci-2", "web"]
    assert [(known["name"], known["image"]) for known in state["scaling_configurations"]] == [("as-1", MISSING)]
    assert state["now"] == "2027-01-31T00:00:00Z"


def test_the_same_cloud_has_the_same_ids() -> None:
    assert FakeCloud().add_image() == FakeCloud().add_image()


def test_a_process_serves_the_demo_until_it_is_told_to_end() -> None:
    command = [sys.executable, "-m", "tests.fakecloud", "--seed", "demo"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root, env={**os.environ}) as process:  # noqa: S603
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        answer = requests.get(told["url"] + "/_state", timeout=5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    state = answer.json()
    assert [image["name"] for image in state["images"]][4:7] == ["golden-debian-12", "web-base", "shared-toolbox"]
    assert told["env"]["OS_AUTH_URL"] == told["url"] + "/identity/v3"
