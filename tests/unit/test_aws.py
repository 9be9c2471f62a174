"""What we say to AWS: signed plain HTTP, against moto's server and against a server that keeps what it was sent."""

import json
import socket
from typing import Any
from urllib.parse import parse_qsl

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from handler.compose import secret
from handler.engine.aws import calls as aws
from handler.engine.aws.access import AwsAccess
from handler.errors import AnswerNotDelivered, AwsFault, InvalidSettings
from tests.aws import KEYS, REGION, Client
from tests.conftest import Invocation, Invoke, load_event, queue
from tests.fakecloud import FakeCloud, Server
from tests.fakecloud.records import Call
from tests.faults import closed_port
from tests.unit.conftest import SECRET_NAME, Reap, Store

TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE"
CONDITION = "ConditionalCheckFailedException"
WRONG_PASSWORD = {"OS_PASSWORD": "wr0ng-passw0rd"}


def password_of(cloud: FakeCloud) -> dict[str, str]:
    return {"OS_PASSWORD": cloud.users["reaper"].password}


def tokens_asked_for(cloud: FakeCloud) -> int:
    return sum(call.path.endswith("/auth/tokens") for call in cloud.calls_of("POST"))


# The secret


def test_the_credentials_come_from_the_secret(cloud: FakeCloud, store: Store, reap: Reap) -> None:
    store(password_of(cloud))
    assert reap().answer["counts"] == {"deleted": 1}


def test_a_secret_may_be_named_by_its_arn_in_another_region(cloud: FakeCloud, store: Store, reap: Reap) -> None:
    arn = store(password_of(cloud))
    run = reap(REAPER_CREDENTIALS_SECRET=arn, AWS_REGION="us-east-1")
    assert run.answer["counts"] == {"deleted": 1}


def test_what_stands_in_the_secret_wins_over_the_environment(cloud: FakeCloud, store: Store, reap: Reap) -> None:
    store(password_of(cloud))
    assert reap(**WRONG_PASSWORD).answer["counts"] == {"deleted": 1}


def test_the_secret_is_read_once_in_the_life_of_an_environment(
    cloud: FakeCloud, store: Store, reap: Reap, vault: Client
) -> None:
    store(password_of(cloud))
    reap()
    vault.delete_secret(SecretId=SECRET_NAME, ForceDeleteWithoutRecovery=True)
    assert reap().answer["counts"] == {"deleted": 1}


def test_a_secret_that_was_rotated_is_read_again_in_the_middle_of_a_run(
    cloud: FakeCloud, store: Store, reap: Reap
) -> None:
    store(password_of(cloud))
    reap()
    store({"OS_PASSWORD": "new-passw0rd"})
    cloud.users["reaper"].password = "new-passw0rd"
    cloud.revoke_tokens()
    assert [reap().answer["counts"] for _ in range(2)] == [{"deleted": 1}] * 2


def test_credentials_of_another_project_are_not_taken_in_the_middle_of_a_run(
    cloud: FakeCloud, store: Store, reap: Reap
) -> None:
    """What its token can't see would count as gone."""
    store(password_of(cloud))
    reap()
    store({"OS_USERNAME": "neighbour", "OS_PASSWORD": cloud.users["neighbour"].password, "OS_PROJECT_NAME": "other"})
    cloud.users["reaper"].password = "new-passw0rd"
    cloud.revoke_tokens()
    assert reap(REAPER_IN_USE_CHECK="off").outcomes.popitem()[1] == ("failed", "denied")


def test_a_rotation_between_two_runs_costs_no_image(cloud: FakeCloud, store: Store, reap: Reap) -> None:
    store(WRONG_PASSWORD)
    reap()
    store(password_of(cloud))
    assert reap().answer["counts"] == {"deleted": 1}


def test_credentials_that_stay_wrong_are_tried_once_for_each_run(cloud: FakeCloud, store: Store, reap: Reap) -> None:
    store(WRONG_PASSWORD)
    for runs in (1, 2, 3):
        assert reap().outcomes.popitem()[1] == ("failed", "denied")
        assert tokens_asked_for(cloud) == runs


