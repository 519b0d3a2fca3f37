"""The course folder is found from any path in it."""

from pathlib import Path

import pytest

from grader.pipeline.course_folder import find_assignment, find_course, open_course
from grader.schema.errors import UsageError

COURSE = """\
version: 1
title: Deep Learning
graders: [Ann Lee]
assignments:
  first: {rubric: mnist-cnn}
  second: {rubric: rubrics/own.yaml}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "course.yaml").write_text(COURSE)
    (tmp_path / "rubrics").mkdir()
    (tmp_path / "rubrics" / "own.yaml").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("results/first", "first"),
        ("results/second/ann/grade.json", "second"),
        ("submissions/second", "second"),
        ("submissions", None),
        ("results/third", None),
        ("rubrics", None),
    ],
)
def test_a_path_belongs_to_an_assignment_by_its_place(root: Path, path: str, name: str | None) -> None:
    found = find_assignment(root / path)
    assert (None if found is None else found.id) == name
    course = find_course(root / path)
    assert course is not None
    assert course.root == root


def test_a_path_outside_of_a_course_has_none(tmp_path: Path) -> None:
    assert find_course(tmp_path / "results") is None
    assert find_assignment(tmp_path) is None


@pytest.mark.parametrize("text", ["", "version: 1\nid: course\ncriteria: []\n"])
def test_a_rubric_of_the_same_name_is_no_course(tmp_path: Path, text: str) -> None:
    (tmp_path / "course.yaml").write_text(text)
    assert find_course(tmp_path) is None


def test_a_rubric_is_an_id_or_a_file_of_the_course(root: Path) -> None:
    course = open_course(root)
    assert [one.rubric for one in course.assignments] == ["mnist-cnn", str(root / "rubrics" / "own.yaml")]


def test_an_unknown_name_gets_the_nearest_one(root: Path) -> None:
    course = open_course(root)
    with pytest.raises(UsageError, match="did you mean 'second'"):
        course.assignment("secund")
    with pytest.raises(UsageError, match="did you mean 'Ann Lee'"):
        course.grader("Ann Le")
    assert course.grader("Ann Lee") == "Ann Lee"
