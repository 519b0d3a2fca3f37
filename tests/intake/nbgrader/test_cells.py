"""Cells with points are found in all versions of nbgrader's metadata."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.intake.nbgrader.cells import graded_notebook
from tests.support.nbgrader_course import cell, notebook


@pytest.mark.parametrize("version", [{}, {"schema_version": 1}, {"schema_version": 2}, {"schema_version": 3}])
def test_tests_and_answers_are_told_apart_in_every_version(version: dict[str, int]) -> None:
    read = graded_notebook(
        notebook(
            cell("code", "pass", **version, grade=False, solution=True, grade_id="own"),
            cell("code", "assert own", **version, grade=True, solution=False, grade_id="t", points=1.5),
            cell("markdown", "text", **version, grade=True, solution=True, grade_id="a", points="2"),
        ),
        "hw",
    )
    assert [(one.grade_id, one.kind, one.points) for one in read.cells] == [("t", "test", 1.5), ("a", "answer", 2.0)]
    assert read.problems == ()


def test_a_task_is_its_own_question_and_an_answer_is_none() -> None:
    read = graded_notebook(
        notebook(
            cell("markdown", "# Digits\n### Part **A** (2 points)\nWhy?"),
            cell("markdown", "## Not a heading", grade=True, solution=True, grade_id="a", points=1),
            cell("markdown", "## Part B [3 pts]", grade=False, solution=False, task=True, grade_id="b", points=1),
        ),
        "hw",
    )
    assert read.title == "Digits"
    assert [(one.kind, one.heading) for one in read.cells] == [("answer", "Part A"), ("task", "Part B")]
    assert read.cells[0].question.endswith("Why?")


@pytest.mark.parametrize(
    ("marks", "problem"),
    [
        ({"points": "many"}, "no readable points"),
        ({"points": float("nan")}, "no readable points"),
        ({}, "no readable points"),
        ({"points": 1, "grade_id": ""}, "no grade_id"),
        ({"points": 1, "schema_version": 9}, "unknown version 9"),
    ],
)
def test_what_cannot_be_read_is_listed_and_the_cell_is_kept(marks: dict[str, Any], problem: str) -> None:
    read = graded_notebook(notebook(cell("code", "x", **({"grade_id": "t", "grade": True} | marks))), "hw")
    assert len(read.cells) == 1
    assert problem in " ".join(read.problems)


def test_points_are_read_as_nbgrader_reads_them() -> None:
    cells = [cell("code", "x", grade=True, grade_id=str(n), points=points) for n, points in enumerate(["", -2, 0.5])]
    assert [one.points for one in graded_notebook(notebook(*cells), "hw").cells] == [0.0, 0.0, 0.5]


def test_two_cells_of_one_name_and_generated_tests_are_listed() -> None:
    same = cell("code", "### AUTOTEST f(1)", grade=True, grade_id="t", points=1)
    read = graded_notebook(notebook(same, same), "hw")
    assert len(read.cells) == 2
    assert "grade_id of an earlier cell" in " ".join(read.problems)
    assert "AUTOTEST" in " ".join(read.problems)


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["nbgrader", "x"]), inner, max_size=2),
    max_leaves=5,
)


@settings(max_examples=25)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(["cell_type", "source", "metadata"]), _ANY)
        | st.fixed_dictionaries(
            {
                "cell_type": st.sampled_from(["code", "markdown"]),
                "metadata": st.fixed_dictionaries(
                    {
                        "nbgrader": st.dictionaries(
                            st.sampled_from(["grade", "solution", "task", "grade_id", "points", "schema_version"]), _ANY
                        )
                    }
                ),
            }
        )
        | _ANY,
        max_size=4,
    )
)
def test_every_notebook_is_read_without_an_error(cells: list[Any]) -> None:
    graded_notebook({"cells": cells}, "hw")
