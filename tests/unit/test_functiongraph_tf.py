"""The Terraform files agree with the code and with the providers, as far as that can be known without a cloud.

`terraform validate` would ask the providers themselves, which can't be run here.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import hcl2
import pytest

from handler.cloud.identity.signing.access import Keys
from handler.config import engines
from handler.config.settings import Settings
from handler.config.signing import Runtime
from tests.unit.providers import ARGUMENTS, EXPORTED, META
from tests.unit.test_documents import OPERATIONS, aliases, credentials, log_events, names, table
from tests.unit.test_template import ENVIRONMENT, PARAMETERS, POWERTOOLS, SECRET_FIELDS, behind

ROOT = Path(__file__).parents[2]
REFUSED = engines._NEEDS_AWS.keys()
"""With one of them, the function refuses to start on FunctionGraph."""
OWN = {"REAPER_AUTH", "REAPER_CLOUD", "REAPER_SETTINGS", "POWERTOOLS_SERVICE_NAME"}
OWN |= {"REAPER_FAILED_TO", "REAPER_NOTICE_TOPIC"}
"""What has no parameter in the template, or is no question there."""
AS_ELSEWHERE = {"project_pin", "project_name", "region_name"}
"""What the template has as well, but does not need: here it does."""
Block = dict[str, Any]


class Terraform(NamedTuple):
    """One of the files: its text, and what python-hcl2 makes of it."""

    text: str
    variables: dict[str, Block]
    locals: dict[str, Any]
    resources: dict[tuple[str, str], Block]

    def local(self, name: str) -> str:
        return str(self.locals[name])

    def only(self, kind: str) -> Block:
        """The one resource of a kind, whatever the provider calls the version of it."""
        [found] = [body for (type_, _), body in self.resources.items() if short(type_) == kind]
        return found


def short(kind: str) -> str:
    """The type of a resource without its provider and its version."""
    return re.sub(r"^[a-z]+_|_v\d$", "", kind)


def read(path: str) -> Terraform:
    text = (ROOT / path).read_text(encoding="utf-8")
    options = hcl2.SerializationOptions(strip_string_quotes=True, with_comments=False)
    parsed = hcl2.loads(text, serialization_options=options)
    return Terraform(
        text=text,
        variables={name: body for each in parsed["variable"] for name, body in each.items() if name != "__is_block__"},
        locals={name: value for each in parsed["locals"] for name, value in each.items() if name != "__is_block__"},
        resources={
            (kind, name): body
            for each in parsed["resource"]
            for kind, named in each.items()
            if kind != "__is_block__"
            for name, body in named.items()
            if name != "__is_block__"
        },
    )


OTC, HUAWEI = read("functiongraph.tf"), read(".huawei/functiongraph.tf")
in_both = pytest.mark.parametrize("terraform", [OTC, HUAWEI], ids=["otc", "huawei"])


def is_block(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and "__is_block__" in value[0]


def texts(value: object) -> Iterator[str]:
    """Every text in a value, at any depth."""
    if isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, str):
        yield value


def entries(expression: str) -> dict[str, str]:
    """The settings that an object in an expression sets, and to what."""
    return dict(re.findall(r"\b([A-Z][A-Z_]+) = (.+?)(?=, [A-Z][A-Z_]+ = |\})", expression))


def user_data(terraform: Terraform) -> dict[str, str]:
    return entries(terraform.local("user_data"))


def settings(terraform: Terraform) -> dict[str, str]:
    """All that the function is told, in variables of their own and in REAPER_SETTINGS."""
    return user_data(terraform) | entries(terraform.local("settings"))


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def actions(terraform: Terraform) -> set[str]:
    return set(
        re.findall(r"""["']([a-z]+:\w+:\w+)["']""", terraform.local("actions") + terraform.local("report_actions"))
    )


def alarms(expression: str) -> dict[str, dict[str, str]]:
    """The alarms of a table of them, with their fields as they are written."""
    rows = re.findall(r"([\w-]+) = \{([^{}]+)\}", expression)
    return {name: dict(part.split(" = ", 1) for part in re.split(r", (?=\w+ = )", fields)) for name, fields in rows}


# The providers


