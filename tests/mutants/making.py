"""Makes the mutants of the files that are named, and prints them as lines of JSON. It runs where mutmut is installed.

Each is a piece of the text that is replaced: `[path, place, first line, last line, start, end, replacement]`. The place
is the function or the method, or what is assigned to outside of them. The lines are those of a function: where a test
runs none of them, it can't tell the mutant. They are 0 where that is not so.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import libcst as cst
from libcst.metadata import CodePosition, MetadataWrapper, PositionProvider, WhitespaceInclusivePositionProvider
from mutmut.mutation.mutators import mutation_operators


class Place(NamedTuple):
    """Where a mutant is: a function or a method, or else a statement of the module or of a class.

    What is kept for later, as by `@cache`, is worked out in one test and used in others.
    """

    name: str = ""
    node: cst.CSTNode | None = None
    is_function: bool = False
    is_kept: bool = False


def mutations(node: cst.CSTNode, place: Place) -> Iterator[tuple[Place, cst.CSTNode, cst.CSTNode]]:
    """What may become of a node and of those in it: where it is, the node, and what it is replaced by."""
    if _is_left_alone(node):
        return
    place = _place_of(node, place)
    for kind, operator in mutation_operators:
        if isinstance(node, kind):
            yield from ((place, node, mutated) for mutated in operator(node))
    for child in node.children:
        yield from mutations(child, place)


def _is_left_alone(node: cst.CSTNode) -> bool:
    """As mutmut has it: annotations, decorators, what merely fails on import, and questions about types.

    And what can make no other program: the values of an enumeration, which nobody sees, and names of types.
    """
    if isinstance(node, cst.Param):
        return node.default is not None and not isinstance(node.default, (cst.Name, cst.BaseNumber, cst.BaseString))
    if isinstance(node, cst.Call):
        return _name(node.func) in {"len", "isinstance"}
    if isinstance(node, cst.Assign):
        what = node.value.func if isinstance(node.value, cst.Call) else getattr(node.value, "value", None)
        return _name(what) in {"auto", "TypeVar", "Callable"}
    return isinstance(node, (cst.Annotation, cst.Decorator, cst.ImportFrom))


def _name(node: object) -> str:
    return str(node.value) if isinstance(node, cst.Name) else ""


def _place_of(node: cst.CSTNode, place: Place) -> Place:
    if place.is_function:
        return place
    if isinstance(node, (cst.FunctionDef, cst.ClassDef)):
        name = f"{place.name}.{node.name.value}" if place.name else node.name.value
        is_function = isinstance(node, cst.FunctionDef)
        return Place(name, node, is_function, is_kept=is_function and "cache" in _decorators(node))
    target = node.targets[0].target if isinstance(node, cst.Assign) else getattr(node, "target", None)
    if isinstance(node, (cst.Assign, cst.AnnAssign)) and isinstance(target, cst.Name):
        return Place(f"{place.name}.{target.value}" if place.name else target.value, node)
    return place


def _decorators(node: cst.FunctionDef | cst.ClassDef) -> str:
    return " ".join(cst.Module([]).code_for_node(each) for each in node.decorators)


class Source:
    """The text of a module, and where in it each of its nodes stands."""

    def __init__(self, path: str) -> None:
        self.text = Path(path).read_text(encoding="utf-8")
        self._starts = [0]
        for line in self.text.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        wrapper = MetadataWrapper(cst.parse_module(self.text))
        self.module = wrapper.module
        self._spans = wrapper.resolve(WhitespaceInclusivePositionProvider)
        self._lines = wrapper.resolve(PositionProvider)

    def lines(self, place: Place) -> tuple[int, int]:
        """The first and the last line of a place."""
        where = self._lines[place.node or self.module]
        return where.start.line, where.end.line

    def replaced(self, node: cst.CSTNode, mutated: cst.CSTNode) -> tuple[int, int, str]:
        """What is to be replaced, and by what."""
        start, end = self._offset(self._spans[node].start), self._offset(self._spans[node].end)
        if self.text[start:end] == self.module.code_for_node(node):
            return start, end, self.module.code_for_node(mutated)
        # Of a node of several lines, only the whole module knows how they are indented.
        changed = cst.ensure_type(self.module.deep_replace(node, mutated), cst.Module).code
        start = _alike(self.text, changed)
        same = _alike(self.text[: start - 1 : -1], changed[: start - 1 : -1])
        return start, len(self.text) - same, changed[start : len(changed) - same]

    def _offset(self, position: CodePosition) -> int:
        return int(self._starts[position.line - 1] + position.column)


def _alike(one: str, other: str) -> int:
    """How many signs two texts begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def made_of(path: str) -> Iterator[list[object]]:
    """Every mutant of a file."""
    source = Source(path)
    for place, node, mutated in mutations(source.module, Place()):
        first, last = (0, 0) if place.is_kept or not place.is_function else source.lines(place)
        yield [path, place.name, first, last, *source.replaced(node, mutated)]


if __name__ == "__main__":
    for each in sys.argv[1:]:
        for mutant in made_of(each):
            print(json.dumps(mutant))