def test_new_credentials_that_are_wrong_as_well_are_the_end(cloud: FakeCloud, store: Store, reap: Reap) -> None:
    store(password_of(cloud))
    reap()
    store({"OS_PASSWORD": "as wrong"})
    cloud.rotate_password("new-passw0rd")
    assert reap().outcomes.popitem()[1] == ("failed", "denied")
    assert tokens_asked_for(cloud) == 3


def test_a_secret_that_is_spoilt_when_it_is_read_again_ends_the_run(cloud: FakeCloud, store: Store, reap: Reap) -> None:
    store(password_of(cloud))
    reap()
    store("s3cret-passw0rd")
    cloud.rotate_password("new-passw0rd")
    (outcome,) = reap().answer["outcomes"]
    assert (outcome["outcome"], outcome["reason"]) == ("failed", "denied")
    assert "there are no others" in outcome["detail"]
    assert "s3cret-passw0rd" not in outcome["detail"]
    assert len(cloud.dead) == 1


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ("s3cret-passw0rd", "is not a JSON object"),
        ('["s3cret-passw0rd"]', "is not a JSON object"),
        ("[" * 100_000, "is not a JSON object"),
        ({"password": "s3cret-passw0rd"}, "must hold OS_[*] or HUAWEICLOUD_SDK_[*] variables.* and not password"),
        ({"OS_PASSWORD": ["s3cret-passw0rd"]}, "all of them strings, and not OS_PASSWORD"),
        ({"OS_USERNAME": "reaper"}, "needs OS_PASSWORD"),
        ({"OS_AUTH_TYPE": "s3cret-passw0rd"}, "OS_AUTH_TYPE: "),
    ],
    ids=["text", "list", "deep", "name", "type", "incomplete", "unusable"],
)
def test_a_secret_that_holds_no_credentials_refuses_to_start(
    secret: object, words: str, cloud: FakeCloud, store: Store, reap: Reap
) -> None:
    store(secret)
    run = reap()
    assert isinstance(run.error, InvalidSettings)
    with pytest.raises(InvalidSettings, match=words):
        raise run.error
    assert "s3cret" not in str(run.error) + run.printed
    assert not cloud.calls


def test_a_secret_that_is_not_there_refuses_to_start(cloud: FakeCloud, reap: Reap) -> None:
    run = reap()
    assert isinstance(run.error, InvalidSettings)
    assert str(run.error).startswith("REAPER_CREDENTIALS_SECRET: secretsmanager answered HTTP 4")
    assert "ResourceNotFoundException" in str(run.error)
    assert not cloud.calls


def test_without_keys_for_aws_nothing_starts(cloud: FakeCloud, reap: Reap) -> None:
    assert "there are no AWS credentials" in str(reap(AWS_ACCESS_KEY_ID="").error)
    assert not cloud.calls