def problems(body: Block, kind: str) -> Iterator[str]:
    """What a provider would say to a resource, or to a block of it."""
    words = ARGUMENTS[kind].split()
    known = {re.sub(r"[!{}]", "", word): word for word in words}
    given = written_out({name: value for name, value in body.items() if name != "__is_block__"})
    if "." not in kind:
        given = {name: value for name, value in given.items() if name not in META}
    yield from (f"{kind}: {name} is unknown" for name in given.keys() - known.keys())
    yield from (f"{kind}: {name} is missing" for name, word in known.items() if "!" in word and name not in given)
    for name, value in given.items():
        if is_block(value) != known.get(name, "").endswith("{}"):
            yield f"{kind}: {name} is a block in one place only"
        for block in value if is_block(value) else []:
            yield from problems(block, f"{kind}.{name}")


def written_out(body: Block) -> Block:
    """A body whose blocks that may be there or not are there."""
    dynamic = body.get("dynamic", [])
    more = {name: each["content"] for block in dynamic for name, each in block.items() if name != "__is_block__"}
    plain = {name: value for name, value in body.items() if name != "dynamic"}
    return plain | {name: plain.get(name, []) + blocks for name, blocks in more.items()}


@in_both
def test_every_argument_is_one_of_the_provider_and_none_is_missing(terraform: Terraform) -> None:
    found = [problem for (kind, _), body in terraform.resources.items() for problem in problems(body, kind)]
    assert found == []


@in_both
def test_every_reference_leads_to_a_resource_and_to_something_it_has(terraform: Terraform) -> None:
    found = re.findall(r"\b((?:opentelekomcloud|huaweicloud)_\w+)\.(\w+)\.(\w+)", terraform.text)
    assert found
    for kind, name, attribute in found:
        assert (kind, name) in terraform.resources
        known = {re.sub(r"[!{}]", "", word) for word in ARGUMENTS[kind].split()}
        assert attribute in known | EXPORTED.get(short(kind), set()) | {"id"}


@in_both
def test_every_variable_is_used_and_every_one_that_is_used_is_declared(terraform: Terraform) -> None:
    outside = re.sub(r'^variable "\w+" \{.*?^\}', "", terraform.text, flags=re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"\bvar\.(\w+)", outside)) == terraform.variables.keys()


@in_both
def test_every_local_value_is_used_and_every_one_that_is_used_is_declared(terraform: Terraform) -> None:
    assert set(re.findall(r"\blocal\.(\w+)", terraform.text)) == terraform.locals.keys()


def test_both_files_say_the_same_but_for_what_only_one_cloud_has() -> None:
    shared = [re.split(r"^# =+ .* =+$", each.text, flags=re.MULTILINE)[1] for each in (OTC, HUAWEI)]
    assert shared[0] == shared[1]
    assert "REAPER_MODE" in shared[0]
    assert {(short(kind), name) for kind, name in OTC.resources} == {
        (short(kind).replace("function_trigger", "trigger").replace("configuration", "config"), name)
        for kind, name in HUAWEI.resources
    }


# The variables


def verdict(terraform: Terraform, name: str, value: object) -> bool:
    """Whether a variable takes a value: its condition, which is close enough to Python, with the value in it."""
    [validation] = terraform.variables[name]["validation"]
    condition = validation["condition"].removeprefix("${").removesuffix("}")
    python = condition.replace(f"var.{name}", "value").replace("&&", "and").replace("||", "or")
    given: dict[str, Callable[..., object] | object] = {
        "value": value,
        "can": bool,
        "regex": lambda pattern, text: re.search(pattern, str(text)),
        "contains": lambda values, each: each in values,
        "keys": lambda read: isinstance(read, dict),
        "jsondecode": parsed,
        "length": len,
        "range": range,
    }
    return bool(eval(python, {"__builtins__": {}}, given))  # noqa: S307 (our own words)


def parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


@in_both
def test_every_variable_says_what_it_is_and_refuses_what_is_wrong(terraform: Terraform) -> None:
    for name, variable in terraform.variables.items():
        assert variable["description"], name
        assert variable["type"] in {"string", "number", "bool"}, name
        if variable["type"] == "bool":
            continue
        [validation] = variable["validation"]
        assert set(re.findall(r"var\.(\w+)", validation["condition"])) == {name}
        assert re.fullmatch(r"It must .+\.", validation["error_message"])
        assert "default" not in variable or verdict(terraform, name, variable["default"]), name


