"""The grade of a notebook that was not executed: its text counts, a person judges the rest."""

from typing import Any

import nbformat
import pytest

from grader.checks import all_checks
from grader.grading import rejected
from grader.pipeline.publish import refused_evidence
from grader.schema.errors import NotebookError
from grader.schema.grade import CriterionGrade
from tests.support.factories import a_rubric, a_stamp, a_submission

TEXT = {"check": "text", "with": {"min_words": 3}}
RUNS = {"check": "runs"}
LAYER = {"check": "has_layer", "with": {"layer": "Conv2D"}}


def refused(*cells: Any, **criterion: Any) -> CriterionGrade:
    """Grade a criterion of a notebook in R with these cells."""
    error = NotebookError("the notebook is written in R", advice="choose a Python 3 kernel")
    evidence = refused_evidence(nbformat.v4.new_notebook(cells=list(cells)), error)
    rubric = a_rubric({"id": "c", "points": 10, **criterion})
    graded = rejected(a_submission(), a_stamp(), rubric, error, evidence=evidence, checks=all_checks())
    assert (graded.score, graded.pending) == (
        graded.criteria[0].points,
        10 if graded.criteria[0].status == "pending" else 0,
    )
    return graded.criteria[0]


def essay(words: str = "layers see small patches") -> Any:
    return nbformat.v4.new_markdown_cell(words)


CODE = nbformat.v4.new_code_cell("x <- 1")


@pytest.mark.parametrize(
    ("criterion", "cells", "status"),
    [
        (TEXT, (essay(), CODE), "passed"),
        (TEXT, (essay("two words"), CODE), "failed"),
        (TEXT, (CODE,), "failed"),
        (RUNS, (essay(), CODE), "failed"),
        (LAYER, (essay(), CODE), "failed"),
        ({"all_of": [TEXT, RUNS]}, (essay(), CODE), "failed"),
        ({"any_of": [RUNS, TEXT]}, (essay(), CODE), "passed"),
        ({"all_of": [TEXT, {**TEXT, "with": {"all": ["patches"]}}]}, (essay(), CODE), "passed"),
        ({"manual": {"guide": "Names the layers."}}, (essay(), CODE), "pending"),
    ],
)
def test_what_only_reads_the_cells_is_judged(criterion: dict[str, Any], cells: tuple[Any, ...], status: str) -> None:
    assert refused(*cells, **criterion).status == status


def test_each_criterion_that_needs_an_execution_names_the_reason() -> None:
    line = refused(essay(), CODE, **RUNS)
    assert "the notebook is written in R" in line.message
    assert "Python 3 kernel" in line.advice


def test_a_person_is_shown_the_guide_and_the_reason() -> None:
    line = refused(essay(), CODE, manual={"guide": "Names the layers."})
    assert "Names the layers." in line.message
    assert "the notebook is written in R" in line.message
