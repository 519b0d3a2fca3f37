"""Similar submissions of a results folder."""

import json
from pathlib import Path

import nbformat
import pytest

from grader.pipeline.rubrics import find_rubric
from grader.pipeline.similarity import compare_results
from grader.schema.errors import NotebookError, SubmissionPathError
from grader.store.results import ResultsFolder
from tests.support.copied_class import STARTER, TWINS, keep_copies, notebook_cells
from tests.support.factories import an_evidence


@pytest.fixture
def out(tmp_path: Path) -> ResultsFolder:
    """Results of three people, two of them with the same code; and honest twins."""
    folder = ResultsFolder(tmp_path / "results" / "first")
    keep_copies(folder)
    return folder


def _starter(path: Path) -> Path:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in STARTER])
    nbformat.write(notebook, path)
    return path


def test_a_results_folder_is_compared_with_the_names_of_students(out: ResultsFolder, tmp_path: Path) -> None:
    result = compare_results(out, starters=[_starter(tmp_path / "handout.ipynb")])
    similarity = result.comparison.similarity
    assert [(pair.first, pair.second, pair.strength) for pair in similarity.pairs] == [
        ("amara", "anton", "strong"),
        (*TWINS, "explained"),
    ]
    assert similarity.starter == ("handout.ipynb",)
    assert result.students["anton"] == "Anton"
    known = result.comparison.known_lines(TWINS[0])
    assert (1, 1) in known
    assert all(cell < len(STARTER) for cell, _ in known)


def test_damaged_evidence_is_left_out_and_named(out: ResultsFolder) -> None:
    (out.evidence_folder("amara") / "evidence.json").write_text("{", encoding="utf-8")
    (out.grade_path("anton")).write_text("[]", encoding="utf-8")
    result = compare_results(out)
    assert result.unreadable == ("amara",)
    assert result.comparison.similarity.submissions == len(out.submissions()) - 1
    assert result.students["anton"] == "anton"


def test_the_assignment_and_the_reference_of_a_shipped_rubric_are_left_out(tmp_path: Path) -> None:
    loaded = find_rubric("mnist-cnn")
    cells = notebook_cells("reference/mnist-cnn")
    folder = ResultsFolder(tmp_path)
    for name in ("one", "two"):
        folder.write_evidence(name, an_evidence(cells=cells, fits=(), accuracies=()))
    assert compare_results(folder).comparison.similarity.pairs[0].strength == "strong"
    similarity = compare_results(folder, loaded).comparison.similarity
    assert similarity.pairs == ()
    assert similarity.starter == ("mnist-cnn-assignment.ipynb", "mnist-cnn.ipynb")


def test_a_starter_that_is_the_assignment_of_the_rubric_is_listed_once(out: ResultsFolder, tmp_path: Path) -> None:
    loaded = find_rubric("mnist-cnn")
    (tmp_path / "copy.ipynb").write_bytes(loaded.path.with_name("mnist-cnn-assignment.ipynb").read_bytes())
    assignment = {"rubric": "mnist-cnn", "starter": "copy.ipynb"}
    course = {"version": 1, "title": "Vision", "assignments": {"first": assignment}}
    (tmp_path / "course.yaml").write_text(json.dumps(course), encoding="utf-8")
    similarity = compare_results(out, loaded, starters=[tmp_path / "copy.ipynb"]).comparison.similarity
    assert similarity.starter == ("mnist-cnn-assignment.ipynb", "mnist-cnn.ipynb")


def test_a_course_names_the_starter_and_the_groups(out: ResultsFolder, tmp_path: Path) -> None:
    _starter(tmp_path / "handout.ipynb")
    assignment = {"rubric": "mnist-cnn", "starter": "handout.ipynb", "groups": True}
    course = {"version": 1, "title": "Vision", "roster": "roster.csv", "assignments": {"first": assignment}}
    (tmp_path / "course.yaml").write_text(json.dumps(course), encoding="utf-8")
    roster = "id,name,email,group\namara,Amara,a@example.org,7\nanton,Anton,b@example.org,7\nben,Ben,c@example.org,8\n"
    (tmp_path / "roster.csv").write_text(roster, encoding="utf-8")
    similarity = compare_results(out).comparison.similarity
    assert similarity.starter == ("handout.ipynb",)
    assert [(pair.first, pair.second, pair.strength) for pair in similarity.pairs] == [(*TWINS, "explained")]


def test_an_empty_folder_and_a_wrong_starter_are_errors(out: ResultsFolder, tmp_path: Path) -> None:
    with pytest.raises(SubmissionPathError, match="no results"):
        compare_results(ResultsFolder(tmp_path / "empty"))
    (tmp_path / "starter.ipynb").write_text("no notebook", encoding="utf-8")
    with pytest.raises(NotebookError):
        compare_results(out, starters=[tmp_path / "starter.ipynb"])
