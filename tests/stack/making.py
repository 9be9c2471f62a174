"""A stack in moto's server: each resource is made when another needs it, and all can be read back."""

import json
import re
from typing import Any

from tests.aws import Client
from tests.stack.lacking import BY_API, COMPLETED, NOT_HELD
from tests.stack.resolving import Made, Resolver
from tests.stack.server import client


class Stack:
    """A stack that is there. `refs` and `properties` are by logical id."""

    def __init__(self, template: dict[str, Any], name: str, parameters: dict[str, object], moto: str) -> None:
        self.name = name
        self.parameters = parameters
        self.moto = moto
        self.template = template
        self._attributes = asked_for(template)
        self._by_cloudformation: dict[str, Any] = {}
        self.resolver = Resolver.of(template, name, parameters, self._make)
        self.resolver.make_all()
        self.outputs = self.resolver.outputs()

    def ref(self, logical: str) -> str:
        return self.resolver.made[logical].ref

    def attribute(self, logical: str, name: str = "Arn") -> str:
        return self.resolver.made[logical].attributes[name]

    def resolved(self, logical: str, name: str) -> Any:  # noqa: ANN401 (any JSON)
        """A property as the template has it, everything in it worked out: only what moto does not hold."""
        assert name in NOT_HELD[self.template["Resources"][logical]["Type"]], f"ask moto for {name}"
        return self.resolver.properties[logical][name]

    def environment(self, function: str) -> dict[str, str]:
        """The variables of a function, as its live version has them."""
        live = self.client("lambda").get_function_configuration(FunctionName=self.ref(function), Qualifier="live")
        variables: dict[str, str] = live["Environment"]["Variables"]
        return variables

    def of_type(self, kind: str) -> list[str]:
        """The logical ids of the resources of a type."""
        resources = self.template["Resources"]
        return [logical for logical in self.resolver.made if resources[logical]["Type"] == kind]

    def client(self, service: str) -> Client:
        return client(service, self.moto)

    def _make(self, logical: str, kind: str, properties: dict[str, Any]) -> Made:
        if kind in BY_API:
            # As CloudFormation names what has no name: cut, with characters of its own at the end.
            ending = f"-{logical[:24]}-1A2B3C4D5E6F"
            return BY_API[kind](self.moto, self.name[: 64 - len(ending)] + ending, properties)
        made = self._make_by_cloudformation(logical, kind, properties)
        if kind in COMPLETED:
            COMPLETED[kind](self.moto, made.ref, properties)
        return made

    def _make_by_cloudformation(self, logical: str, kind: str, properties: dict[str, Any]) -> Made:
        cloudformation = self.client("cloudformation")
        grow = cloudformation.update_stack if self._by_cloudformation else cloudformation.create_stack
        self._by_cloudformation[logical] = {"Type": kind, "Properties": properties}
        outputs = {
            f"{one}{name}": {"Value": {"Fn::GetAtt": [one, name]}}
            for one in self._by_cloudformation
            for name in self._attributes.get(one, ())
        }
        body = {"Resources": self._by_cloudformation, "Outputs": outputs}
        grow(StackName=self.name, TemplateBody=json.dumps(body), Capabilities=["CAPABILITY_IAM"])
        (stack,) = cloudformation.describe_stacks(StackName=self.name)["Stacks"]
        assert stack["StackStatus"].endswith("_COMPLETE"), stack
        found = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        one = cloudformation.describe_stack_resource(StackName=self.name, LogicalResourceId=logical)
        attributes = {name: found[f"{logical}{name}"] for name in self._attributes.get(logical, ())}
        # Nothing refers to what has none: the permissions of a function.
        return Made(one["StackResourceDetail"].get("PhysicalResourceId", ""), attributes)


def asked_for(template: dict[str, Any]) -> dict[str, set[str]]:
    """The attributes that a template asks its resources for, by their logical ids."""
    text = json.dumps([template["Resources"], template["Outputs"]])
    pairs = re.findall(r'"Fn::GetAtt": \["(\w+)", "([\w.]+)"\]', text)
    pairs += re.findall(r'"Fn::GetAtt": "(\w+)\.([\w.]+)"', text)
    pairs += re.findall(r"\$\{(\w+)\.([\w.]+)\}", text)
    found: dict[str, set[str]] = {}
    for logical, name in pairs:
        if logical in template["Resources"]:
            found.setdefault(logical, set()).add(name)
    return found