@pytest.mark.parametrize("shape", ["{}", '{{"message": "{} is not valid"}}', "<Token-0>{}</Token-0>"])
@pytest.mark.parametrize("slash", ["/", "\\/"])
def test_a_session_token_that_aws_repeats_is_not_shown(
    cloud: FakeCloud, invoke: Invoke, server: Server, shape: str, slash: str
) -> None:
    image, token = cloud.add_image(), f"{TOKEN}/+a=="
    settings = {**KEYS, "AWS_REGION": REGION, "AWS_ENDPOINT_URL": server.url, "AWS_SESSION_TOKEN": token}
    cloud.fault("POST", "^/$", status=400, body=shape.format(token.replace("/", slash)), times=None)
    counted = invoke({"image_ids": [image]}, REAPER_BUDGET="5/1d", REAPER_STATE_TABLE="table", **settings)
    refused = invoke({"image_ids": [image]}, REAPER_CREDENTIALS_SECRET=SECRET_NAME, **settings)
    assert "dynamodb answered HTTP 400" in counted.printed
    assert "secretsmanager answered HTTP 400" in str(refused.error)
    assert TOKEN not in counted.printed + refused.printed + str(refused.error)


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\u20ac"], ids=ascii)
@pytest.mark.parametrize("name", ["AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID"])
def test_a_key_that_no_header_may_hold_is_not_shown(
    cloud: FakeCloud, invoke: Invoke, server: Server, name: str, end: str
) -> None:
    image, key = cloud.add_image(), f"{TOKEN}{end}"
    settings = {**KEYS, "AWS_REGION": REGION, "AWS_ENDPOINT_URL": server.url, name: key}
    counted = invoke({"image_ids": [image]}, REAPER_BUDGET="5/1d", REAPER_STATE_TABLE="table", **settings)
    assert counted.outcomes == {image: ("failed", "budget")}
    refused = invoke({"image_ids": [image]}, REAPER_CREDENTIALS_SECRET=SECRET_NAME, **settings)
    assert isinstance(refused.error, InvalidSettings)
    assert TOKEN not in counted.printed + refused.printed + str(refused.error)
    assert image in cloud.images


def test_an_aws_that_cannot_be_reached_refuses_to_start(cloud: FakeCloud, reap: Reap) -> None:
    with closed_port() as port:
        run = reap(AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}")
    assert "secretsmanager can't be reached: connection refused" in str(run.error)
    assert not cloud.calls


def test_a_fault_of_aws_is_tried_again(cloud: FakeCloud, server: Server, reap: Reap) -> None:
    answer = {"SecretString": json.dumps(password_of(cloud))}
    cloud.fault("POST", "/sink/vault", status=503)
    cloud.fault("POST", "/sink/vault", status=200, body=answer)
    run = reap(AWS_ENDPOINT_URL_SECRETS_MANAGER=f"{server.url}/sink/vault")
    assert run.answer["counts"] == {"deleted": 1}


def test_a_secret_is_read_again_when_aws_asks_for_fewer_requests(cloud: FakeCloud, server: Server, reap: Reap) -> None:
    cloud.fault("POST", "/sink/vault", status=400, body={"__type": "ThrottlingException"}, times=2)
    cloud.fault("POST", "/sink/vault", status=200, body={"SecretString": json.dumps(password_of(cloud))})
    run = reap(AWS_ENDPOINT_URL_SECRETS_MANAGER=f"{server.url}/sink/vault")
    assert run.answer["counts"] == {"deleted": 1}


@pytest.mark.parametrize("body", ['"s3cret"', '["s3cret"]', "s3cret", '{"SecretString": {"OS_PASSWORD": "s3cret"}}'])
def test_an_answer_that_holds_no_secret_is_not_shown(body: str, cloud: FakeCloud, server: Server, reap: Reap) -> None:
    cloud.fault("POST", "/sink/vault", status=200, body=body)
    run = reap(AWS_ENDPOINT_URL_SECRETS_MANAGER=f"{server.url}/sink/vault")
    assert isinstance(run.error, InvalidSettings)
    assert "JSON object" in str(run.error)
    assert "s3cret" not in str(run.error) + run.printed


# A call


def call_to(url: str) -> dict[str, Any]:
    return aws.call("dynamodb", AwsAccess(REGION, "x", "x", endpoints=(("", url),)), "X.Y", {"a": "\xe4"}, "1.0")


