"""What people read: the bucket of the reports keeps them for the right ones only, and notices never come back."""

from typing import Any

import pytest

from tests.stack.making import Stack
from tests.stack.resolving import ACCOUNT
from tests.stack.rights import Call, allows, denies, statements_of
from tests.stack.variants import KEY

OURS = ("QueueFunction", "ScheduledFunction", "LifecycleFunction")


def bucket(stack: Stack, what: str) -> dict[str, Any]:
    """What the bucket of a stack says of itself."""
    found: dict[str, Any] = getattr(stack.client("s3"), f"get_{what}")(Bucket=stack.outputs["ReportBucketName"])
    return found


def topic(stack: Stack) -> dict[str, Any]:
    where = {"TopicArn": stack.outputs["NoticeTopicArn"]}
    found: dict[str, Any] = stack.client("sns").get_topic_attributes(**where)["Attributes"]
    return found


# The bucket


def test_nobody_outside_sees_into_the_bucket(stack: Stack) -> None:
    assert set(bucket(stack, "public_access_block")["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket(stack, "bucket_ownership_controls")["OwnershipControls"]["Rules"] == [
        {"ObjectOwnership": "BucketOwnerEnforced"}
    ]


def test_what_is_in_the_bucket_is_encrypted_with_the_key_that_was_given(stack: Stack) -> None:
    (rule,) = bucket(stack, "bucket_encryption")["ServerSideEncryptionConfiguration"]["Rules"]
    own = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY} if "KmsKeyArn" in stack.parameters else None
    assert rule["ApplyServerSideEncryptionByDefault"] == (own or {"SSEAlgorithm": "AES256"})
    assert rule.get("BucketKeyEnabled", False) is bool(own)


def test_what_is_written_over_can_be_had_back_and_nothing_is_kept_for_ever(stack: Stack) -> None:
    assert bucket(stack, "bucket_versioning")["Status"] == "Enabled"
    keeping, tidying = bucket(stack, "bucket_lifecycle_configuration")["Rules"]
    assert (keeping["Status"], tidying["Status"]) == ("Enabled", "Enabled")
    assert (keeping["Expiration"]["Days"], tidying["Expiration"]["ExpiredObjectDeleteMarker"]) == (400, True)
    assert keeping["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert keeping["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}


@pytest.mark.parametrize("action", ["s3:GetObject", "s3:PutObject", "s3:ListBucket"])
def test_nobody_gets_at_the_bucket_without_tls_and_its_policy_lets_nobody_in(stack: Stack, action: str) -> None:
    statements = statements_of(stack.resolved("ReportBucketPolicy", "PolicyDocument"))
    arn = stack.attribute("ReportBucket")
    for resource in (arn, f"{arn}/runs/2026-01-31/p/r/page.html"):
        assert denies(statements, Call(action, resource, {"aws:SecureTransport": "false"}, ACCOUNT))
        over_tls = Call(action, resource, {"aws:SecureTransport": "true"}, ACCOUNT)
        assert (denies(statements, over_tls), allows(statements, over_tls)) == (False, False)


# The topic


def test_notices_are_encrypted_with_the_key_that_was_given(stack: Stack) -> None:
    assert topic(stack)["KmsMasterKeyId"] == stack.parameters.get("KmsKeyArn", "alias/aws/sns")


def test_nobody_publishes_without_tls_and_the_policy_lets_nobody_in(stack: Stack) -> None:
    statements, arn = statements_of(topic(stack)["Policy"]), stack.outputs["NoticeTopicArn"]
    assert denies(statements, Call("sns:Publish", arn, {"aws:SecureTransport": "false"}, ACCOUNT))
    over_tls = Call("sns:Publish", arn, {"aws:SecureTransport": "true"}, ACCOUNT)
    assert (denies(statements, over_tls), allows(statements, over_tls)) == (False, False)


def test_people_subscribe_to_the_topic_but_nothing_that_would_take_a_notice_for_a_request(stack: Stack) -> None:
    statements, arn = statements_of(topic(stack)["Policy"]), stack.outputs["NoticeTopicArn"]

    def is_denied(endpoint: str) -> bool:
        return denies(statements, Call("sns:Subscribe", arn, {"sns:Endpoint": endpoint}, ACCOUNT))

    functions = [stack.outputs[f"{name}Arn"] for name in OURS] + [stack.attribute(name) for name in OURS]
    assert [endpoint for endpoint in [*functions, stack.attribute("Queue")] if not is_denied(endpoint)] == []
    others = (
        "you@example.com",
        "https://chat.example.com/hook",
        f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:chat",
    )
    assert [endpoint for endpoint in others if is_denied(endpoint)] == []


def test_what_was_there_before_is_taken_as_it_is(many: Stack) -> None:
    made = [each for kind in ("S3::Bucket", "S3::BucketPolicy", "SNS::Topic") for each in many.of_type(f"AWS::{kind}")]
    assert made == []
    assert "Policy" in topic(many)
    assert "NeverBackToUs" not in topic(many)["Policy"]
