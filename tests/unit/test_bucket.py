"""The bucket of the reports, on both engines: where it is, who signs, and how a person gets at what is in it."""

import shlex
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.endpoint_provider import EndpointProvider

from handler.cloud.identity.signing.access import Keys as AgencyKeys
from handler.compose.engines import aws, functiongraph
from handler.config.settings import Settings
from handler.config.signing import Runtime
from handler.engine.aws.access import AwsAccess
from handler.engine.aws.reports.bucket import S3Bucket
from handler.engine.functiongraph.bucket import ObsBucket
from handler.engine.objects import Place
from handler.engine.ports import Bucket
from handler.errors import EngineFault, InvalidSettings
from tests.aws import KEYS, REGION, Client, Keys, checks, keys_for
from tests.contexts import RuntimeContext
from tests.fakecloud import DEMO, FakeCloud, Server
from tests.fakecloud.front import Front
from tests.faults import Clock
from tests.unit.test_objects import KEY, NAME, body_of, s3
from tests.unit.test_partitions import LOADER, PARTITIONS, REGIONS
from tests.unit.there import OBS

__all__ = ["s3"]

CLOUD = {"OS_AUTH_URL": "https://keystone.example.com/v3", "OS_USERNAME": "u", "OS_PASSWORD": "p", "OS_PROJECT_ID": "x"}
CLOUD |= {"OS_USER_DOMAIN_NAME": "Default"}
ODD = "runs/2026-11-26/a b/\xe4&'$(id)#+%41/page.html"


def on_lambda(environment: dict[str, str], name: str = NAME) -> Bucket | None:
    settings = Settings.from_env(CLOUD | {"REAPER_REPORT_BUCKET": name} | environment)
    return aws.bucket(settings, Clock().deadline())


def there(keys: AgencyKeys | None = None, /, **settings: str) -> Bucket | None:
    given = {"OS_REGION_NAME": "eu-de", "REAPER_REPORT_BUCKET": NAME} | settings
    runtime = Runtime("functiongraph", DEMO, lambda: keys or AgencyKeys("", ""))
    return functiongraph.bucket(Settings.from_env(given, runtime=runtime), Clock().deadline())


@pytest.fixture
def keys(moto: str) -> Keys:
    return keys_for(moto, *((f"s3:{action}Object", "arn:aws:s3:::*/runs/*") for action in ("Put", "Get")))


@pytest.fixture
def front(server: Server, moto: str) -> Iterator[Front]:
    """Leads the hosts of AWS, and those of OBS, to moto."""
    at = urlsplit(moto)
    place = (str(at.hostname), at.port or 0)
    with Front(server, more={".amazonaws.com": place, OBS: place}) as front:
        yield front


@pytest.fixture
def way(front: Front, clean_environment: pytest.MonkeyPatch) -> Front:
    """The same, as the proxy of the environment."""
    clean_environment.setenv("HTTPS_PROXY", front.url)
    clean_environment.setenv("REQUESTS_CA_BUNDLE", front.ca_file)
    return front


def stored(bucket: Bucket | None) -> bytes | None:
    assert bucket
    bucket.put(KEY, b"stored", "text/plain")
    return bucket.get(KEY)


# S3


def test_without_the_setting_there_is_no_bucket() -> None:
    assert on_lambda(KEYS, name="") is None
    assert there(REAPER_REPORT_BUCKET="") is None


def test_a_bucket_of_s3_is_reached_at_its_own_host_with_the_keys_of_the_role(
    way: Front, moto: str, s3: Client, keys: Keys
) -> None:
    with checks(moto):
        assert stored(on_lambda(keys.environment())) == b"stored"
    assert set(way.connects) == {f"{NAME}.s3.{REGION}.amazonaws.com"}
    assert body_of(s3, KEY) == b"stored"