WRONG: dict[str, list[Any]] = {
    "mode": ["Delete", "on", "", "dry-run "],
    "image_api": ["", "ecs-v2", "IMS"],
    "max_images": [-1, 1.5, 10001],
    "max_instance_num": [-1, 0.5, 1001],
    "region_name": ["", "eu", "https://eu-de"],
    "project_pin": ["", "eu-de", "9c53a566-cb34-43ab-910c-f0daebca90c4"],
    "project_name": ["", "eu de"],
    "image_endpoint": ["http://ims.example", "ims.example"],
    "compute_endpoint": ["http://ecs.example"],
    "in_use_check": ["", "true"],
    "in_use_also": ["backups", "volumes,", "volumes snapshots"],
    "plan_life": ["", "0d", "7", "7 d"],
    "min_age": ["", "d", "1m"],
    "keep_tag": ["", "a b"],
    "require_tag": ["x" * 256],
    "allow_names": ["x" * 501],
    "allow_shared": ["", "on", "True"],
    "schedule_state": ["", "enabled"],
    "schedule_expression": ["", "cron(30 3 * * ? *)", "3m", "CRON_TZ=UTC 0 30 3 * * *"],
    "schedule_timezone": ["", "Europe/Berlin 0"],
    "scheduled_request": ["[]", '"text"', "{", "null"],
    "lifecycle_request": ["[]", "{"],
    "failed_endpoint": ["", "http://example.org", "nobody", "urn:fss:eu-de:p:function:default:image-reaper:latest"],
    "alarm_topic_urn": ["alarms", "arn:aws:sns:eu-central-1:123456789012:alarms"],
    "alarm_user_name": ["x" * 65],
    "missing_days": [-1, 6, 1.5],
    "name": ["", "a", "Reaper", "image_reaper", "x" * 41],
    "notice_topic_urn": ["notices", "arn:aws:sns:eu-central-1:123456789012:notices"],
    "report_bucket_name": ["a", "Reports", "reports/runs", "-reports"],
    "owner_key": [" ", "mail ", "x" * 256],
    "package": ["", "image-reaper.tar"],
    "timeout": [0, 29, 901],
    "memory_size": [128, 500, 8192],
    "concurrency": [0, 129],
    "log_level": ["", "info"],
    "log_retention_days": [0, 366],
}


@in_both
def test_no_variable_takes_a_wrong_value(terraform: Terraform) -> None:
    assert WRONG.keys() == {name for name, each in terraform.variables.items() if each["type"] != "bool"}
    taken = {(name, value) for name, values in WRONG.items() for value in values if verdict(terraform, name, value)}
    assert taken == set()


RIGHT: dict[str, list[Any]] = {
    "mode": ["dry-run", "delete", "paused"],
    "max_instance_num": [0, 1, 999, 1000],
    "max_images": [0, 10, 10000],
    "project_pin": ["9c53a566cb3443ab910cf0daebca90c4"],
    "schedule_expression": ["0 30 3 * * *", "0 0/5 12-14 ? * MON-FRI", "0 0 12 10 JAN,FEB"],
    "scheduled_request": ["", '{"sweep": {"select": {"name": "ci-*"}}}'],
    "failed_endpoint": ["ops@example.org", "https://example.org/failed?to=1"],
    "alarm_topic_urn": ["urn:smn:eu-de:9c53a566cb3443ab910cf0daebca90c4:alarms"],
    "notice_topic_urn": ["", "urn:smn:eu-de:9c53a566cb3443ab910cf0daebca90c4:notices"],
    "report_bucket_name": ["", "reports-of-ours", "r.1"],
    "owner_key": ["", "owner-mail", "owner mail", "o"],
}


@in_both
def test_right_values_are_taken(terraform: Terraform) -> None:
    refused = {
        (name, value) for name, values in RIGHT.items() for value in values if not verdict(terraform, name, value)
    }
    assert refused == set()


def twins(terraform: Terraform) -> dict[str, dict[str, Any]]:
    """The variables that mean the same as a parameter of the template, with it."""
    return {snake(name): each for name, each in PARAMETERS.items() if snake(name) in terraform.variables}


