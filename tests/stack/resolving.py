"""A template, worked out while its resources are made: what one refers to is what the other was given."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from uuid import NAMESPACE_DNS, uuid5

from tests.unit import cloudformation

ACCOUNT, REGION = "123456789012", "eu-central-1"


class Made(NamedTuple):
    """A resource that is there: what Ref gives, and what GetAtt gives."""

    ref: str
    attributes: Mapping[str, str]


Make = Callable[[str, str, dict[str, Any]], Made]
"""Makes a resource, given its logical id, its type and its properties, with everything in them worked out."""


class Resolver(cloudformation.Stack):
    """Works out a template. A resource is made when something asks for it, and so after all that it needs."""

    make: Make
    made: dict[str, Made]
    properties: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, template: Mapping[str, Any], name: str, parameters: Mapping[str, Any], make: Make) -> "Resolver":
        resolver = cls(template, name, parameters)
        resolver.make, resolver.made, resolver.properties = make, {}, {}
        assert resolver.refused() == []
        return resolver

    def make_all(self) -> None:
        """Make every resource whose condition holds."""
        for logical in self.template["Resources"]:
            if self._is_wanted(logical):
                self.resource(logical)

    def resource(self, logical: str) -> Made:
        """A resource, which is made if it is not there yet."""
        if logical not in self.made:
            resource = self.template["Resources"][logical]
            assert self._is_wanted(logical), f"{logical} is named, but its condition does not hold"
            before = resource.get("DependsOn", [])
            for other in [before] if isinstance(before, str) else before:
                self.resource(other)
            self.properties[logical] = self.resolved(resource.get("Properties", {}))
            self.made[logical] = self.make(logical, resource["Type"], self.properties[logical])
        return self.made[logical]

    def ref(self, name: str | list[str]) -> Any:  # noqa: ANN401 (any value)
        """What a name stands for: a parameter, a resource, or an attribute of one."""
        logical, _, attribute = name.partition(".") if isinstance(name, str) else (name[0], "", name[1])
        if logical in self.template["Resources"]:
            found = self.resource(logical)
            return found.attributes[attribute] if attribute else found.ref
        if name == "AWS::StackId":
            return f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{self.name}/{uuid5(NAMESPACE_DNS, self.name)}"
        return super().ref(logical)

    def outputs(self) -> dict[str, Any]:
        outputs = self.template["Outputs"].items()
        there = {key: one for key, one in outputs if "Condition" not in one or self.holds(one["Condition"])}
        return {key: self.resolved(one["Value"]) for key, one in there.items()}

    def _is_wanted(self, logical: str) -> bool:
        condition = self.template["Resources"][logical].get("Condition")
        return condition is None or self.holds(condition)