def test_a_bucket_with_a_dot_in_its_name_is_reached_at_the_host_of_the_service(
    way: Front, moto: str, s3: Client, keys: Keys
) -> None:
    s3.create_bucket(Bucket="re.ports", CreateBucketConfiguration={"LocationConstraint": REGION})
    with checks(moto):
        assert stored(on_lambda(keys.environment(), "re.ports")) == b"stored"
    assert set(way.connects) == {f"s3.{REGION}.amazonaws.com"}
    s3.delete_object(Bucket="re.ports", Key=KEY)
    s3.delete_bucket(Bucket="re.ports")


def test_what_a_proxy_refuses_is_told_as_its_answer(way: Front) -> None:
    way.refusal = "403 Forbidden"
    settings = Settings.from_env(CLOUD | KEYS | {"REAPER_REPORT_BUCKET": NAME})
    refused = f"does not connect to {NAME}.s3.{REGION}.amazonaws.com:443: it answered 403 Forbidden"
    with pytest.raises(EngineFault, match=refused):
        stored(aws.bucket(settings, Clock(2.2).deadline()))


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_a_bucket_may_be_at_another_address(variable: str, moto: str, s3: Client, keys: Keys) -> None:
    with checks(moto):
        assert stored(on_lambda(keys.environment() | {variable: f"{moto}/"})) == b"stored"
    assert body_of(s3, KEY) == b"stored"


def test_with_snapstart_the_keys_come_from_the_runtime(
    cloud: FakeCloud, server: Server, moto: str, s3: Client, keys: Keys
) -> None:
    given = {"AccessKeyId": keys.key, "SecretAccessKey": keys.secret, "Token": keys.token}
    cloud.fault("GET", "/keys", status=200, body=given, times=None)
    runtime = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.url}/keys", "AWS_REGION": REGION}
    with checks(moto):
        assert stored(on_lambda(runtime | {"AWS_ENDPOINT_URL_S3": moto})) == b"stored"
    assert body_of(s3, KEY) == b"stored"


@pytest.mark.parametrize("keys_of_runtime", ["[]", "refused", ""])
def test_without_keys_there_is_a_fault(keys_of_runtime: str, cloud: FakeCloud, server: Server, moto: str) -> None:
    cloud.fault("GET", "/keys", status=200, body=keys_of_runtime, times=None)
    at = f"{server.url}/keys" if keys_of_runtime != "refused" else "http://127.0.0.1:9/keys"
    runtime = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": at} if keys_of_runtime else {}
    bucket = on_lambda({"AWS_REGION": REGION, "AWS_ENDPOINT_URL_S3": moto} | runtime)
    with pytest.raises(EngineFault, match="no AWS credentials"):
        stored(bucket)


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("name", ["reports", "re.ports"])
def test_a_bucket_is_asked_for_where_botocore_asks_for_it(name: str, region: str) -> None:
    rules = LOADER.load_service_model("s3", "endpoint-rule-set-1")
    found = EndpointProvider(rules, PARTITIONS).resolve_endpoint(
        Region=region, Bucket=name, UseFIPS=False, UseDualStack=False, UseGlobalEndpoint=False, ForcePathStyle=False
    )
    assert Place(AwsAccess(region).endpoint("s3"), region).address_of(name) == found.url


CONSOLES = {
    "eu-central-1": "eu-central-1.console.aws.amazon.com",
    "us-gov-west-1": "console.amazonaws-us-gov.com",
    "cn-north-1": "console.amazonaws.cn",
    "eusc-de-east-1": "eusc-de-east-1.console.amazonaws-eusc.eu",
    "us-iso-east-1": "",
    "eu-isoe-west-1": "",
}


@pytest.mark.parametrize("region", CONSOLES)
def test_the_console_shows_an_object_in_each_partition(region: str) -> None:
    page = S3Bucket(NAME, AwsAccess(region), Clock().deadline()).page_of(ODD)
    parts = urlsplit(page)
    assert parts.netloc == CONSOLES[region]
    assert bool(page) == bool(CONSOLES[region])
    if page:
        assert (parts.scheme, parts.path, parts.fragment) == ("https", f"/s3/object/{NAME}", "")
        assert parse_qs(parts.query) == {"region": [region], "prefix": [ODD]}