@in_both
def test_a_variable_has_the_name_and_the_default_of_the_template(terraform: Terraform) -> None:
    # The rest has no parameter of its own in the template.
    both = (settings(terraform).keys() & ENVIRONMENT.keys()) - OWN
    # There is no secret there, and so none for each project.
    named = {name: behind(ENVIRONMENT[name]) - {"CredentialsSecretArn"} for name in both}
    assert {name: {snake(parameter) for parameter in each} for name, each in named.items()} == {
        name: set(re.findall(r"(?:var|local)\.(\w+)", value))
        for name, value in settings(terraform).items()
        if name in both
    }
    same = twins(terraform).keys() - AS_ELSEWHERE - {"image_api", "schedule_expression"}
    assert len(same) > 15
    assert {name: terraform.variables[name]["default"] for name in same} == {
        name: twins(terraform)[name]["Default"] for name in same
    }


@in_both
def test_a_variable_takes_the_values_of_the_template(terraform: Terraform) -> None:
    lists = {name: each["AllowedValues"] for name, each in twins(terraform).items() if "AllowedValues" in each}
    for name in lists.keys() - {"image_api", "log_retention_days"}:
        assert [value for value in lists[name] if verdict(terraform, name, value)] == lists[name]


# What the function is told


@in_both
def test_it_rehearses_until_somebody_says_delete_in_so_many_words(terraform: Terraform) -> None:
    assert terraform.variables["mode"]["default"] == "dry-run"
    assert terraform.variables["mode"]["nullable"] is False
    assert user_data(terraform)["REAPER_MODE"] == "local.mode"
    assert "REAPER_MODE" not in entries(terraform.local("settings"))
    assert [value for value in settings(terraform).values() if "delete" in value] == []


@in_both
def test_the_variables_are_few_enough_for_functiongraph(terraform: Terraform) -> None:
    function = terraform.only("fgs_function")
    assert function["user_data"] == "${jsonencode(local.user_data)}"
    assert len(user_data(terraform)) <= 20
    conditions = [each["condition"] for each in function["lifecycle"][0]["precondition"]]
    assert "${length(local.user_data) <= 20 && length(jsonencode(local.user_data)) <= 2048}" in conditions


@in_both
def test_the_function_knows_every_variable_that_it_is_given(terraform: Terraform) -> None:
    assert settings(terraform).keys() <= aliases() | credentials() | POWERTOOLS
    assert not settings(terraform).keys() & REFUSED
    assert not user_data(terraform).keys() & entries(terraform.local("settings")).keys()
    assert user_data(terraform)["REAPER_SETTINGS"] == "jsonencode(local.settings)"
    assert user_data(terraform)["REAPER_AUTH"] == '"agency"'


PROJECT, REGION = "9c53a566cb3443ab910cf0daebca90c4", {"otc": "eu-de", "huawei": "eu-west-101"}
RUNTIME = Runtime(engine="functiongraph", project_id=PROJECT, keys=lambda: Keys("access", "secret", "token"))


def told(terraform: Terraform, given: dict[str, str]) -> dict[str, str]:
    """The variables of the function: the expressions, close enough to Python, with values in them."""
    values = {name: given.get(name, str(each.get("default"))) for name, each in terraform.variables.items()}
    values |= {
        "cloud": terraform.local("cloud"),
        "project_pin": PROJECT,
        "region_name": REGION[terraform.local("cloud")],
    }
    for topic in ("failures", "notices"):
        values[f"{topic}_topic_urn"] = f"urn:smn:{values['region_name']}:{PROJECT}:image-reaper-{topic}"

    def evaluated(expressions: dict[str, str], settings: str = "") -> dict[str, str]:
        words = {
            name: re.sub(r"^tostring\((.*)\)$|^jsonencode\((.*)\)$", r"\1\2", each)
            for name, each in expressions.items()
        }
        known = values | {"settings": settings}
        both = {name: known.get(word.split(".")[-1], word.strip('"')) for name, word in words.items()}
        return {name: value for name, value in both.items() if value}

    return evaluated(user_data(terraform), json.dumps(evaluated(entries(terraform.local("settings")))))


