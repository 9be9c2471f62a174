"""The parameters of the two stacks: all defaults, and everything switched on."""

from tests.stack.resolving import ACCOUNT, REGION

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
SECRET_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/abcd1234-12ab-34cd-56ef-1234567890ab"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:requests"
ALARM_TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
LAYER = f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:authorities:1"
ORGANIZATION = "o-a1b2c3d4e5"
SENDER = f"arn:aws:sns:{REGION}:{ACCOUNT}:senders"
PROJECT = "9c53a566cb3443ab910cf0daebca90c4"
GROUP = "web"
OWN_BUCKET = "reports-of-ours"
OWN_TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:notices-of-ours"
SECRET_FOR_EACH = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:image-reaper/{{project_id}}"

Parameters = dict[str, object]

DEFAULTS: Parameters = {}
"""Nothing but the one parameter that has no default, CredentialsSecretArn, which each of these stacks gets."""
FULL: Parameters = {
    "CredentialsKeyArn": SECRET_KEY,
    "ProjectPin": PROJECT,
    "Mode": "delete",
    "ImageApi": "glance",
    "MaxImages": 50,
    "Budget": "200/1d",
    "PlanLife": "2d",
    "MinAge": "1d",
    "KeepTag": "golden",
    "RequireTag": "ci",
    "AllowNames": "ci-*",
    "AllowShared": "true",
    "InUseAlso": "snapshots,volumes",
    "MoreSettings": '{"OS_REGION_NAME":"eu-de","REAPER_CONCURRENCY":"4"}',
    "SubnetIds": "subnet-0a1b2c3d,subnet-4e5f6a7b",
    "SecurityGroupIds": "sg-0a1b2c3d",
    "HttpsProxy": "http://proxy.example.com:3128",
    "NoProxy": "169.254.169.254,.example.com",
    "Layers": LAYER,
    "PermissionsBoundaryArn": BOUNDARY,
    "QueueReservedConcurrency": "5",
    "ScheduledReservedConcurrency": "1",
    "LifecycleReservedConcurrency": "3",
    "MaximumConcurrency": 5,
    "FanOut": "on",
    "SenderArn": SENDER,
    "SenderOrgId": ORGANIZATION,
    "TopicArn": TOPIC,
    "ScheduleState": "ENABLED",
    "ScheduleExpression": "cron(0 4 * * ? *)",
    "ScheduleTimezone": "Europe/Berlin",
    "ScheduledRequest": '{"sweep":{"select":{"name":"ci-*"},"limit":2}}',
    "LifecycleRequest": '{"sweep":{"select":{"family":"{family}"},"keep":{"newest":2}}}',
    "EventBusName": "default",
    "EventSource": "ci.example.com",
    "AutoScalingGroupName": GROUP,
    "AlarmTopicArn": ALARM_TOPIC,
    "FailedThreshold": 5,
    "RefusalsThreshold": 20,
    "QueueAgeThreshold": 7200,
    "HeartbeatHours": 48,
    "DashboardState": "ENABLED",
    "ServiceName": "images",
    "SnapStart": "PublishedVersions",
    "MemorySize": 1024,
    "Tracing": "Active",
    "LogLevel": "DEBUG",
    "LogRetentionDays": 365,
    "KmsKeyArn": KEY,
}
ARMED: Parameters = {
    "Mode": "delete",
    "ProjectPin": PROJECT,
    "ScheduleState": "ENABLED",
    "ScheduledRequest": '{"sweep":{"select":{"name":"ci-*"},"limit":2,"limit_percent":100}}',
}
"""The defaults, but for what it takes to delete images every night."""
FIFO: Parameters = {"FifoQueue": "true"}
"""What a full stack can't have, since FanOut needs a standard queue."""
OWN: Parameters = {
    "Mode": "delete",
    "CredentialsSecretArn": SECRET_FOR_EACH,
    "CredentialsKeyArn": SECRET_KEY,
    "ProjectPin": "{project_id}",
    "ReportBucketName": OWN_BUCKET,
    "NoticeTopicArn": OWN_TOPIC,
    "ReportKeyArn": KEY,
    "FanOut": "on",
}
"""Many projects, each with a secret of its own; a bucket and a topic that were there before the stack."""
VARIANTS: dict[str, Parameters] = {"staging": DEFAULTS, "full": FULL, "prod": ARMED, "ordered": FIFO, "many": OWN}
"""By the name of the stack."""


def group(name: str, number: str = "*") -> str:
    """The ARN of an Auto Scaling group; a star stands for the id that AWS gives it."""
    return f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:{number}:autoScalingGroupName/{name}"