def test_a_command_names_the_object_whatever_its_key_holds() -> None:
    command = S3Bucket(NAME, AwsAccess(REGION), Clock().deadline()).command_for(ODD)
    assert shlex.split(command) == ["aws", "s3", "cp", f"s3://{NAME}/{ODD}", ".", "--region", REGION]
    plain = S3Bucket(NAME, AwsAccess(REGION), Clock().deadline()).command_for(KEY)
    assert plain == f"aws s3 cp s3://{NAME}/{KEY} . --region {REGION}"


# OBS


def test_a_bucket_of_obs_is_reached_with_the_keys_of_the_agency(
    front: Front, moto: str, s3: Client, keys: Keys, clean_environment: pytest.MonkeyPatch
) -> None:
    clean_environment.setenv("HTTPS_PROXY", front.url)
    with checks(moto):
        assert stored(there(AgencyKeys(*keys), OS_CACERT=front.ca_file)) == b"stored"
    assert set(front.connects) == {f"{NAME}.{OBS}"}
    assert body_of(s3, KEY) == b"stored"


@pytest.mark.usefixtures("way")
def test_a_bucket_of_obs_is_reached_with_the_keys_of_the_settings(moto: str, s3: Client, keys: Keys) -> None:
    names = ("AK", "SK", "SECURITY_TOKEN", "PROJECT_ID")
    given = {f"HUAWEICLOUD_SDK_{name}": value for name, value in zip(names, (*keys, DEMO), strict=True)}
    with checks(moto):
        assert stored(there(REAPER_AUTH="aksk", **given)) == b"stored"
    assert body_of(s3, KEY) == b"stored"


@pytest.mark.usefixtures("way")
def test_where_a_token_says_who_we_are_the_agency_signs_for_the_bucket(moto: str, s3: Client, keys: Keys) -> None:
    environment = CLOUD | {"REAPER_AUTH": "keystone", "OS_REGION_NAME": "eu-de", "REAPER_REPORT_BUCKET": NAME}
    _, settings = functiongraph.begin(
        RuntimeContext(keys=(keys.key, keys.secret, keys.token), project=DEMO), environment
    )
    with checks(moto):
        assert stored(functiongraph.bucket(settings, Clock().deadline())) == b"stored"
    assert body_of(s3, KEY) == b"stored"


def test_without_an_agency_there_is_a_fault_that_says_so() -> None:
    with pytest.raises(EngineFault, match="give the function an agency"):
        stored(there())


@pytest.mark.parametrize("region", ["", "RegionOne"])
def test_a_bucket_of_obs_needs_the_name_of_its_region(region: str) -> None:
    with pytest.raises(InvalidSettings, match="REAPER_REPORT_BUCKET: needs OS_REGION_NAME, the region of the bucket"):
        there(REAPER_AUTH="keystone", OS_REGION_NAME=region, **CLOUD)


HOSTS = {
    ("otc", "eu-de"): "https://reports.obs.eu-de.otc.t-systems.com",
    ("otc", "eu-ch2"): "https://reports.obs.eu-ch2.sc.otc.t-systems.com",
    ("huawei", "eu-west-101"): "https://reports.obs.eu-west-101.myhuaweicloud.com",
}


@pytest.mark.parametrize(("cloud_name", "region"), HOSTS)
def test_a_bucket_of_obs_is_where_its_cloud_says(cloud_name: str, region: str) -> None:
    bucket = there(REAPER_CLOUD=cloud_name, OS_REGION_NAME=region)
    assert isinstance(bucket, ObsBucket)
    assert bucket._place.address_of(NAME) == HOSTS[cloud_name, region]
    service = HOSTS[cloud_name, region].replace("reports.", "")
    where = ["--region", region, "--endpoint-url", service]
    assert shlex.split(bucket.command_for(ODD)) == ["aws", "s3", "cp", f"s3://{NAME}/{ODD}", ".", *where]
    assert bucket.page_of(KEY) == ""