def test_a_call_gives_the_object_that_aws_answers(cloud: FakeCloud, server: Server) -> None:
    cloud.fault("POST", "/sink/", status=200, body={"__type": "ThrottlingException"})
    assert call_to(f"{server.url}/sink/a") == {"__type": "ThrottlingException"}
    assert json.loads(cloud.calls[0].body) == {"a": "\xe4"}
    assert len(cloud.calls) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}, CONDITION),
        ({"__type": "ConditionalCheckFailedException", "message": "no"}, CONDITION),
        ({"__type": "com.amazonaws.sqs#QueueDoesNotExist"}, "QueueDoesNotExist"),
        ({"__type": 7}, ""),
        ({"message": "ConditionalCheckFailedException"}, ""),
        ([{"__type": "ConditionalCheckFailedException"}], ""),
        ("ConditionalCheckFailedException", ""),
        ("", ""),
    ],
    ids=str,
)
def test_a_fault_has_the_name_that_aws_gave_it(body: Any, code: str, cloud: FakeCloud, server: Server) -> None:  # noqa: ANN401
    cloud.fault("POST", "/sink/", status=400, body=body if isinstance(body, str) else json.dumps(body))
    with pytest.raises(AwsFault, match="dynamodb answered HTTP 400") as caught:
        call_to(f"{server.url}/sink/a")
    assert caught.value.code == code


def test_a_fault_without_an_answer_has_no_name() -> None:
    with closed_port() as port, pytest.raises(AwsFault, match="dynamodb can't be reached") as caught:
        call_to(f"http://127.0.0.1:{port}")
    assert caught.value.code == ""


def test_a_service_that_goes_on_asking_for_fewer_requests_is_asked_three_times(
    cloud: FakeCloud, server: Server
) -> None:
    cloud.fault("POST", "/sink/", status=400, body={"__type": "x#ThrottlingException"}, times=None)
    with pytest.raises(AwsFault) as caught:
        call_to(f"{server.url}/sink/a")
    assert caught.value.code == "ThrottlingException"
    assert len(cloud.calls) == 3


# Signatures


def signature_by_botocore(call: Call, url: str, service: str, token: str | None = None) -> str:
    """The Authorization that AWS's own library gives the same request."""
    headers = {name.lower(): value for name, value in call.headers.items()}
    signed = headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    request = AWSRequest("POST", url + call.path, {name: headers[name] for name in signed}, call.body)
    request.context["timestamp"] = headers["x-amz-date"]
    keys = Credentials(KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"], token)
    auth = SigV4Auth(keys, service, REGION)
    canonical = auth.canonical_request(request)
    return str(auth.signature(auth.string_to_sign(request, canonical), request))


@pytest.mark.parametrize("token", ["", TOKEN])
def test_the_signature_is_that_of_aws_s_own_library(token: str, cloud: FakeCloud, server: Server, reap: Reap) -> None:
    cloud.fault("POST", "/sink/vault", status=200, body={"SecretString": json.dumps(password_of(cloud))})
    reap(AWS_ENDPOINT_URL=f"{server.url}/sink/vault", AWS_SESSION_TOKEN=token)
    call = next(call for call in cloud.calls_of("POST") if call.path == "/sink/vault")
    headers = {name.lower(): value for name, value in call.headers.items()}
    assert headers["x-amz-target"] == "secretsmanager.GetSecretValue"
    assert json.loads(call.body) == {"SecretId": SECRET_NAME}
    assert headers.get("x-amz-security-token", "") == token
    signature = signature_by_botocore(call, server.url, "secretsmanager", token or None)
    assert headers["authorization"].endswith(f"Signature={signature}")


def test_with_snapstart_the_keys_come_from_the_runtime(cloud: FakeCloud, server: Server, reap: Reap) -> None:
    keys = {"AccessKeyId": KEYS["AWS_ACCESS_KEY_ID"], "SecretAccessKey": KEYS["AWS_SECRET_ACCESS_KEY"], "Token": TOKEN}
    cloud.fault("GET", "/keys", status=200, body=keys)
    cloud.fault("POST", "/sink/vault", status=200, body={"SecretString": json.dumps(password_of(cloud))})
    runtime = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.url}/keys", "AWS_ACCESS_KEY_ID": ""}
    run = reap(AWS_CONTAINER_AUTHORIZATION_TOKEN="t0ken", AWS_ENDPOINT_URL=f"{server.url}/sink/vault", **runtime)
    assert run.answer["counts"] == {"deleted": 1}
    asked, signed = cloud.calls[0].headers, {k.lower(): v for k, v in cloud.calls[1].headers.items()}
    assert asked["Authorization"] == "t0ken"
    assert signed["x-amz-security-token"] == TOKEN


