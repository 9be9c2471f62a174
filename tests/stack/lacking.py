"""What moto's CloudFormation lacks: the types that it can't make, and the properties that it drops.

`BY_API` makes the types, and `COMPLETED` adds the properties, by the API of their service. `NOT_HELD` are the
properties that nothing of moto holds: tests read those from the template, with all its functions worked out.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.stack.resolving import ACCOUNT, REGION, Made
from tests.stack.server import client

Properties = dict[str, Any]
Maker = Callable[[str, str, Properties], Made]
"""Makes a resource by the API of its service, given the address of the server, a name and its properties."""

ARN = f"arn:aws:{{}}:{REGION}:{ACCOUNT}:{{}}"


NOT_AT_CREATION = {"ReservedConcurrentExecutions", "Tags", "Environment"}
"""What Lambda's API takes in another form, or in a call of its own."""


def _application(moto: str, _name: str, properties: Properties) -> Made:
    return Made(client("appconfig", moto).create_application(**properties)["Id"], {})


def _profile(moto: str, _name: str, properties: Properties) -> Made:
    return Made(client("appconfig", moto).create_configuration_profile(**properties)["Id"], {})


def _settings(moto: str, _name: str, properties: Properties) -> Made:
    content = properties | {"Content": properties["Content"].encode()}
    version = str(client("appconfig", moto).create_hosted_configuration_version(**content)["VersionNumber"])
    return Made(version, {"VersionNumber": version})


def _queue_policy(moto: str, _name: str, properties: Properties) -> Made:
    for url in properties["Queues"]:
        policy = {"Policy": json.dumps(properties["PolicyDocument"])}
        client("sqs", moto).set_queue_attributes(QueueUrl=url, Attributes=policy)
    return Made(properties["Queues"][0], {})


def _alarm(moto: str, name: str, properties: Properties) -> Made:
    client("cloudwatch", moto).put_metric_alarm(AlarmName=name, **properties)
    return Made(name, {"Arn": ARN.format("cloudwatch", f"alarm:{name}")})


def _dashboard(moto: str, _name: str, properties: Properties) -> Made:
    told = client("cloudwatch", moto).put_dashboard(**properties)
    assert not told.get("DashboardValidationMessages"), told
    return Made(properties["DashboardName"], {})


def _function(moto: str, name: str, properties: Properties) -> Made:
    known = {key: value for key, value in properties.items() if key not in NOT_AT_CREATION}
    known["Tags"] = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
    known["Environment"] = {"Variables": {k: str(v) for k, v in properties["Environment"]["Variables"].items()}}
    if "KmsKeyArn" in known:
        known["KMSKeyArn"] = known.pop("KmsKeyArn")
    lambdas = client("lambda", moto)
    arn = lambdas.create_function(FunctionName=name, **known)["FunctionArn"]
    if reserved := properties.get("ReservedConcurrentExecutions"):
        lambdas.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=int(reserved))
    return Made(name, {"Arn": arn})


def _version(moto: str, _name: str, properties: Properties) -> Made:
    made = client("lambda", moto).publish_version(**properties)
    return Made(f"{_without_version(made['FunctionArn'])}:{made['Version']}", {"Version": made["Version"]})


def _without_version(arn: str) -> str:
    return ":".join(arn.split(":")[:7])


def _alias(moto: str, _name: str, properties: Properties) -> Made:
    return Made(client("lambda", moto).create_alias(**properties)["AliasArn"], {})


def _invoke_config(moto: str, name: str, properties: Properties) -> Made:
    client("lambda", moto).put_function_event_invoke_config(**properties)
    return Made(name, {})


def _group(moto: str, name: str, properties: Properties) -> Made:
    known = {"Name": name} | properties
    arn = client("scheduler", moto).create_schedule_group(**known)["ScheduleGroupArn"]
    return Made(known["Name"], {"Arn": arn})


def _schedule(moto: str, name: str, properties: Properties) -> Made:
    known = {"Name": name[:64]} | properties
    arn = client("scheduler", moto).create_schedule(**known)["ScheduleArn"]
    return Made(known["Name"], {"Arn": arn})


def _subscription(moto: str, _name: str, properties: Properties) -> Made:
    attributes = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in properties.items()
        if key not in {"TopicArn", "Protocol", "Endpoint", "Region"}
    }
    made = client("sns", moto).subscribe(
        TopicArn=properties["TopicArn"],
        Protocol=properties["Protocol"],
        Endpoint=properties["Endpoint"],
        Attributes=attributes,
        ReturnSubscriptionArn=True,
    )
    return Made(made["SubscriptionArn"], {"Arn": made["SubscriptionArn"]})


def _bus(moto: str, _name: str, properties: Properties) -> Made:
    arn = client("events", moto).create_event_bus(**properties)["EventBusArn"]
    return Made(properties["Name"], {"Arn": arn, "Name": properties["Name"]})


def _bus_policy(moto: str, name: str, properties: Properties) -> Made:
    statement = properties["Statement"] | {"Sid": properties["StatementId"]}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    client("events", moto).put_permission(EventBusName=properties["EventBusName"], Policy=policy)
    return Made(name, {})


def _log_group(moto: str, name: str, properties: Properties) -> Made:
    key = {"kmsKeyId": properties["KmsKeyId"]} if "KmsKeyId" in properties else {}
    logs = client("logs", moto)
    logs.create_log_group(logGroupName=name, **key)
    logs.put_retention_policy(logGroupName=name, retentionInDays=properties["RetentionInDays"])
    return Made(name, {"Arn": ARN.format("logs", f"log-group:{name}:*")})