@in_both
def test_the_function_starts_with_the_variables_that_it_is_given(terraform: Terraform) -> None:
    read = Settings.from_env(told(terraform, {"min_age": "2d"}), runtime=RUNTIME)
    assert (read.mode, read.auth, read.cloud, read.image_api) == ("dry-run", "agency", terraform.local("cloud"), "ims")
    assert (read.project_pin, read.min_age.days, read.concurrency) == (PROJECT, 2, 16)
    assert read.failed_to.endswith(f"{PROJECT}:image-reaper-failures")
    assert (read.notice_topic.endswith(f"{PROJECT}:image-reaper-notices"), read.report_bucket) == (True, "")
    named = {"report_bucket_name": "reports-of-ours", "owner_key": "owner mail"}
    told_more = Settings.from_env(told(terraform, named), runtime=RUNTIME)
    assert (told_more.report_bucket, told_more.owner_key) == ("reports-of-ours", "owner mail")
    assert Settings.from_env(told(terraform, {"mode": "delete"}), runtime=RUNTIME).mode == "delete"


@in_both
def test_the_default_variables_leave_room_for_more(terraform: Terraform) -> None:
    assert len(json.dumps(told(terraform, {}))) < 1024


def test_each_file_is_for_its_cloud() -> None:
    assert (OTC.local("cloud"), HUAWEI.local("cloud")) == ("otc", "huawei")


@in_both
def test_every_setting_that_has_a_use_there_can_be_given(terraform: Terraform) -> None:
    untold = aliases() - settings(terraform).keys() - REFUSED
    # The timer brings its request; addresses are https there; a namespace is for metrics, of which there are none.
    assert untold == {"REAPER_SCHEDULED_REQUEST", "REAPER_ALLOW_PLAINTEXT", "POWERTOOLS_METRICS_NAMESPACE"}


@in_both
def test_no_secret_is_needed_and_none_is_given(terraform: Terraform) -> None:
    assert not settings(terraform).keys() & SECRET_FIELDS
    said = re.sub(r"#.*", "", terraform.text)
    assert re.findall(r"(?i)password|secret|access_key|encrypted_user_data|\bak\b|\bsk\b", said) == []


@in_both
def test_the_function_is_what_the_package_holds(terraform: Terraform) -> None:
    function = terraform.only("fgs_function")
    assert {name: function[name] for name in ("runtime", "handler", "initializer_handler", "code_type")} == {
        "runtime": "Python3.12",
        "handler": "index.handler",
        "initializer_handler": "index.initializer",
        "code_type": "zip",
    }
    assert function["func_code"] == '${filebase64("${path.module}/${var.package}")}'
    assert terraform.variables["package"]["default"].endswith("dist/image-reaper-functiongraph.zip")
    assert function["agency"] == function["app_agency"]


@in_both
def test_zero_instances_stop_the_function_and_pause_it_as_well(terraform: Terraform) -> None:
    assert terraform.only("fgs_function")["max_instance_num"] == "${tostring(var.max_instance_num)}"
    assert verdict(terraform, "max_instance_num", 0)
    # The SDK of opentelekomcloud 1.36 leaves a 0 out of its request.
    assert terraform.local("mode") == '${var.max_instance_num == 0 ? "paused" : var.mode}'


@in_both
def test_what_can_never_work_is_refused_before_anything_is_made(terraform: Terraform) -> None:
    conditions = {
        each["condition"]
        for body in terraform.resources.values()
        for lifecycle in body.get("lifecycle", [])
        for each in lifecycle["precondition"]
    }
    assert conditions >= {
        '${var.in_use_check == "on" || var.in_use_also == ""}',
        '${!endswith(var.alarm_topic_urn, ":${var.name}-requests")}',
        '${!endswith(var.notice_topic_urn, ":${var.name}-requests")}',
        "${var.grace || !local.asks_for_grace}",
        '${!local.is_scheduled || var.scheduled_request != ""}',
    }
    assert "[var.scheduled_request, var.lifecycle_request]" in terraform.local("asks_for_grace")


# What wakes it, and what is told of failures


def triggers(terraform: Terraform) -> dict[str, Block]:
    """The triggers by their type."""
    found = [body for (kind, _), body in terraform.resources.items() if short(kind).endswith("trigger")]
    return {body["type"]: body for body in found}


