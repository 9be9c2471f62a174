"""As much of CloudFormation's language as template.yaml speaks: its short forms, its functions, its conditions."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

_ID = "51af3dc0-da77-11e4-872e-1234567db123"


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as what they are short for."""


def _long_form(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    key = name if name in {"Ref", "Condition"} else f"Fn::{name}"
    if isinstance(node, yaml.SequenceNode):
        return {key: loader.construct_sequence(node, deep=True)}
    if isinstance(node, yaml.MappingNode):
        return {key: loader.construct_mapping(node, deep=True)}
    assert isinstance(node, yaml.ScalarNode)
    return {key: loader.construct_scalar(node)}


_Loader.add_multi_constructor("!", _long_form)


def read(path: Path) -> dict[str, Any]:
    """A template, with its functions in their long forms."""
    return dict(yaml.load(path.read_text(encoding="utf-8"), _Loader))  # noqa: S506 (a SafeLoader)


def parts(value: object) -> Iterator[dict[str, Any]]:
    """Every object in a value, at any depth."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from parts(item)
    elif isinstance(value, list):
        for item in value:
            yield from parts(item)


class Stack(NamedTuple):
    """A stack that was made of a template: its name, and the parameters that it was given."""

    template: Mapping[str, Any]
    name: str = "image-reaper"
    given: Mapping[str, str] = {}
    partition: str = "aws"
    region: str = "eu-central-1"

    def ref(self, name: str) -> Any:  # noqa: ANN401 (any value)
        """What a name stands for: a parameter, or a resource, whose name no other stack has."""
        arn = f"arn:{self.partition}:cloudformation:{self.region}:123456789012:stack/{self.name}/{_ID}"
        known = {
            "AWS::StackName": self.name,
            "AWS::StackId": arn,
            "AWS::Partition": self.partition,
            "AWS::Region": self.region,
            "AWS::AccountId": "123456789012",
            "AWS::NoValue": None,
        }
        defaults = {name: each["Default"] for name, each in self.template["Parameters"].items() if "Default" in each}
        kind = self.template["Resources"].get(name, {}).get("Type")
        made = {
            "AWS::SQS::Queue": f"https://sqs.{self.region}.amazonaws.com/123456789012/{self.name}-{name}",
            "AWS::SNS::Topic": f"arn:{self.partition}:sns:{self.region}:123456789012:{self.name}-{name}",
            "AWS::S3::Bucket": f"{self.name}-{name}".lower(),
        }
        return (known | defaults | dict(self.given)).get(name, made.get(kind, f"{self.name}-{name}"))

    def holds(self, condition: str) -> bool:
        """Whether a condition of the template does."""
        return bool(self.resolved(self.template["Conditions"][condition]))

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        """The resources of a type that the stack has, with their properties as they are in it."""
        return {
            name: self.resolved(each["Properties"])
            for name, each in self.template["Resources"].items()
            if each["Type"] == kind and ("Condition" not in each or self.holds(each["Condition"]))
        }

    def refused(self) -> list[str]:
        """What the template's rules say to the parameters."""
        rules = [rule for rule in self.template["Rules"].values() if self.resolved(rule.get("RuleCondition", True))]
        asked = [assertion for rule in rules for assertion in rule["Assertions"]]
        return [each["AssertDescription"] for each in asked if not self.resolved(each["Assert"])]

    def resolved(self, value: Any) -> Any:  # noqa: ANN401 (any value)
        """A value of the template as it is in this stack; what AWS::NoValue stands for is left out."""
        if isinstance(value, list):
            return [each for each in map(self.resolved, value) if each is not None]
        if not isinstance(value, dict):
            return value
        if len(value) == 1 and (function := next(iter(value))) in _FUNCTIONS:
            return _FUNCTIONS[function](self, value[function])
        return {name: found for name, each in value.items() if (found := self.resolved(each)) is not None}


def _condition(stack: Stack, name: Any) -> Any:  # noqa: ANN401 (any value)
    # A policy has conditions as well, which are no names.
    return stack.holds(name) if isinstance(name, str) else {"Condition": stack.resolved(name)}


def _equals(stack: Stack, both: list[Any]) -> bool:
    one, other = (str(stack.resolved(each)) for each in both)
    return one == other


def _sub(stack: Stack, value: Any) -> str:  # noqa: ANN401 (any value)
    text, own = (value, {}) if isinstance(value, str) else (value[0], stack.resolved(value[1]))
    filled = re.sub(r"\$\{([^!}]+)\}", lambda found: str(own.get(found[1], stack.ref(found[1]))), text)
    return filled.replace("${!", "${")


def _select(stack: Stack, value: list[Any]) -> Any:  # noqa: ANN401 (any value)
    return stack.resolved(value[1])[value[0]]


def _find_in_map(stack: Stack, value: list[Any]) -> Any:  # noqa: ANN401 (any value)
    table, row, column = (stack.resolved(each) for each in value)
    return stack.template["Mappings"][table][row][column]


_FUNCTIONS: Mapping[str, Callable[[Stack, Any], Any]] = {
    "Ref": lambda stack, name: stack.ref(name),
    "Condition": _condition,
    "Fn::GetAtt": lambda stack, name: stack.ref(name),
    "Fn::If": lambda stack, three: stack.resolved(three[1 if stack.holds(three[0]) else 2]),
    "Fn::Not": lambda stack, one: not stack.resolved(one[0]),
    "Fn::And": lambda stack, several: all(map(stack.resolved, several)),
    "Fn::Or": lambda stack, several: any(map(stack.resolved, several)),
    "Fn::Equals": _equals,
    "Fn::Sub": _sub,
    "Fn::Join": lambda stack, two: two[0].join(stack.resolved(two[1])),
    "Fn::Split": lambda stack, two: stack.resolved(two[1]).split(two[0]),
    "Fn::Select": _select,
    "Fn::FindInMap": _find_in_map,
}
