"""CloudFormation's functions, worked out: what a template says for these parameters, once its resources are there."""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from uuid import NAMESPACE_DNS, uuid5

ACCOUNT, REGION = "123456789012", "eu-central-1"
NOTHING = object()
"""What AWS::NoValue stands for: the property is left out."""
PLACEHOLDER = re.compile(r"\$\{(!?)([^}]+)\}")

Node = Any  # any JSON


class Made(NamedTuple):
    """A resource that is there: what Ref gives, and what GetAtt gives."""

    ref: str
    attributes: Mapping[str, str]


Make = Callable[[str, str, dict[str, Any]], Made]
"""Makes a resource, given its logical id, its type and its properties, with everything in them worked out."""


class Resolver:
    """Works out a template. A resource is made when something asks for it, and so after all that it needs."""

    def __init__(self, template: dict[str, Any], name: str, parameters: Mapping[str, object], make: Make) -> None:
        given = {key: parameters.get(key, known.get("Default")) for key, known in template["Parameters"].items()}
        self._values = {key: _typed(value, template["Parameters"][key]["Type"]) for key, value in given.items()}
        self._values |= pseudo_parameters(name)
        self._template = template
        self._make = make
        self.made: dict[str, Made] = {}
        self.properties: dict[str, dict[str, Any]] = {}

    def wanted(self) -> list[str]:
        """The logical ids of all resources whose condition holds."""
        resources = self._template["Resources"].items()
        return [logical for logical, resource in resources if self.holds(resource.get("Condition"))]

    def make_all(self) -> None:
        for logical in self.wanted():
            self.resource(logical)

    def resource(self, logical: str) -> Made:
        """A resource, which is made if it is not there yet."""
        if logical not in self.made:
            resource = self._template["Resources"][logical]
            assert self.holds(resource.get("Condition")), f"{logical} is named, but its condition does not hold"
            before = resource.get("DependsOn", [])
            for other in [before] if isinstance(before, str) else before:
                if other in self.wanted():
                    self.resource(other)
            self.properties[logical] = self.value(resource.get("Properties", {}))
            self.made[logical] = self._make(logical, resource["Type"], self.properties[logical])
        return self.made[logical]

    def holds(self, condition: str | None) -> bool:
        return condition is None or bool(self.value(self._template["Conditions"][condition]))

    def outputs(self) -> dict[str, Any]:
        outputs = self._template["Outputs"].items()
        return {key: self.value(one["Value"]) for key, one in outputs if self.holds(one.get("Condition"))}

    def value(self, node: Node) -> Any:  # noqa: ANN401 (any JSON)
        """What a part of the template comes to."""
        if isinstance(node, list):
            return [value for value in map(self.value, node) if value is not NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1 and (name := next(iter(node))) in FUNCTIONS:
            return FUNCTIONS[name](self, node[name])
        values = {key: self.value(value) for key, value in node.items()}
        return {key: value for key, value in values.items() if value is not NOTHING}

    def ref(self, name: str) -> Any:  # noqa: ANN401 (a text, a number or a list)
        return self._values[name] if name in self._values else self.resource(name).ref

    def attribute(self, path: str | list[str]) -> str:
        logical, name = path.split(".", 1) if isinstance(path, str) else path
        return self.resource(logical).attributes[name]

    def filled_in(self, argument: str | list[Any]) -> str:
        """What Fn::Sub makes of a text."""
        text, own = (argument, {}) if isinstance(argument, str) else argument
        known = {key: self.value(value) for key, value in own.items()}

        def put(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return f"${{{name}}}"
            if name in known:
                return str(known[name])
            return str(self.attribute(name) if "." in name else self.ref(name))

        return PLACEHOLDER.sub(put, text)

    def chosen(self, argument: list[Any]) -> Any:  # noqa: ANN401 (any JSON)
        condition, then, otherwise = argument
        return self.value(then if self.holds(condition) else otherwise)

    def looked_up(self, argument: list[Any]) -> Any:  # noqa: ANN401 (any JSON)
        table, first, second = self.value(argument)
        return self._template["Mappings"][table][first][second]


def pseudo_parameters(name: str) -> dict[str, object]:
    return {
        "AWS::StackName": name,
        "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/{uuid5(NAMESPACE_DNS, name)}",
        "AWS::Region": REGION,
        "AWS::AccountId": ACCOUNT,
        "AWS::Partition": "aws",
        "AWS::URLSuffix": "amazonaws.com",
        "AWS::NoValue": NOTHING,
    }


def _typed(value: object, kind: str) -> object:
    if kind == "Number":
        return int(str(value))
    return str(value).split(",") if kind == "CommaDelimitedList" else value


def _equal(resolver: Resolver, argument: list[Any]) -> bool:
    first, second = map(resolver.value, argument)
    return str(first) == str(second)


FUNCTIONS: dict[str, Callable[[Resolver, Any], Any]] = {
    "Ref": Resolver.ref,
    "Condition": Resolver.holds,
    "Fn::GetAtt": Resolver.attribute,
    "Fn::Sub": Resolver.filled_in,
    "Fn::If": Resolver.chosen,
    "Fn::FindInMap": Resolver.looked_up,
    "Fn::Equals": _equal,
    "Fn::Not": lambda resolver, argument: not resolver.value(argument[0]),
    "Fn::And": lambda resolver, argument: all(map(resolver.value, argument)),
    "Fn::Or": lambda resolver, argument: any(map(resolver.value, argument)),
    "Fn::Join": lambda resolver, argument: argument[0].join(map(str, resolver.value(argument[1]))),
    "Fn::Split": lambda resolver, argument: resolver.value(argument[1]).split(argument[0]),
    "Fn::Select": lambda resolver, argument: resolver.value(argument[1])[int(argument[0])],
}