@in_both
def test_a_timer_a_topic_and_traces_wake_it_and_nothing_else(terraform: Terraform) -> None:
    found = triggers(terraform)
    assert found.keys() == {"TIMER", "SMN", "CTS"}
    assert "user_event = var.scheduled_request" in found["TIMER"]["event_data"]
    assert found["TIMER"]["status"] == '${local.is_scheduled ? "ACTIVE" : "DISABLED"}'
    assert '["IMS:ims:createImage", "IMS:image:createImage"]' in found["CTS"]["event_data"]
    assert found["CTS"]["count"] == '${var.lifecycle_request == "" ? 0 : 1}'


@in_both
def test_the_function_never_listens_to_its_own_failures(terraform: Terraform) -> None:
    heard = [*texts(list(triggers(terraform).values()))]
    assert [text for text in heard if "failures" in text or "notice" in text] == []
    topics = [name for kind, name in terraform.resources if short(kind) == "smn_topic"]
    assert topics == ["requests", "failures", "notices"]
    assert "smn_topic" in triggers(terraform)["SMN"]["event_data"]
    subscription = terraform.only("smn_subscription")
    assert subscription["protocol"] == '${startswith(var.failed_endpoint, "https://") ? "https" : "email"}'
    assert ".failures." in subscription["topic_urn"]


@in_both
def test_both_kinds_of_failures_go_to_the_one_topic(terraform: Terraform) -> None:
    assert re.search(r"smn_topic\w*\.failures\.topic_urn", terraform.local("failures_topic_urn"))
    assert user_data(terraform)["REAPER_FAILED_TO"] == "local.failures_topic_urn"
    [asynchronous] = [body for (kind, _), body in terraform.resources.items() if "async" in kind]
    [target] = asynchronous["on_failure"]
    assert target["destination"] == "SMN"
    assert target["param"] == "${jsonencode({topic_urn = local.failures_topic_urn})}"
    assert "on_success" not in asynchronous
    assert 0 <= asynchronous["max_async_retry_attempts"] <= 3


@in_both
def test_notices_have_a_topic_of_their_own_unless_one_is_named(terraform: Terraform) -> None:
    [topic] = [body for (kind, name), body in terraform.resources.items() if name == "notices"]
    assert topic["count"] == '${var.notice_topic_urn == "" ? 1 : 0}'
    chosen = r'\$\{var\.notice_topic_urn == "" \? one\(\w+\.notices\[\*\]\.topic_urn\) : var\.notice_topic_urn\}'
    assert re.fullmatch(chosen, terraform.local("notices_topic_urn"))


# Reports


@in_both
def test_a_bucket_is_made_where_one_is_wanted_and_is_not_there(terraform: Terraform) -> None:
    bucket = terraform.only("obs_bucket")
    assert bucket["count"] == "${local.has_reports && var.make_report_bucket ? 1 : 0}"
    assert terraform.local("has_reports") == '${var.report_bucket_name != ""}'
    assert (bucket["bucket"], bucket["acl"], bucket["versioning"]) == ("${var.report_bucket_name}", "private", True)
    assert "force_destroy" not in bucket
    [rule] = bucket["lifecycle_rule"]
    assert (rule["enabled"], rule["expiration"][0]["days"]) == (True, 400)
    assert rule["noncurrent_version_expiration"][0]["days"] == 30


@in_both
def test_reports_may_be_stored_below_one_folder_and_nothing_else(terraform: Terraform) -> None:
    [role] = [
        body for (kind, name), body in terraform.resources.items() if "identity_role" in kind and name == "reports"
    ]
    assert role["count"] == "${local.has_reports ? 1 : 0}"
    assert "local.report_resources" in str(role)
    assert "local.report_actions" in str(role)
    assert terraform.local("report_actions") == "['obs:object:PutObject']"
    assert terraform.local("report_resources") == "['obs:*:*:object:${var.report_bucket_name}/runs/*']"


# Rights


