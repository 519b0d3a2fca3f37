"""Rubrics by id or by file."""

from pathlib import Path

import pytest

from grader.pipeline.rubrics import find_rubric
from grader.schema.errors import RubricError


def test_a_folder_with_the_name_of_a_shipped_rubric_does_not_hide_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mnist-cnn").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_rubric("mnist-cnn").rubric.id == "mnist-cnn"


def test_a_folder_is_no_rubric(tmp_path: Path) -> None:
    with pytest.raises(RubricError, match="cannot be read"):
        find_rubric(str(tmp_path))
