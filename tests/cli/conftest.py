"""A course, and a place for results."""

import shutil
from pathlib import Path

import pytest

from tests.support.command import a_course


@pytest.fixture(scope="session")
def course_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course with its data, made once."""
    return a_course(tmp_path_factory.mktemp("course")).parent


@pytest.fixture
def rubric(course_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the course's rubric that a test may change; the command finds its data."""
    monkeypatch.setenv("GRADER_DATA", str(course_folder / "data"))
    return Path(shutil.copy(course_folder / "tiny.yaml", tmp_path / "tiny.yaml"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where results go; not there yet."""
    return tmp_path / "results"