@in_both
def test_the_agency_has_the_rights_that_the_document_explains_and_no_other(terraform: Terraform) -> None:
    explained = set().union(*map(names, table(OPERATIONS, "right").keys()))
    assert actions(terraform) == explained
    assert not [action for action in actions(terraform) if "*" in action]
    role = next(body for (kind, name), body in terraform.resources.items() if "role" in kind and name == "reaper")
    assert [*texts(role)].count("${local.actions}") + str(role.get("policy")).count("Action = local.actions") == 1
    agency = terraform.only("identity_agency")
    assert agency["delegated_domain_name"] == "op_svc_cff"
    [granted] = agency["project_role"]
    assert granted.keys() == {"project", "roles", "__is_block__"}
    assert granted["project"] == "${var.project_name}"
    [of_reports] = agency["dynamic"]
    assert of_reports["project_role"]["content"][0]["project"] == "MOS"
    both = [of_reports["project_role"]["for_each"], agency["domain_roles"]]
    assert [bool(re.fullmatch(r"\$\{\w+\.reports(\[\*\]\.\w+)?\}", each)) for each in both] == [True, True]


@in_both
def test_a_right_that_changes_images_is_given_only_for_what_changes_them(terraform: Terraform) -> None:
    changing = {action for action in actions(terraform) if not action.endswith((":list", ":get", ":use"))}
    assert changing == {"ims:images:delete", "ims:images:share", "ims:images:update", "smn:topic:publish"} | {
        "obs:object:PutObject"
    }
    assert 'var.grace ? ["ims:images:update"] : []' in terraform.local("actions")


# Alarms


@in_both
def test_failures_drops_and_silence_are_told(terraform: Terraform) -> None:
    found = alarms(terraform.local("metric_alarms"))
    said = {name: (each["metric"], each["is"], each["every"], each["on"]) for name, each in found.items()}
    assert said == {
        "errors": ('"failcount"', '">="', "300", "true"),
        "throttles": ('"rejectcount"', '">="', "300", "true"),
        "missing": ('"count"', '"<"', "86400", "local.expects_runs"),
    }
    assert found["missing"]["times"] == "max(var.missing_days, 1)"
    assert terraform.local("expects_runs") == "${local.is_scheduled && var.missing_days > 0}"


@in_both
def test_an_alarm_looks_at_this_function_and_tells_somebody(terraform: Terraform) -> None:
    rule = terraform.only("ces_alarmrule")
    [condition], [metric], [told] = rule["condition"], rule["metric"], rule["alarm_actions"]
    assert (condition["filter"], condition["value"]) == ("sum", 1)
    assert (condition["period"], condition["comparison_operator"]) == ("${each.value.every}", "${each.value.is}")
    assert "${each.value.metric}" in {condition.get("metric_name"), metric.get("metric_name")}
    assert metric["namespace"] == "SYS.FunctionGraph"
    [dimension] = (metric if "dimensions" in metric else rule["resources"][0])["dimensions"]
    assert (dimension["name"], dimension["value"]) == ("package-functionname", "default-${var.name}")
    assert terraform.only("fgs_function")["app"] == "default"
    assert told["notification_list"] == ["${local.alarm_topic_urn}"]


@pytest.mark.slow("a run for each alarm")
@in_both
def test_the_lines_that_alarms_look_for_are_written_by_the_code(terraform: Terraform) -> None:
    found = alarms(terraform.local("log_alarms"))
    assert {each["line"].strip('"') for each in found.values()} <= log_events()
    assert found["unarmed-deletion"]["on"] == 'local.mode != "delete"'
    assert (found["silent"]["is"], found["silent"]["on"]) == ('"<"', "local.expects_runs")
    assert {each["is"] for name, each in found.items() if name != "silent"} == {'">="'}
    rule = terraform.only("lts_keywords_alarm_rule")
    [request] = rule["keywords_requests"]
    assert request["number"] == 1
    assert "${each.value.line}" in request.values()
    assert rule["for_each"] == "${local.log_alarms}"


# The document


@in_both
def test_every_alarm_is_explained_and_no_other(terraform: Terraform) -> None:
    found = alarms(terraform.local("metric_alarms")) | alarms(terraform.local("log_alarms"))
    assert {cell.strip("`") for cell in table(OPERATIONS, "alarm on FunctionGraph")} == found.keys()


@in_both
def test_every_variable_is_explained_or_is_named_as_a_parameter_is(terraform: Terraform) -> None:
    explained = set().union(*map(names, table(OPERATIONS, "variable of Terraform").keys()))
    assert explained == terraform.variables.keys() - (twins(terraform).keys() - AS_ELSEWHERE)
