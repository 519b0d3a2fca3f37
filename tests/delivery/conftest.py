"""A small class with results, for mails."""

from pathlib import Path

import pytest

from grader.schema.grade import Grade
from grader.store.results import ResultsFolder
from tests.report.conftest import browser
from tests.support.mailing import a_grade

__all__ = ["browser", "grade", "out"]


@pytest.fixture
def out(tmp_path: Path) -> ResultsFolder:
    """Results of three students."""
    results = ResultsFolder(tmp_path / "results")
    for name in ("amara", "ben", "chiara"):
        results.write_grade(a_grade(name))
    return results


@pytest.fixture
def grade() -> Grade:
    """A grade with a bit of everything."""
    return a_grade("amara")
