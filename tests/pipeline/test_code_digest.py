"""What counts as a change of code, and what does not."""

import shutil
from pathlib import Path

import pytest

import grader
from grader.pipeline import code_digest
from grader.pipeline.code_digest import digest_code, digest_module, inside_code

MODULE = '''"""A module."""

import math
from grader.facts.wording import listed
from .core import Recorder


class Wall:
    """Keeps it out."""

    height: float = 2.0
    """Metres."""

    def high(self) -> bool:
        """Whether it is."""
        # A comment.
        return self.height > math.pi


def nothing() -> None:
    """Do nothing."""
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Keeps it out.", "Keeps them out."),
        ('"""Metres."""', '"""In metres."""'),
        ('    """Metres."""\n', ""),
        ("        # A comment.\n", ""),
        ("return self.height > math.pi", "return (\n            self.height > math.pi  # pi\n        )"),
        ("grader.facts.wording", "grader.checks.words"),
        ("from .core", "from ..record.core"),
        ('    """Do nothing."""', '    """Do nothing at all."""'),
        (
            "import math\nfrom grader.facts.wording import listed",
            "from grader.facts.wording import listed\nimport math",
        ),
    ],
)
def test_words_layout_and_the_places_of_own_modules_are_no_change(old: str, new: str) -> None:
    assert old in MODULE
    assert digest_module(MODULE.replace(old, new).encode()) == digest_module(MODULE.encode())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2.0", "2.5"),
        (">", ">="),
        ("math.pi", "math.e"),
        ("def nothing", "def nobody"),
        ("import listed", "import plural"),
        ("import math", "import cmath as math"),
        ('    """Do nothing."""', "    return 1"),
        ("height: float = 2.0", 'height: float = 2.0\n    word = "Metres."'),
    ],
)
def test_code_is_a_change(old: str, new: str) -> None:
    assert old in MODULE
    assert digest_module(MODULE.replace(old, new).encode()) != digest_module(MODULE.encode())


def test_what_is_no_python_counts_byte_for_byte() -> None:
    assert digest_module(b"def (:") != digest_module(b"def (: # why")


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the code that runs in a sandbox."""
    inside = next(Path(grader.__file__).parent.rglob("inside"))
    return Path(shutil.copytree(inside, tmp_path / "inside", ignore=shutil.ignore_patterns("__pycache__")))


def test_a_moved_file_of_the_recorder_executes_nothing_again(package: Path) -> None:
    before = digest_code(package.rglob("*.py"))
    assert before == inside_code()
    (package / "elsewhere").mkdir()
    moved = next(path for path in sorted(package.rglob("*.py")) if path.stat().st_size)
    moved.rename(package / "elsewhere" / "other_name.py")
    assert digest_code(package.rglob("*.py")) == before


def test_each_changed_line_of_the_recorder_executes_again(package: Path) -> None:
    before = digest_code(package.rglob("*.py"))
    for path in sorted(package.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        path.write_text(text + "\n# only words\n", encoding="utf-8")
        assert digest_code(package.rglob("*.py")) == before
        path.write_text(text + "\nADDED = 1\n", encoding="utf-8")
        assert digest_code(package.rglob("*.py")) != before
        path.write_text(text, encoding="utf-8")


def test_a_template_counts_byte_for_byte(tmp_path: Path) -> None:
    page = tmp_path / "page.html.j2"
    page.write_text("<p>", encoding="utf-8")
    before = digest_code([page])
    page.write_text("<p> ", encoding="utf-8")
    assert digest_code([page]) != before


def test_digests_are_remembered_by_content_and_damage_to_the_cache_costs_nothing(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache" / "digests.json"
    monkeypatch.setattr(code_digest, "_cache_path", lambda: cache)
    before = digest_code(package.rglob("*.py"))
    assert cache.is_file()
    digested: list[bytes] = []
    monkeypatch.setattr(code_digest, "digest_module", digested.append)
    assert digest_code(package.rglob("*.py")) == before
    assert digested == []
    monkeypatch.undo()
    monkeypatch.setattr(code_digest, "_cache_path", lambda: cache)
    cache.write_text("[1,", encoding="utf-8")
    assert digest_code(package.rglob("*.py")) == before
    monkeypatch.setattr(code_digest, "_cache_path", lambda: Path("/dev/null/digests.json"))
    assert digest_code(package.rglob("*.py")) == before
