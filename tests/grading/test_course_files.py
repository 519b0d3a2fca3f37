"""Files of the course in a rubric: which are found, where they are placed, and what is an error."""

import hashlib
from pathlib import Path

import pytest

from grader.checks import all_checks
from grader.grading import load_rubric
from grader.schema.errors import RubricError

RUBRIC = """\
version: 1
id: sample
title: A sample
dataset: mnist
reference: solution.ipynb
files: {files}
criteria:
  - {{id: runs, points: 1, check: runs}}
"""


@pytest.fixture
def course(tmp_path: Path) -> Path:
    folder = tmp_path / "course"
    for name in (
        "utils.py",
        "data/train.csv",
        "data/test.csv",
        "data/.cache/x",
        "data/__pycache__/x.pyc",
        "solution.ipynb",
        "solution.evidence.json",
        "../shared/base.h5",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return folder


def targets(course: Path, files: str) -> dict[str, str]:
    """Load a rubric: place next to the notebook → the file's path relative to the rubric's folder."""
    path = course / "rubric.yaml"
    path.write_text(RUBRIC.format(files=files))
    loaded = load_rubric(path, all_checks())
    for file in loaded.files:
        assert file.sha256 == hashlib.sha256(file.source.read_bytes()).hexdigest()
    return {file.target: file.source.name for file in loaded.files}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ("[]", {}),
        ("[utils.py]", {"utils.py": "utils.py"}),
        ("[./utils.py, data/train.csv]", {"utils.py": "utils.py", "data/train.csv": "train.csv"}),
        ("[data]", {"data/train.csv": "train.csv", "data/test.csv": "test.csv"}),
        ("[data/]", {"data/train.csv": "train.csv", "data/test.csv": "test.csv"}),
        ("['data/t*.csv']", {"data/train.csv": "train.csv", "data/test.csv": "test.csv"}),
        ("['*.py']", {"utils.py": "utils.py"}),
        ("[../shared/base.h5]", {"base.h5": "base.h5"}),
        ("[../shared]", {"shared/base.h5": "base.h5"}),
        ("[{from: data/train.csv, to: train.csv}]", {"train.csv": "train.csv"}),
        ("[{from: data/train.csv, to: input/}]", {"input/train.csv": "train.csv"}),
        ("[{from: data, to: input}]", {"input/train.csv": "train.csv", "input/test.csv": "test.csv"}),
        ("[{from: 'data/*.csv', to: input}]", {"input/train.csv": "train.csv", "input/test.csv": "test.csv"}),
        ("[{from: data/train.csv}]", {"data/train.csv": "train.csv"}),
        ("[utils.py, utils.py]", {"utils.py": "utils.py"}),
    ],
)
def test_a_file_is_placed_next_to_the_notebook(course: Path, files: str, expected: dict[str, str]) -> None:
    assert targets(course, files) == expected


def test_a_pattern_never_gives_the_solution_away(course: Path) -> None:
    assert set(targets(course, "['*']")) == {"utils.py", "data/train.csv", "data/test.csv"}


@pytest.mark.parametrize(
    ("files", "place", "message"),
    [
        ("[utls.py]", "6:9", "there is no file or folder 'utls.py' next to the rubric; did you mean 'utils.py'?"),
        ("[data/trian.csv]", "6:9", "did you mean 'data/train.csv'?"),
        ("[{from: dta, to: x}]", "6:16", "there is no file or folder 'dta' next to the rubric; did you mean 'data'?"),
        ("['*.txt']", "6:9", "no file matches '*.txt' next to the rubric"),
        ("[solution.ipynb]", "6:9", "which no notebook may get"),
        ("[rubric.yaml]", "6:9", "which no notebook may get"),
        ("[{from: utils.py, to: ../x.py}]", "6:16", "must be a path below the notebook's folder"),
        ("[{from: utils.py, to: /etc/x.py}]", "6:16", "must be a path below the notebook's folder"),
        ("[.]", "6:9", "names the whole folder"),
        ("[utils.py, {from: data/test.csv, to: utils.py}]", "6:26", "two files of the course have the name 'utils.py'"),
        ("[{form: utils.py}]", "6:10", "'form'"),
        ("utils.py", "6:8", "must be a list"),
    ],
)
def test_a_wrong_entry_is_an_error_with_its_line(course: Path, files: str, place: str, message: str) -> None:
    with pytest.raises(RubricError) as caught:
        targets(course, files)
    text = f"{caught.value.where}: {caught.value.message}"
    assert message in text
    assert f"rubric.yaml:{place}" in text
