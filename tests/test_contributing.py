"""The template in `CONTRIBUTING.md` is a check that works, and the tree there is the real one."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from grader.checks import all_checks, registry
from grader.schema.described import field_notes

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`([^`\n]+\.py)`:\n\n```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE))
CHECK, TEST = "grader/checks/layer_count.py", "tests/checks/test_layer_count.py"


def load(path: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Import a file of the page under the name that it has in the project."""
    name = path.removesuffix(".py").replace("/", ".")
    (folder / Path(path).name).write_text(FILES[path], encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, folder / Path(path).name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


def test_the_template_is_a_documented_check_and_its_tests_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # All built-in checks register before the copy is made.
    all_checks()
    monkeypatch.setattr(registry, "_CHECKS", dict(registry._CHECKS))
    all_checks.cache_clear()
    try:
        load(CHECK, tmp_path, monkeypatch)
        spec = all_checks()["layer_count"]
        tests = [value for name, value in vars(load(TEST, tmp_path, monkeypatch)).items() if name.startswith("test_")]
        assert len(tests) == 2
        for test in tests:
            test()
    finally:
        all_checks.cache_clear()
    assert all(heading in spec.doc for heading in ("What it does:", "Why it matters:", "Example:"))
    assert field_notes(spec.parameters).keys() == spec.parameters.model_fields.keys()


def test_the_tree_names_every_package() -> None:
    tree = TEXT.partition("```text\n")[2].partition("```")[0]
    named = set(re.findall(r"\b(\w+)/", tree)) - {"grader", "tests", "sandbox", "diagnostics", "support"}
    assert named - {"notebooks", "end_to_end", "fuzz", "hostile"} == {
        path.parent.name for path in (ROOT / "grader").glob("*/__init__.py")
    }


def test_every_file_that_the_page_names_exists() -> None:
    prose = re.sub(r"^```.*?^```$", "", TEXT, flags=re.DOTALL | re.MULTILINE)
    paths = re.findall(r"`((?:grader|tests|docs|tools|docker)/[\w/.-]+\w)`", prose)
    assert len(paths) > 5
    for path in paths:
        assert path in {CHECK, TEST} or (ROOT / path).exists(), path
