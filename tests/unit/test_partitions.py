"""The partitions of AWS: in every region that botocore knows, we ask the same hosts as it does."""

from functools import cache

import pytest
from botocore.endpoint_provider import EndpointProvider
from botocore.session import get_session

from handler.engine.aws.access import ENDPOINTS, AwsAccess
from handler.engine.aws.partitions import SUFFIXES, region_in
from handler.errors import UnknownEvent
from handler.sources.aws.stack import read_stack_call

LOADER = get_session().get_component("data_loader")
PARTITIONS = LOADER.load_data("partitions")
REGIONS = sorted(
    region
    for partition in PARTITIONS["partitions"]
    for region in partition["regions"]
    if not region.endswith("-global")
)
SERVICES = sorted(filter(None, ENDPOINTS))


@cache
def botocore_at(service: str, region: str) -> str:
    rules = LOADER.load_service_model(service, "endpoint-rule-set-1")
    provider = EndpointProvider(rules, PARTITIONS)
    return str(provider.resolve_endpoint(Region=region, UseDualStack=False, UseFIPS=False).url)


def test_every_partition_of_botocore_is_known() -> None:
    assert {partition["outputs"]["dnsSuffix"] for partition in PARTITIONS["partitions"]} == set(SUFFIXES.values())
    assert len(REGIONS) > 40


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_asked_where_botocore_asks_it(service: str, region: str) -> None:
    assert AwsAccess(region).endpoint(service) == botocore_at(service, region)


@pytest.mark.parametrize("region", REGIONS)
def test_the_region_of_a_queue_is_read_from_its_address(region: str) -> None:
    assert region_in(botocore_at("sqs", region).removeprefix("https://")) == region


@pytest.mark.parametrize("suffix", sorted(set(SUFFIXES.values())))
def test_cloudformation_is_answered_in_every_partition(suffix: str) -> None:
    bucket = "cloudformation-custom-resource-response-r1"
    event = {"ResponseURL": f"https://{bucket}.s3.r-1.{suffix}/a?b"}
    assert read_stack_call(event, answers_here=False).response_url == event["ResponseURL"]
    with pytest.raises(UnknownEvent):
        read_stack_call({"ResponseURL": f"https://{bucket}.s3.r-1.x{suffix.replace('.', '-')}/a?b"}, answers_here=False)