def test_no_proxy_sees_the_token_for_the_keys(
    cloud: FakeCloud, server: Server, reap: Reap, clean_environment: pytest.MonkeyPatch
) -> None:
    keys = {"AccessKeyId": KEYS["AWS_ACCESS_KEY_ID"], "SecretAccessKey": KEYS["AWS_SECRET_ACCESS_KEY"], "Token": TOKEN}
    cloud.fault("GET", "/keys", status=200, body=keys)
    real = socket.getaddrinfo
    clean_environment.setattr(socket, "getaddrinfo", lambda _, *rest: real("127.0.0.1", *rest))
    clean_environment.setenv("http_proxy", "http://127.0.0.1:9")
    # The keys come over a link of the machine, at an address that is not its own.
    at = server.url.replace("127.0.0.1", "runtime.invalid")
    run = reap(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{at}/keys", REAPER_ALLOW_PLAINTEXT="on")
    assert "secretsmanager answered" in str(run.error)
    assert [call.path for call in cloud.calls] == ["/keys"]


def test_no_proxy_is_asked_for_a_service_of_this_machine(
    cloud: FakeCloud, store: Store, reap: Reap, clean_environment: pytest.MonkeyPatch
) -> None:
    store(password_of(cloud))
    for variable in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        clean_environment.setenv(variable, "http://proxy.invalid:3128")
    assert reap().answer["counts"] == {"deleted": 1}


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"AccessKeyId": "x"}'])
def test_a_runtime_that_gives_no_keys_refuses_to_start(body: str, cloud: FakeCloud, server: Server, reap: Reap) -> None:
    cloud.fault("GET", "/keys", status=200, body=body)
    run = reap(AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{server.url}/keys")
    assert isinstance(run.error, InvalidSettings)
    assert "the runtime gave no AWS credentials" in str(run.error)


def test_what_was_made_before_a_snapshot_is_forgotten_after_it(cloud: FakeCloud, store: Store, reap: Reap) -> None:
    store(password_of(cloud))
    reap()
    before = tokens_asked_for(cloud)
    for hook, arguments, options in snapshot_restore_py_hooks():
        hook(*arguments, **options)
    assert secret._secret.cache_info().currsize == 0
    reap()
    assert tokens_asked_for(cloud) == before + 1


def snapshot_restore_py_hooks() -> Any:  # noqa: ANN401 (the package has no types)
    import snapshot_restore_py  # noqa: PLC0415

    hooks = snapshot_restore_py.get_after_restore()
    assert hooks
    return hooks


# Auto Scaling


@pytest.fixture
def terminate(invoke: Invoke, cloud: FakeCloud, server: Server) -> Reap:
    """Let Auto Scaling wait for the image of an instance to be deleted."""

    def terminate_once(image: str | None = None, **settings: str) -> Invocation:
        event = load_event("lifecycle")
        event["detail"]["NotificationMetadata"] = json.dumps({"image_ids": [image or cloud.add_image()]})
        address = {"AWS_ENDPOINT_URL_AUTO_SCALING": f"{server.url}/sink/autoscaling"}
        return invoke(event, **{"REAPER_COMPLETE_LIFECYCLE_ACTION": "on"} | KEYS | address | settings)

    return terminate_once


def forms(cloud: FakeCloud) -> list[dict[str, str]]:
    return [dict(parse_qsl(body.decode())) for body in cloud.sink.get("autoscaling", [])]


def test_a_lifecycle_action_is_completed_once_its_images_are_gone(
    cloud: FakeCloud, server: Server, terminate: Reap
) -> None:
    assert terminate().answer["counts"] == {"deleted": 1}
    detail = load_event("lifecycle")["detail"]
    assert forms(cloud) == [
        {
            "Action": "CompleteLifecycleAction",
            "Version": "2011-01-01",
            "AutoScalingGroupName": detail["AutoScalingGroupName"],
            "LifecycleHookName": detail["LifecycleHookName"],
            "LifecycleActionToken": detail["LifecycleActionToken"],
            "LifecycleActionResult": "CONTINUE",
        }
    ]
    call = next(call for call in cloud.calls_of("POST") if call.path == "/sink/autoscaling")
    signature = signature_by_botocore(call, server.url, "autoscaling")
    assert {k.lower(): v for k, v in call.headers.items()}["authorization"].endswith(signature)


def test_a_refused_image_does_not_hold_an_instance_up(cloud: FakeCloud, terminate: Reap) -> None:
    assert terminate(cloud.add_image(protected=True)).answer["counts"] == {"refused": 1}
    assert len(forms(cloud)) == 1


def test_a_rehearsal_does_not_hold_an_instance_up(cloud: FakeCloud, terminate: Reap) -> None:
    assert terminate(REAPER_MODE="dry-run").answer["counts"] == {"would_delete": 1}
    assert len(forms(cloud)) == 1


def test_an_event_that_only_looks_like_auto_scaling_s_completes_no_action(
    cloud: FakeCloud, server: Server, invoke: Invoke
) -> None:
    event = load_event("lifecycle") | {"source": "custom.ci"}
    event["detail"]["NotificationMetadata"] = json.dumps({"image_ids": [cloud.add_image()]})
    address = {"AWS_ENDPOINT_URL_AUTO_SCALING": f"{server.url}/sink/autoscaling"}
    run = invoke(event, REAPER_COMPLETE_LIFECYCLE_ACTION="on", **KEYS, **address)
    assert (run.answer["counts"], forms(cloud)) == ({"deleted": 1}, [])


def test_an_action_whose_image_failed_is_left_open(cloud: FakeCloud, terminate: Reap) -> None:
    cloud.fault("DELETE", status=403)
    assert terminate().error is not None
    assert not forms(cloud)


def test_without_the_setting_no_action_is_completed(cloud: FakeCloud, terminate: Reap) -> None:
    assert terminate(REAPER_COMPLETE_LIFECYCLE_ACTION="").error is None
    assert not forms(cloud)


def test_an_action_that_is_over_is_no_failure(cloud: FakeCloud, terminate: Reap) -> None:
    words = "No active Lifecycle Action found with token x"
    cloud.fault("POST", "/sink/", status=400, body={"Error": {"Code": "ValidationError", "Message": words}})
    run = terminate()
    assert run.error is None
    assert len(run.logged("lifecycle.over")) == 1


@pytest.mark.parametrize("status", [302, 400, 403])
def test_an_action_that_could_not_be_completed_is_an_error(status: int, cloud: FakeCloud, terminate: Reap) -> None:
    cloud.fault("POST", "/sink/", status=status, body={"Error": {"Code": "AccessDenied", "Message": "no"}})
    run = terminate()
    assert isinstance(run.error, AnswerNotDelivered)
    assert f"HTTP {status}" in str(run.error)


def test_an_auto_scaling_that_cannot_be_reached_is_an_error(terminate: Reap) -> None:
    with closed_port() as port:
        run = terminate(AWS_ENDPOINT_URL_AUTO_SCALING=f"http://127.0.0.1:{port}")
    assert isinstance(run.error, AnswerNotDelivered)


def test_a_queue_completes_no_action(cloud: FakeCloud, invoke: Invoke, server: Server) -> None:
    event = load_event("lifecycle")
    event["detail"]["NotificationMetadata"] = json.dumps({"image_ids": [cloud.add_image()]})
    settings = {"AWS_ENDPOINT_URL": f"{server.url}/sink/autoscaling", "REAPER_COMPLETE_LIFECYCLE_ACTION": "on"}
    assert invoke(queue(event), **KEYS | settings).returned == []
    assert not forms(cloud)
