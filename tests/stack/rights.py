"""Who may do what: the policies of IAM, of queues, of functions and of buses, judged call by call.

No more than what the template uses: a policy with anything else fails its test. Source: IAM user guide, "Policy
evaluation logic".
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from tests.aws import Client

Statement = Mapping[str, Any]
ANYONE = "*"


class Call(NamedTuple):
    """A call of AWS. `given` are the condition keys that come with it, `caller` is the service or the account."""

    action: str
    resource: str
    given: Mapping[str, str] = {}
    caller: str = ""


def statements_of_role(iam: Client, role: str) -> list[Statement]:
    """All that a role is granted: by its own policies, and by those that are attached to it."""
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    documents = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]
    for attached in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        arn = attached["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        documents.append(iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"])
    return [statement for document in documents for statement in statements_of(document)]


def statements_of(document: str | Mapping[str, Any]) -> list[Statement]:
    read = json.loads(document) if isinstance(document, str) else document
    found: list[Statement] = _list(read["Statement"])
    return found


def allows(statements: list[Statement], call: Call) -> bool:
    """Whether a call is allowed: something says so, and nothing denies it."""
    applying = [statement["Effect"] for statement in statements if _applies(statement, call)]
    return "Allow" in applying and "Deny" not in applying


def denies(statements: list[Statement], call: Call) -> bool:
    return "Deny" in [statement["Effect"] for statement in statements if _applies(statement, call)]


def granted(statements: list[Statement]) -> Iterator[tuple[str, str]]:
    """Each action that is granted, and on what."""
    for statement in statements:
        assert statement["Effect"] == "Allow", statement
        for action in _list(statement["Action"]):
            for resource in _list(statement["Resource"]):
                yield action, resource


def _applies(statement: Statement, call: Call) -> bool:
    assert statement.keys() <= KNOWN, statement
    return (
        any(_like(action.lower(), call.action.lower()) for action in _list(statement["Action"]))
        and any(_like(resource, call.resource) for resource in _list(statement["Resource"]))
        and _is_for(statement.get("Principal"), call.caller)
        and all(
            _holds(operator, key, _list(values), call.given)
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


KNOWN = {"Sid", "Effect", "Action", "Resource", "Principal", "Condition", "FunctionName"}
"""FunctionName is moto's own: it keeps what CloudFormation was given."""


def _is_for(principal: Any, caller: str) -> bool:  # noqa: ANN401 (a text, or texts by their kinds)
    if principal is None or principal == ANYONE:
        return True
    named = [name for names in principal.values() for name in _list(names)]
    return ANYONE in named or caller in named


def _holds(operator: str, key: str, values: list[str], given: Mapping[str, str]) -> bool:
    value = {name.lower(): value for name, value in given.items()}.get(key.lower())
    if operator == "Null":
        return [str(value is None).lower()] == values
    if operator == "StringNotEquals":
        return value not in values
    assert operator in MATCHES, operator
    return value is not None and any(MATCHES[operator](each, value) for each in values)


def _like(pattern: str, text: str) -> bool:
    """Whether a text is what a pattern with stars and question marks says."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text) is not None


MATCHES: Mapping[str, Callable[[str, str], bool]] = {
    "Bool": str.__eq__,
    "StringEquals": str.__eq__,
    "ArnEquals": _like,
    "ArnLike": _like,
    "StringLike": _like,
}


def _list(value: Any) -> list[Any]:  # noqa: ANN401 (one, or several)
    return value if isinstance(value, list) else [value]
