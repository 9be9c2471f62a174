"""The settings: every default, every bad value refused by name, and no secret in any message."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.config.settings import Settings
from handler.errors import InvalidSettings
from handler.rules.safety import Policy
from tests.properties import tried

SECRET = "hunter2-never-to-be-seen"
USER = {"OS_USERNAME": "reaper", "OS_USER_DOMAIN_NAME": "Default"}
PROJECT = {"OS_PROJECT_NAME": "demo", "OS_PROJECT_DOMAIN_NAME": "Default"}
KEYSTONE = {"OS_AUTH_URL": "https://keystone.example/v3"}
PASSWORD = KEYSTONE | USER | PROJECT | {"OS_PASSWORD": SECRET}
USER_ID = KEYSTONE | PROJECT | {"OS_USER_ID": "u1", "OS_PASSWORD": SECRET}
TOKEN = KEYSTONE | PROJECT | {"OS_AUTH_TYPE": "v3token", "OS_TOKEN": SECRET}
APPLICATION = KEYSTONE | {"OS_AUTH_TYPE": "v3applicationcredential", "OS_APPLICATION_CREDENTIAL_SECRET": SECRET}
SWEEP = '{"sweep": {"select": {"name": "ci-*"}}}'
QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/image-reaper"
TABLE_ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/reaper"
BUDGET = {"REAPER_BUDGET": "200/1d", "REAPER_STATE_TABLE": "reaper"}
BY_ID = APPLICATION | {"OS_APPLICATION_CREDENTIAL_ID": "ac1"}
BY_NAME = APPLICATION | USER | {"OS_APPLICATION_CREDENTIAL_NAME": "ci"}


def refusal(environment: dict[str, str]) -> str:
    with pytest.raises(InvalidSettings) as caught:
        Settings.from_env(environment)
    return str(caught.value)


def without(environment: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in names}


def test_what_is_not_set_has_its_default() -> None:
    found = Settings.from_env(PASSWORD).model_dump(exclude={"proof"})
    assert found == {
        "mode": "dry-run",
        "auth": "keystone",
        "cloud": "otc",
        "credentials_secret": "",
        "budget": None,
        "state_table": "",
        "fanout_queue_url": "",
        "failed_to": "",
        "report_bucket": "",
        "notice_topic": "",
        "owner_key": "",
        "complete_lifecycle_action": "off",
        "allow_plaintext": "off",
        "image_api": "glance",
        "project_pin": "",
        "image_endpoint": "",
        "compute_endpoint": "",
        "in_use_check": "on",
        "in_use_also": frozenset(),
        "min_age": timedelta(0),
        "keep_tag": "keep",
        "require_tag": "",
        "allow_names": "",
        "allow_shared": False,
        "max_images": 100,
        "plan_life": timedelta(days=7),
        "concurrency": 16,
        "scheduled_request": "",
        "lifecycle_request": "",
        "service": "image-reaper",
        "namespace": "ImageReaper",
    }
    assert Settings.from_env(PASSWORD).policy == Policy()


def test_what_else_uses_images_is_not_asked_without_the_servers() -> None:
    settings = PASSWORD | {"REAPER_IN_USE_CHECK": "off", "REAPER_IN_USE_ALSO": "volumes"}
    assert "REAPER_IN_USE_ALSO: needs REAPER_IN_USE_CHECK=on" in refusal(settings)


def test_the_credentials_have_their_defaults() -> None:
    credentials = Settings.from_env(PASSWORD).credentials
    assert credentials.auth_type == "password"
    assert credentials.interface == "public"
    assert credentials.region_name is None
    assert credentials.cacert is None


GOOD = [
    ("REAPER_MODE", "delete", "mode", "delete"),
    ("REAPER_MODE", "paused", "mode", "paused"),
    ("REAPER_MODE", "dry-run", "mode", "dry-run"),
    ("REAPER_IMAGE_API", "ims", "image_api", "ims"),
    ("REAPER_IMAGE_API", "ecs-v2.1", "image_api", "ecs-v2.1"),
    ("REAPER_IMAGE_API", "ecs-v2", "image_api", "ecs-v2"),
    ("REAPER_PROJECT_ID", "p1", "project_pin", "p1"),
    ("REAPER_IMAGE_ENDPOINT", "https://glance:9292", "image_endpoint", "https://glance:9292"),
    ("REAPER_COMPUTE_ENDPOINT", "https://nova/v2.1", "compute_endpoint", "https://nova/v2.1"),
    ("REAPER_COMPUTE_ENDPOINT", "http://[::1]:8774", "compute_endpoint", "http://[::1]:8774"),
    ("REAPER_IN_USE_CHECK", "off", "in_use_check", "off"),
    ("REAPER_MIN_AGE", "12h", "min_age", timedelta(hours=12)),
    ("REAPER_KEEP_TAG", "hold", "keep_tag", "hold"),
    ("REAPER_REQUIRE_TAG", "reap", "require_tag", "reap"),
    ("REAPER_ALLOW_NAMES", "ci-*", "allow_names", "ci-*"),
    ("REAPER_ALLOW_SHARED", "true", "allow_shared", True),
    ("REAPER_ALLOW_SHARED", "false", "allow_shared", False),
    ("REAPER_MAX_IMAGES", "0", "max_images", 0),
    ("REAPER_MAX_IMAGES", "10000", "max_images", 10_000),
    ("REAPER_CONCURRENCY", "1", "concurrency", 1),
    ("REAPER_CONCURRENCY", "128", "concurrency", 128),
    ("REAPER_SCHEDULED_REQUEST", SWEEP, "scheduled_request", SWEEP),
    ("REAPER_LIFECYCLE_REQUEST", SWEEP, "lifecycle_request", SWEEP),
    ("REAPER_IN_USE_ALSO", "volumes, images", "in_use_also", frozenset({"volumes", "images"})),
    ("REAPER_COMPLETE_LIFECYCLE_ACTION", "on", "complete_lifecycle_action", "on"),
    ("REAPER_FANOUT_QUEUE_URL", QUEUE, "fanout_queue_url", QUEUE),
    ("REAPER_FANOUT_QUEUE_URL", "http://127.0.0.1:9324/0/q", "fanout_queue_url", "http://127.0.0.1:9324/0/q"),
    ("POWERTOOLS_SERVICE_NAME", "cleaner", "service", "cleaner"),
    ("POWERTOOLS_METRICS_NAMESPACE", "Cleaner", "namespace", "Cleaner"),
]


@pytest.mark.parametrize(("variable", "value", "setting", "expected"), GOOD)
def test_a_setting_takes_what_it_is_set_to(variable: str, value: str, setting: str, expected: object) -> None:
    assert getattr(Settings.from_env(PASSWORD | {variable: value}), setting) == expected


NO_QUEUES = [
    "image-reaper",
    "arn:aws:sqs:eu-central-1:123456789012:image-reaper",
    "sqs.eu-central-1.amazonaws.com/123456789012/image-reaper",
    "https://sqs.eu-central-1.amazonaws.com",
    "https://sqs.eu-central-1.amazonaws.com/",
    "https:///123456789012/image-reaper",
    "ftp://sqs.eu-central-1.amazonaws.com/123456789012/image-reaper",
    f"{QUEUE}?x=y",
    f"{QUEUE}#x",
    f"{QUEUE} ",
    f"{QUEUE}.fifo",
    f"{QUEUE}.fifo/",
]
BAD = {
    "REAPER_MODE": ["Delete", "DELETE", "delete ", " delete", "delete\n", "dry_run", "dryrun", "true", "on", "armed"],
    "REAPER_KEEP_TAG": [" keep", "keep ", "keep\n", " "],
    "REAPER_IMAGE_API": ["Glance", "ecs", "ecs-v3", "ecs-v2.1 ", "nova", "ims,glance"],
    "REAPER_IMAGE_ENDPOINT": [
        "glance:9292",
        "ftp://glance",
        "http://",
        "http:///v2",
        "http://a b",
        "HTTP://glance",
        "http://" + 64 * "x",
    ],
    "REAPER_COMPUTE_ENDPOINT": ["nova", "https://nova\n", " https://nova"],
    "REAPER_IN_USE_CHECK": ["On", "OFF", "off ", "false", "0", "no", "1"],
    "REAPER_MIN_AGE": ["30D", "30 d", " 30d", "30d ", "30", "-1d", "1.5d", "P30D", "30d\n", "1m", "forever"],
    "REAPER_ALLOW_NAMES": [",", " ", " , ,"],
    "REAPER_ALLOW_SHARED": ["TRUE", "True", "1", "0", "yes", "on", "true ", "False", "t"],
    "REAPER_MAX_IMAGES": ["-1", "10001", "ten", "1.5", "1e2", "0x10", "inf", "nan", "true", " "],
    "REAPER_CONCURRENCY": ["0", "-1", "129", "many", "1.5", " "],
    "REAPER_COMPLETE_LIFECYCLE_ACTION": ["On", "true", "CONTINUE"],
    "REAPER_BUDGET": [
        "200",
        "200/",
        "/1d",
        "200/1",
        "200 / 1d",
        "200/1d ",
        "200/1d\n",
        "200/1d/1d",
        "200/0d",
        "200/0h",
        "200/30m",
        "-1/1d",
        "+1/1d",
        "1.5/1d",
        "1e3/1d",
        "1_000/1d",
        "1000001/1d",
        "99999999/1d",
        "\u0663/1d",
        "many/1d",
        "200/1D",
        "200/-1d",
        "1d/200",
    ],
    "REAPER_STATE_TABLE": [
        "ab",
        256 * "x",
        "a b c",
        "table/reaper",
        "t\u00e4ble",
        "reaper\n",
        "https://dynamodb",
        "arn:aws:dynamodb:eu-west-1:123456789012:reaper",
        "arn:aws:sqs:eu-west-1:123456789012:table/reaper",
        "arn:aws:dynamodb::123456789012:table/reaper",
        "arn:aws:dynamodb:eu-west-1:123456789012:table/reaper/index/x",
    ],
    "REAPER_FANOUT_QUEUE_URL": NO_QUEUES,
    "REAPER_FAILED_TO": NO_QUEUES,
    "OS_AUTH_URL": [
        "keystone",
        "ftp://keystone/v3",
        "https://",
        "https://key stone",
        "https://keystone\n",
        "http://[",
        "http://k:99999",
    ],
    "OS_AUTH_TYPE": ["Password", "v2password", "v2token", "v3oidcpassword", "none", "password "],
    "OS_CACERT": ["/no/such/file.pem", "/"],
    "OS_INTERFACE": ["Public", "publicUrl", "URL", "private"],
}


def test_a_file_of_authorities_that_can_be_read_is_taken(tmp_path: Path) -> None:
    authorities = tmp_path / "ca.pem"
    authorities.write_text("-----BEGIN CERTIFICATE-----")
    assert Settings.from_env(PASSWORD | {"OS_CACERT": str(authorities)}).credentials.cacert == str(authorities)


@pytest.mark.parametrize(
    ("variable", "value"), [(name, value) for name, values in BAD.items() for value in values], ids=repr
)
def test_a_bad_value_is_refused_by_the_name_of_its_variable(variable: str, value: str) -> None:
    assert f"{variable}: " in refusal(PASSWORD | {variable: value})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("200/1d", (200, timedelta(days=1))),
        ("0/1h", (0, timedelta(hours=1))),
        ("1000000/99999w", (1_000_000, timedelta(weeks=99_999))),
    ],
)
@pytest.mark.parametrize("table", ["a.b", "Reaper-2_x", 255 * "x", TABLE_ARN])
def test_a_budget_is_a_number_a_window_and_a_table(text: str, expected: object, table: str) -> None:
    found = Settings.from_env(PASSWORD | {"REAPER_BUDGET": text, "REAPER_STATE_TABLE": table})
    assert (found.budget, found.state_table) == (expected, table)


def test_a_budget_needs_the_table_and_the_table_needs_nothing() -> None:
    for table in ({}, {"REAPER_STATE_TABLE": ""}):
        message = "REAPER_STATE_TABLE: is missing: REAPER_BUDGET needs it"
        assert refusal(PASSWORD | {"REAPER_BUDGET": "200/1d"} | table) == message
    assert Settings.from_env(PASSWORD | {"REAPER_STATE_TABLE": "reaper"}).state_table == "reaper"


def test_the_old_name_of_the_table_leads_to_the_new_one() -> None:
    message = refusal(PASSWORD | {"REAPER_BUDGET": "200/1d", "REAPER_BUDGET_TABLE": "reaper"})
    assert message == "REAPER_BUDGET_TABLE: is REAPER_STATE_TABLE now"
    assert Settings.from_env(PASSWORD | {"REAPER_BUDGET_TABLE": ""}).state_table == ""


def test_a_budget_that_is_wrong_is_not_called_missing() -> None:
    assert "missing" not in refusal(PASSWORD | BUDGET | {"REAPER_BUDGET": "200"})


@pytest.mark.parametrize("variable", ["REAPER_FANOUT_QUEUE_URL", "REAPER_FAILED_TO"])
def test_a_fifo_queue_is_refused_with_the_reason(variable: str) -> None:
    message = refusal(PASSWORD | {variable: f"{QUEUE}.fifo"})
    assert "must not be a FIFO queue: one message that fails would hold back all that come after it" in message


@pytest.mark.parametrize("service", ["dynamodb", "sqs"])
def test_each_service_of_aws_may_have_an_address_of_its_own(service: str) -> None:
    common = {"AWS_ENDPOINT_URL": "https://all"}
    own = common | {f"AWS_ENDPOINT_URL_{service.upper()}": "https://one"}
    assert (
        Settings.from_env(PASSWORD | {"AWS_REGION": "r"}).aws.endpoint(service) == f"https://{service}.r.amazonaws.com"
    )
    assert Settings.from_env(PASSWORD | common).aws.endpoint(service) == "https://all"
    assert Settings.from_env(PASSWORD | own).aws.endpoint(service) == "https://one"
    assert Settings.from_env(PASSWORD | own).aws.endpoint("autoscaling") == "https://all"


@pytest.mark.parametrize(
    "variable", ["REAPER_", "REAPER_DRYRUN", "REAPER_DRY_RUN", "REAPER_MODES", "REAPER_mode", "REAPER_MAX_IMAGE"]
)
def test_an_unknown_setting_of_ours_is_refused_by_name(variable: str) -> None:
    assert f"{variable}: unknown setting" in refusal(PASSWORD | {variable: "delete"})


@pytest.mark.parametrize(
    "variable", ["mode", "credentials", "OS_COMPUTE_API_VERSION", "AWS_EXECUTION_ENV", "LOG_LEVEL", "PATH"]
)
def test_what_is_not_ours_is_left_alone(variable: str) -> None:
    assert Settings.from_env(PASSWORD | {variable: "delete"}) == Settings.from_env(PASSWORD)


@pytest.mark.parametrize("variable", sorted({name for name, *_ in GOOD} | {"REAPER_BUDGET", "REAPER_NO_SUCH_THING"}))
def test_an_empty_variable_counts_as_not_set(variable: str) -> None:
    assert Settings.from_env(PASSWORD | {variable: ""}) == Settings.from_env(PASSWORD)


@pytest.mark.parametrize(
    ("environment", "variable"),
    [(given, name) for given in (USER_ID, TOKEN, BY_ID, BY_NAME) for name in given if name != "OS_AUTH_TYPE"],
)
def test_each_part_of_the_credentials_is_needed(environment: dict[str, str], variable: str) -> None:
    assert variable in refusal(without(environment, variable))
    assert variable in refusal(environment | {variable: ""})


@pytest.mark.parametrize(
    "variable", ["OS_AUTH_URL", "OS_USERNAME", "OS_USER_DOMAIN_NAME", "OS_PASSWORD", "OS_PROJECT_NAME"]
)
def test_each_part_of_a_password_is_needed_but_the_domain_of_the_project(variable: str) -> None:
    assert variable in refusal(without(PASSWORD, variable, "OS_PROJECT_DOMAIN_NAME"))


@pytest.mark.parametrize("environment", [PASSWORD, TOKEN, BY_ID, BY_NAME], ids=["password", "token", "id", "name"])
def test_complete_credentials_are_taken_and_their_secret_is_known_as_one(environment: dict[str, str]) -> None:
    credentials = Settings.from_env(environment).credentials
    assert credentials.secrets() == (SECRET,)
    assert SECRET in credentials.plugin_arguments().values()
    assert None not in credentials.plugin_arguments().values()


@pytest.mark.parametrize(
    ("left_out", "instead"),
    [
        (("OS_USERNAME", "OS_USER_DOMAIN_NAME"), {"OS_USER_ID": "u1"}),
        (("OS_USER_DOMAIN_NAME",), {"OS_USER_DOMAIN_ID": "default"}),
        (("OS_PROJECT_NAME", "OS_PROJECT_DOMAIN_NAME"), {"OS_PROJECT_ID": "p1"}),
        (("OS_PROJECT_DOMAIN_NAME",), {"OS_PROJECT_DOMAIN_ID": "default"}),
    ],
)
def test_an_id_stands_for_a_name_and_its_domain(left_out: tuple[str, ...], instead: dict[str, str]) -> None:
    arguments = Settings.from_env(without(PASSWORD, *left_out) | instead).credentials.plugin_arguments()
    for name, value in instead.items():
        assert arguments[name.removeprefix("OS_").lower()] == value
    assert not {name.removeprefix("OS_").lower() for name in left_out} & arguments.keys()


def test_an_application_credential_is_never_scoped() -> None:
    arguments = Settings.from_env(BY_ID | PROJECT).credentials.plugin_arguments()
    assert arguments.keys() == {"auth_url", "application_credential_id", "application_credential_secret"}


def test_no_secret_stands_in_a_description_of_the_settings() -> None:
    found = Settings.from_env(PASSWORD | {"OS_TOKEN": SECRET + "2", "OS_APPLICATION_CREDENTIAL_SECRET": SECRET + "3"})
    for text in (repr(found), str(found), repr(found.credentials), f"{found.model_dump()}", found.model_dump_json()):
        assert SECRET not in text
        assert "reaper" in text


@pytest.mark.parametrize("environment", [PASSWORD, TOKEN, BY_ID, BY_NAME], ids=["password", "token", "id", "name"])
@pytest.mark.parametrize("variable", ["OS_AUTH_URL", "OS_AUTH_TYPE", "OS_INTERFACE", "REAPER_MODE", "REAPER_FOO"])
def test_no_secret_stands_in_a_refusal(environment: dict[str, str], variable: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        Settings.from_env(environment | {variable: f"x {SECRET}"})
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("variable", ["OS_AUTH_URL", "OS_USERNAME", "OS_PROJECT_NAME"])
def test_no_secret_stands_in_a_refusal_of_incomplete_credentials(variable: str) -> None:
    assert SECRET not in refusal(without(PASSWORD, variable))


def test_every_bad_setting_is_named_at_once() -> None:
    message = refusal(PASSWORD | {"REAPER_MODE": "Delete", "REAPER_MAX_IMAGES": "ten", "REAPER_DRYRUN": "true"})
    for variable in ("REAPER_MODE", "REAPER_MAX_IMAGES", "REAPER_DRYRUN: unknown setting"):
        assert variable in message


SHOWN = {
    "a mode": ("REAPER_MODE", "delte", "must be dry-run, delete or paused, not 'delte'; did you mean delete?"),
    "no mode": ("REAPER_MODE", "armed", "must be dry-run, delete or paused, not 'armed'"),
    "a long one": ("REAPER_MODE", "delete" * 3, "must be dry-run, delete or paused"),
    "letters": ("REAPER_MAX_IMAGES", "x", "must be a whole number from 0 to 10000, not 'x'"),
    "a number": ("REAPER_MAX_IMAGES", "10001", "must be a whole number from 0 to 10000, not '10001'"),
    "a flag": ("REAPER_ALLOW_SHARED", "yes", "must be true or false, not 'yes'"),
    "an age": (
        "REAPER_MIN_AGE",
        "14",
        "must be a whole number of hours, days or weeks, such as 12h, 30d or 2w, not '14'",
    ),
}


@pytest.mark.parametrize(("name", "value", "said"), SHOWN.values(), ids=SHOWN)
def test_a_short_value_that_is_no_secret_is_shown(name: str, value: str, said: str) -> None:
    assert refusal(PASSWORD | {name: value}) == f"{name}: {said}"


def test_the_names_that_may_go_are_a_list_with_commas() -> None:
    policy = Settings.from_env(PASSWORD | {"REAPER_ALLOW_NAMES": " ci-*, nightly-? ,,"}).policy
    assert policy.allow_names == ("ci-*", "nightly-?")


def test_the_rules_follow_the_settings() -> None:
    environment = {"REAPER_MIN_AGE": "2w", "REAPER_KEEP_TAG": "hold", "REAPER_REQUIRE_TAG": "reap"}
    found = Settings.from_env(PASSWORD | environment | {"REAPER_ALLOW_SHARED": "true"}).policy
    assert found == Policy(timedelta(weeks=2), "hold", "reap", (), allow_shared=True)


def test_the_environment_of_the_process_is_read_if_no_other_is_given(clean_environment: pytest.MonkeyPatch) -> None:
    for name, value in (PASSWORD | {"REAPER_MODE": "paused"}).items():
        clean_environment.setenv(name, value)
    assert Settings.from_env().mode == "paused"


NAMES = st.sampled_from([name for name, *_ in GOOD if name != "REAPER_MODE"] + ["OS_AUTH_TYPE", "REAPER_X"])
ENVIRONMENTS = st.dictionaries(
    NAMES, st.text(max_size=8) | st.sampled_from([value for _, value, *_ in GOOD]), max_size=4
)


@tried(300)
@given(given_settings=ENVIRONMENTS, mode=st.text() | st.sampled_from(["delete", "delete\0", "paused", "DELETE"]))
def test_no_environment_arms_the_function_but_the_one_word(given_settings: dict[str, str], mode: str) -> None:
    try:
        found = Settings.from_env(PASSWORD | given_settings | {"REAPER_MODE": mode})
    except InvalidSettings:
        return
    assert (found.mode == "delete") == (mode == "delete")


RULES_OF_OPERATOR = {
    "min_age": "14d",
    "keep_tag": "hold",
    "require_tag": "ci",
    "allow_names": "ci-*",
    "allow_shared": "true",
}
"""One value for each rule that a setting makes; a new one must be entered here."""


@pytest.mark.parametrize("field", Policy._fields)
def test_every_rule_that_may_be_set_arrives(field: str) -> None:
    policy = Settings.from_env(PASSWORD | {f"REAPER_{field.upper()}": RULES_OF_OPERATOR[field]}).policy
    assert [name for name in Policy._fields if getattr(policy, name) != getattr(Policy(), name)] == [field]


@pytest.mark.parametrize(
    ("name", "value", "cure"),
    [
        ("REAPER_REPORT_BUCKET", "s3://reports", "must be the name of a bucket, such as"),
        ("REAPER_REPORT_BUCKET", "arn:aws:s3:::reports", "must be the name of a bucket, such as"),
        ("REAPER_OWNER_KEY", " owner", "must not be blank, nor begin or end with a blank"),
        ("REAPER_KEEP_TAG", "keep ", "must not be blank, nor begin or end with a blank"),
        ("REAPER_ALLOW_NAMES", ",", "must hold at least one glob"),
        ("REAPER_STATE_TABLE", "no table", "must be the name or the ARN of a table"),
        ("REAPER_NOTICE_TOPIC", "notices", "must be the ARN of an SNS topic"),
        ("REAPER_NOTICE_TOPIC", "arn:aws:sns:eu-west-1:123456789012:n.fifo", "must not be a FIFO topic"),
    ],
)
def test_a_setting_of_a_wrong_form_is_told_with_its_cure(name: str, value: str, cure: str) -> None:
    assert refusal(PASSWORD | {name: value}).startswith(f"{name}: {cure}")
