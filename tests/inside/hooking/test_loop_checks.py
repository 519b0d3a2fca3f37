"""The checks in the student's loops: the code computes the same, and a loop can be ended between two iterations."""

import ast
import importlib.util
import re
from collections.abc import Callable, Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest

from grader.inside.hooking.loop_checks import LoopChecks, check_imports, lines_of, set_checker

LOOPS = Path(__file__).parents[2] / "notebooks" / "cells" / "loops.py"
PROGRAMS = dict(
    part.split("\n", 1) for part in re.split(r"^# %% ", LOOPS.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
)


def run(source: str, checks: bool = True) -> list[Any]:  # noqa: FBT001, FBT002 - both ways of one program
    names: dict[str, Any] = {"done": []}
    tree: Any = ast.parse(source)
    exec(compile(LoopChecks().visit(tree) if checks else tree, "cell", "exec"), names)  # noqa: S102 - the test's own
    found: list[Any] = names["done"]
    return found


class Ender:
    """Ends loops after some iterations."""

    def __init__(self, after: int) -> None:
        self.left = after
        self.entered: list[range] = []

    def enters(self, site: int) -> None:
        self.entered.append(lines_of(site))

    def ends(self, site: int) -> bool:
        del site
        self.left -= 1
        return self.left <= 0


@pytest.fixture
def checker() -> Iterator[Callable[[Any], None]]:
    yield set_checker
    set_checker(None)


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("asked", [False, True])
def test_the_code_computes_the_same(name: str, asked: bool, checker: Callable[[Any], None]) -> None:  # noqa: FBT001
    plain = run(PROGRAMS[name], checks=False)
    checker(Ender(10**6) if asked else None)
    assert run(PROGRAMS[name]) == plain


def test_a_loop_ends_after_a_whole_iteration(checker: Callable[[Any], None]) -> None:
    ender = Ender(2)
    checker(ender)
    source = "for i in range(9):\n    done.append(i)\n    done.append(-i)\ndone.append(('last', i))\n"
    assert run(source) == [0, 0, 1, -1, ("last", 1)]
    assert ender.entered == [range(1, 4)]


def test_a_loop_ends_at_continue_too(checker: Callable[[Any], None]) -> None:
    checker(Ender(3))
    assert run("for i in range(9):\n    done.append(i)\n    if i: continue\n    done.append('first')\n") == [
        0,
        "first",
        1,
        2,
    ]


def test_the_lines_of_an_error_do_not_change() -> None:
    source = "\nfor i in range(2):\n    done.append(i)\n    if i:\n        done.append(1 / 0)\n"
    with pytest.raises(ZeroDivisionError) as error:
        run(source)
    assert error.traceback[-1].lineno + 1 == 5


def test_a_module_in_the_students_folder_gets_checks_and_another_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checker: Callable[[Any], None]
) -> None:
    for folder in ("own", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "helper.py").write_text("done = []\nfor i in range(9):\n    done.append(i)\n")
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    kept = SourceFileLoader.source_to_code
    owner = next(cls for cls in SourceFileLoader.__mro__ if "source_to_code" in cls.__dict__)
    try:
        check_imports(tmp_path / "own")
        checker(Ender(1))
        found = {}
        for folder in ("own", "other"):
            spec = importlib.util.spec_from_file_location(f"helper_{folder}", tmp_path / folder / "helper.py")
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            found[folder] = len(module.done)
    finally:
        owner.source_to_code = kept  # type: ignore[attr-defined]
    assert found == {"own": 1, "other": 9}
