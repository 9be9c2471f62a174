"""The house: what its rooms may be like, so that a stranger finds his way. import-linter holds the arrows."""

import ast
from functools import cache
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2] / "handler"
MODULES = sorted(HOUSE.rglob("*.py"))
FOLDERS = sorted({path.parent for path in MODULES})


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def code_lines(function: ast.FunctionDef, text: str) -> int:
    """The lines of a function without its head, its docstring, comments and empty lines."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    lines = text.splitlines()[body[0].lineno - 1 : function.end_lineno] if body else []
    return sum(bool(line.strip()) and not line.strip().startswith("#") for line in lines)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.relative_to(HOUSE.parent)))
def test_no_folder_holds_more_than_nine_modules(folder: Path) -> None:
    assert len([path for path in MODULES if path.parent == folder]) <= 9


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.relative_to(HOUSE.parent)))
def test_every_wing_says_what_lives_there_and_does_nothing(folder: Path) -> None:
    body = tree(folder / "__init__.py").body
    assert [type(node) for node in body] == [ast.Expr]
    assert len(ast.get_docstring(tree(folder / "__init__.py")) or "") > 100


def test_no_module_has_more_than_220_lines() -> None:
    long = {str(path.relative_to(HOUSE)): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {name: lines for name, lines in long.items() if lines > 220} == {}


def test_no_function_has_more_than_30_lines_of_code() -> None:
    functions = [(path, node) for path in MODULES for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef)]
    assert len(functions) > 300
    assert [node.name for path, node in functions if code_lines(node, path.read_text(encoding="utf-8")) > 30] == []


def calls(suffix: str) -> list[tuple[str, str, list[str]]]:
    """Who calls what ends so: the module, the function, and the types of its parameters."""
    return [
        (path.name, function.name, [ast.unparse(each.annotation or each) for each in function.args.args])
        for path in MODULES
        for function in ast.walk(tree(path))
        if isinstance(function, ast.FunctionDef)
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(suffix)
    ]


def test_a_delete_is_sent_from_one_place_and_only_with_a_judgement() -> None:
    assert calls("cloud.delete") == [("deletion.py", "_send", ["Judgement", "Job", "Run"])]
    assert [call[:2] for call in calls(".delete")] == [("calls.py", "delete"), ("deletion.py", "_send")]


def test_no_other_call_to_the_cloud_can_delete_more_than_a_tag() -> None:
    spelled = {path.name for path in MODULES for node in ast.walk(tree(path)) if is_constant(node, "DELETE")}
    assert spelled == {"changes.py", "transport.py"}
    assert [call[:2] for call in calls("transport.change")] == [("changes.py", "_change")]
    assert [call[:2] for call in calls("._change")] == [
        ("changes.py", name) for name in ("add_tag", "add_tag", "remove_tag", "set_active")
    ]


def is_constant(node: ast.AST, value: str) -> bool:
    return isinstance(node, ast.Constant) and node.value == value


def test_nothing_broad_is_caught_but_at_the_outermost_edge() -> None:
    broad = {
        str(path.relative_to(HOUSE))
        for path in MODULES
        for handler in ast.walk(tree(path))
        if isinstance(handler, ast.ExceptHandler)
        and (handler.type is None or ast.unparse(handler.type) in {"Exception", "BaseException"})
    }
    assert broad == {"app.py"}
