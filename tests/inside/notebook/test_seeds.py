"""Random numbers drawn by the kernel and its imports do not change the notebook's random numbers."""

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from grader.inside.notebook import seeds


@pytest.fixture
def noisy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[seeds._QuietImports]:
    """Make a package that draws during its import, and a finder that notices the import."""
    (tmp_path / "draws_at_import.py").write_text("import random\nvalue = random.random()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(seeds, "DRAWING", ("draws_at_import",))
    quiet = seeds._QuietImports()
    state, finders = random.getstate(), list(sys.meta_path)
    sys.meta_path.insert(0, quiet)
    yield quiet
    sys.meta_path[:] = finders
    sys.modules.pop("draws_at_import", None)
    random.setstate(state)


def _import_and_tell(quiet: seeds._QuietImports) -> None:
    quiet.imported(__import__("draws_at_import"))


def test_an_import_that_draws_leaves_the_next_draw_as_it_was(noisy: seeds._QuietImports) -> None:
    random.seed(3)
    expected = random.random()  # noqa: S311
    random.seed(3)
    _import_and_tell(noisy)
    assert random.random() == expected  # noqa: S311


def test_a_second_import_puts_nothing_back(noisy: seeds._QuietImports) -> None:
    _import_and_tell(noisy)
    random.seed(5)
    random.random()  # noqa: S311
    state = random.getstate()
    _import_and_tell(noisy)
    assert random.getstate() == state


def test_the_first_cell_finds_the_sessions_seed_whatever_was_drawn_before() -> None:
    state = random.getstate()
    try:
        random.seed(11)
        expected = random.random()  # noqa: S311
        random.random()  # noqa: S311
        seeds.start_cells(SimpleNamespace(session=SimpleNamespace(seed=11)))  # type: ignore[arg-type]
        assert random.random() == expected  # noqa: S311
    finally:
        random.setstate(state)
