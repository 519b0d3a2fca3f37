"""What several parts of the grader go by is defined once: lists, thresholds and helpers that they share."""

import ast
import functools
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("the parsed modules of the grader")

PACKAGE = Path(__file__).parents[1] / "grader"
FEWEST = 3
"""Lists of fewer words are alike by chance."""
ALIKE_ON_PURPOSE = {
    frozenset({"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}): (
        "datasets/registry.py has the names as the data set gives them, report/confusion.py those that people read"
    ),
}
"""Lists that stand in two modules, with the reason."""
FOR_THIRD_PARTIES = frozenset({"facts/wording.py"})
"""Modules that only checks of other packages use."""
USED_BY_ANOTHER_NAME = {
    "read_rubric": "`load_rubric` has the same body; programs with a rubric in memory use this one",
    "rubric_schema": "cli/app.py imports it as `make`",
}
"""Functions that no module calls by their own name, with the reason."""


@functools.cache
def modules() -> Mapping[str, ast.Module]:
    """Every module that runs outside the sandbox, by its path in the package."""
    paths = sorted(path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] != "inside")
    return {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


@functools.cache
def lists() -> Mapping[str, frozenset[frozenset[str]]]:
    """The words of every literal collection of each module."""
    return {path: frozenset(collections(tree)) for path, tree in modules().items()}


def words_of(node: ast.expr) -> frozenset[str]:
    """The words of a literal collection; empty for everything else."""
    if not isinstance(node, ast.Set | ast.Tuple | ast.List):
        return frozenset()
    values = [item.value for item in node.elts if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    return frozenset(values) if len(values) == len(node.elts) else frozenset()


def collections(tree: ast.AST) -> Iterator[frozenset[str]]:
    """The words of every literal collection, without `__all__` and the types that name what a field may hold."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Subscript) or (
            isinstance(node, ast.Assign) and "__all__" in map(name_of, node.targets)
        ):
            continue
        if isinstance(node, ast.expr) and len(words := words_of(node)) >= FEWEST:
            yield words
        yield from collections(node)


def name_of(node: ast.AST) -> str:
    """The name that a target of an assignment binds."""
    return node.id if isinstance(node, ast.Name) else ""


def constants(tree: ast.Module) -> Iterator[str]:
    """Names that are written in capitals and bound at the top of a module, without their underscore."""
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        yield from (t.id.lstrip("_") for t in targets if isinstance(t, ast.Name) and t.id.isupper())


def test_no_two_modules_have_the_same_list_of_words() -> None:
    places: dict[frozenset[str], set[str]] = defaultdict(set)
    for path, found in lists().items():
        for words in found:
            places[words].add(path)
    assert {words: paths for words, paths in places.items() if len(paths) > 1}.keys() == ALIKE_ON_PURPOSE.keys()


@pytest.mark.parametrize(
    ("words", "home"),
    [
        ({"accuracy", "sparse_categorical_accuracy"}, "facts/metrics.py"),
        ({"accuracy", "val_accuracy", "loss", "val_loss"}, "facts/metrics.py"),
        ({"filters", "kernel_size", "strides"}, "facts/alignment.py"),
        ({"timeout", "memory", "died"}, "schema/submission.py"),
    ],
)
def test_a_list_that_answers_a_shared_question_is_at_its_one_place(words: set[str], home: str) -> None:
    assert {path for path, found in lists().items() if any(words <= one for one in found)} == {home}


@pytest.mark.parametrize(
    ("name", "home"),
    [
        (r"RECOGNI[SZ]ED", "facts/recognition.py"),
        (r"TIMES", "facts/language.py"),
        (r"ACCURACIES|ACCURACY_NAMES", "facts/metrics.py"),
        (r"CURVES", "facts/metrics.py"),
        (r"JUDGES", "facts/graded_model.py"),
    ],
)
def test_a_shared_constant_is_at_its_one_place(name: str, home: str) -> None:
    assert {path for path, tree in modules().items() if any(re.fullmatch(name, c) for c in constants(tree))} == {home}


@pytest.mark.parametrize(
    ("name", "home"),
    [
        ("aligned_rows", "facts/alignment.py"),
        ("graded_model", "facts/graded_model.py"),
        ("main_model", "facts/graded_model.py"),
        ("main_accuracy", "facts/graded_model.py"),
        ("known_rows", "facts/recognition.py"),
        ("metric_of", "facts/metrics.py"),
        ("Condition", "checks/support/conditions.py"),
    ],
)
def test_a_shared_question_has_one_answer(name: str, home: str) -> None:
    definitions = (ast.FunctionDef, ast.ClassDef)
    homes = {
        path
        for path, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, definitions) and node.name.lstrip("_") == name
    }
    assert homes == {home}


def used(tree: ast.AST) -> Counter[str]:
    """How often code uses each name, without imports and `__all__`."""
    found: Counter[str] = Counter()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found[node.id] += 1
        elif isinstance(node, ast.Attribute):
            found[node.attr] += 1
        elif isinstance(node, ast.Assign) and "__all__" in map(name_of, node.targets):
            found.subtract(words_of(node.value))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found[node.value] += 1  # named in a table, as by the lazy imports of a package
    return found


def test_no_function_is_there_for_tests_alone() -> None:
    root = PACKAGE.parent
    named = "\n".join(path.read_text("utf-8") for path in (*(root / "templates").glob("*.j2"), root / "pyproject.toml"))
    everywhere = sum((used(tree) for tree in modules().values()), Counter())
    unused = {
        node.name
        for path, tree in modules().items()
        if path not in FOR_THIRD_PARTIES
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not any(map(is_entry, node.decorator_list))
        and everywhere[node.name] <= used(node)[node.name]
        and node.name not in named
        # Python itself and pytest call those.
        and not node.name.startswith(("__", "pytest_"))
    }
    assert unused - USED_BY_ANOTHER_NAME.keys() == set()


def is_entry(decorator: ast.expr) -> bool:
    """Whether a decorator registers a function: as a check, a diagnostic, a mutation or a command."""
    call = ast.unparse(decorator).partition("(")[0]
    return call in {"check", "diagnostic", "mutation"} or call.endswith((".command", ".callback"))


def test_one_module_searches_for_the_nearest_name() -> None:
    users = {
        path
        for path, tree in modules().items()
        for node in ast.walk(tree)
        if "get_close_matches" in {getattr(node, "attr", None), getattr(node, "name", None)}
    }
    assert users == {"facts/nearest.py"}


def test_one_function_gives_the_modes_of_files_for_sandboxes() -> None:
    others = {
        path
        for path, tree in modules().items()
        if path.startswith(("datasets/", "execution/")) or path == "pipeline/canary.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "chmod"
        if "sandbox_mode" not in {getattr(part, "id", None) for part in ast.walk(node)}
    }
    # It closes the folders of one user to all others.
    assert others == {"execution/sandbox/other_user.py"}