def _role(moto: str, name: str, properties: Properties) -> Made:
    boundary = {key: value for key, value in properties.items() if key == "PermissionsBoundary"}
    iam, trust = client("iam", moto), json.dumps(properties["AssumeRolePolicyDocument"])
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, **boundary)["Role"]["Arn"]
    for policy in properties.get("Policies", []):
        # SAM leaves out the version, which AWS lets pass and moto does not.
        document = json.dumps({"Version": "2012-10-17"} | policy["PolicyDocument"])
        iam.put_role_policy(RoleName=name, PolicyName=policy["PolicyName"], PolicyDocument=document)
    assert properties.keys() <= {"AssumeRolePolicyDocument", "PermissionsBoundary", "Policies"}, properties
    return Made(name, {"Arn": arn})


def _bucket(moto: str, name: str, properties: Properties) -> Made:
    s3, where = client("s3", moto), {"Bucket": name.lower()}
    s3.create_bucket(**where, CreateBucketConfiguration={"LocationConstraint": REGION})
    given = dict(properties)
    s3.put_public_access_block(**where, PublicAccessBlockConfiguration=given.pop("PublicAccessBlockConfiguration"))
    s3.put_bucket_ownership_controls(**where, OwnershipControls=given.pop("OwnershipControls"))
    s3.put_bucket_versioning(**where, VersioningConfiguration=given.pop("VersioningConfiguration"))
    encryption = [
        {name.replace("ServerSide", "ApplyServerSide"): each for name, each in rule.items()}
        for rule in given.pop("BucketEncryption")["ServerSideEncryptionConfiguration"]
    ]
    s3.put_bucket_encryption(**where, ServerSideEncryptionConfiguration={"Rules": encryption})
    rules = [_lifecycle_rule(dict(rule)) for rule in given.pop("LifecycleConfiguration")["Rules"]]
    s3.put_bucket_lifecycle_configuration(**where, LifecycleConfiguration={"Rules": rules})
    assert not given, given
    return Made(where["Bucket"], {"Arn": f"arn:aws:s3:::{where['Bucket']}"})


def _lifecycle_rule(given: Properties) -> Properties:
    """A rule as S3's API takes it, which knows the same fields by other names."""
    names = {"ExpirationInDays": "Days", "ExpiredObjectDeleteMarker": "ExpiredObjectDeleteMarker"}
    expiration = {name: given.pop(field) for field, name in names.items() if field in given}
    return {"ID": given.pop("Id"), "Filter": {"Prefix": ""}, "Expiration": expiration, **given}


def _bucket_policy(_moto: str, name: str, _properties: Properties) -> Made:
    # moto heeds a policy, but not its conditions: nothing could be stored any more.
    return Made(name, {})


def _topic(moto: str, name: str, properties: Properties) -> Made:
    return Made(client("sns", moto).create_topic(Name=name, Attributes=properties)["TopicArn"], {})


def _topic_policy(moto: str, name: str, properties: Properties) -> Made:
    for topic in properties["Topics"]:
        policy = {"AttributeName": "Policy", "AttributeValue": json.dumps(properties["PolicyDocument"])}
        client("sns", moto).set_topic_attributes(TopicArn=topic, **policy)
    return Made(name, {})


BY_API: Mapping[str, Maker] = {
    "AWS::AppConfig::Application": _application,
    "AWS::AppConfig::ConfigurationProfile": _profile,
    "AWS::AppConfig::HostedConfigurationVersion": _settings,
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::Dashboard": _dashboard,
    # moto's CloudFormation gives it no name to refer to.
    "AWS::Events::EventBus": _bus,
    "AWS::Events::EventBusPolicy": _bus_policy,
    # moto's CloudFormation keeps its policies in a form that is no JSON.
    "AWS::IAM::Role": _role,
    "AWS::Lambda::Alias": _alias,
    "AWS::Lambda::EventInvokeConfig": _invoke_config,
    # moto's CloudFormation drops its architecture, its key, its layers and its tracing, and the version's description.
    "AWS::Lambda::Function": _function,
    "AWS::Lambda::Version": _version,
    # moto's CloudFormation drops its key, and no call of moto adds one.
    "AWS::Logs::LogGroup": _log_group,
    # moto's CloudFormation drops all of it but its encryption.
    "AWS::S3::Bucket": _bucket,
    "AWS::S3::BucketPolicy": _bucket_policy,
    "AWS::SNS::Subscription": _subscription,
    # moto's CloudFormation drops its key.
    "AWS::SNS::Topic": _topic,
    "AWS::SNS::TopicPolicy": _topic_policy,
    "AWS::SQS::QueuePolicy": _queue_policy,
    "AWS::Scheduler::Schedule": _schedule,
    "AWS::Scheduler::ScheduleGroup": _group,
}


def _complete_table(moto: str, name: str, properties: Properties) -> None:
    dynamodb = client("dynamodb", moto)
    dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=properties["TimeToLiveSpecification"])
    backups = properties["PointInTimeRecoverySpecification"]
    dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=backups)


COMPLETED: Mapping[str, Callable[[str, str, Properties], None]] = {
    "AWS::DynamoDB::Table": _complete_table,
}
"""Given the address of the server, what Ref gives, and the properties."""
NOT_HELD: Mapping[str, tuple[str, ...]] = {
    "AWS::DynamoDB::Table": ("SSESpecification",),
    # moto answers with the version behind an alias.
    "AWS::Lambda::EventSourceMapping": ("FunctionName",),
    "AWS::Lambda::Function": ("LoggingConfig", "SnapStart"),
    "AWS::S3::BucketPolicy": ("PolicyDocument",),
    "AWS::SQS::Queue": ("RedriveAllowPolicy",),
}
"""The only properties that a test may read from the template."""
