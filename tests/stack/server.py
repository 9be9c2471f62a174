"""moto's server in a process of its own, and what is in its account before the first stack."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import boto3

from tests.aws import Client
from tests.stack.resolving import REGION
from tests.stack.variants import ALARM_TOPIC, BOUNDARY, LAYER, OWN_BUCKET, OWN_TOPIC, SENDER, TOPIC

ROOT = Path(__file__).parents[2]
INSIDE = Path(__file__).parent / "inside"
SECRET_NAME = "image-reaper"
ANYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
# The code of a function is not read here.
SETTINGS = {"VALIDATE_LAMBDA_S3": "false"}


@cache
def client(service: str, moto: str) -> Client:
    """A client for a service; each takes a while to make, so there is one of each."""
    return boto3.client(service, REGION, endpoint_url=moto, aws_access_key_id="x", aws_secret_access_key="x")


@contextmanager
def moto_with_cloudformation() -> Iterator[str]:
    """The address of a server for all services, CloudFormation among them."""
    command = [ROOT / ".venv-stack/bin/python", INSIDE / "serve.py"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=os.environ | SETTINGS) as process:  # noqa: S603 (our own command)
        assert process.stdout
        address = process.stdout.readline().strip()
        assert address, "moto's server did not start"
        yield address
        # It ends with its input.
        process.communicate()


def furnish(moto: str) -> str:
    """Make what the parameters of a stack name; the ARN of the secret."""
    client("s3", moto).create_bucket(Bucket=OWN_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    for topic in (TOPIC, ALARM_TOPIC, SENDER, OWN_TOPIC):
        client("sns", moto).create_topic(Name=topic.rpartition(":")[2])
    layer = LAYER.split(":")[-2]
    client("lambda", moto).publish_layer_version(LayerName=layer, Content={"ZipFile": b"authorities"})
    client("iam", moto).create_policy(PolicyName=BOUNDARY.rpartition("/")[2], PolicyDocument=json.dumps(ANYTHING))
    return str(client("secretsmanager", moto).create_secret(Name=SECRET_NAME, SecretString="{}")["ARN"])


def translated(parameters: dict[str, object]) -> dict[str, object]:
    """The template as SAM translates it."""
    given = json.dumps({key: str(value) for key, value in parameters.items()})
    command: list[str | Path] = [ROOT / ".venv-sam/bin/python", INSIDE / "translate.py", ROOT / "template.yaml", given]
    environment = os.environ | {"AWS_DEFAULT_REGION": REGION}
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env=environment)  # noqa: S603 (our own command)
    template: dict[str, object] = json.loads(done.stdout)
    return template
