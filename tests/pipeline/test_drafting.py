"""Drafts from kept evidence, and the data sets that a notebook names."""

import hashlib
import shutil
from pathlib import Path

import nbformat
import pytest

from grader.datasets.store import DatasetStore
from grader.grading.drafting.draft import Plan
from grader.pipeline.drafting import draft_rubric, kept_evidence, named_datasets
from grader.resources import share
from grader.schema.errors import ArtefactError, ReferenceMissingError, SubmissionPathError
from grader.schema.evidence import Evidence
from grader.schema.grade import Grade
from grader.store.results import ResultsFolder
from tests.support.factories import a_run, an_evidence
from tests.support.mailing import a_grade


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    cells = [
        nbformat.v4.new_code_cell("from keras.datasets import fashion_mnist, mnist"),
        nbformat.v4.new_code_cell("1"),
    ]
    path = tmp_path / "solution.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def _keep(folder: Path, notebook: Path, evidence: Evidence) -> Path:
    results = ResultsFolder(folder)
    grade: Grade = a_grade()
    digest = hashlib.sha256(notebook.read_bytes()).hexdigest()
    results.write_grade(grade.model_copy(update={"submission": grade.submission.model_copy(update={"sha256": digest})}))
    results.write_evidence(grade.submission.id, evidence)
    return folder


def test_kept_evidence_of_the_same_notebook_is_used(notebook: Path, tmp_path: Path) -> None:
    evidence = an_evidence(run=a_run(seconds=77.0))
    kept = kept_evidence(notebook, _keep(tmp_path / "results", notebook, evidence))
    assert kept.run.seconds == 77.0


def test_evidence_of_another_notebook_is_refused(notebook: Path, tmp_path: Path) -> None:
    results = _keep(tmp_path / "results", notebook, an_evidence())
    notebook.write_text(notebook.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    with pytest.raises(ReferenceMissingError, match="no evidence of this notebook, only of"):
        kept_evidence(notebook, results)
    with pytest.raises(ReferenceMissingError, match="only of no submission"):
        kept_evidence(notebook, tmp_path)


def test_evidence_next_to_a_reference_is_used_while_the_notebook_is_unchanged(tmp_path: Path) -> None:
    for name in ("parameter-golf.ipynb", "parameter-golf.evidence.json"):
        shutil.copy(share("reference") / name, tmp_path)
    notebook, record = tmp_path / "parameter-golf.ipynb", tmp_path / "parameter-golf.evidence.json"
    assert kept_evidence(notebook, tmp_path) == kept_evidence(notebook, record)
    content = nbformat.read(notebook, as_version=4)
    cell = next(cell for cell in content.cells if cell.cell_type == "code")
    source = cell.source
    cell.source = f"### BEGIN SOLUTION\n{source}\n### END SOLUTION"
    nbformat.write(content, notebook)
    assert kept_evidence(notebook, tmp_path).run.status == "completed"  # markers of `grader release` change no result
    cell.source = f"{source}\n1"
    nbformat.write(content, notebook)
    with pytest.raises(ReferenceMissingError, match="the notebook changed"):
        kept_evidence(notebook, record)


def test_a_missing_place_and_a_wrong_file_are_refused(notebook: Path, tmp_path: Path) -> None:
    with pytest.raises(SubmissionPathError, match="there is no"):
        kept_evidence(notebook, tmp_path / "nowhere")
    with pytest.raises(ArtefactError, match="this is no evidence"):
        kept_evidence(notebook, notebook)


def test_data_sets_are_read_from_the_code_in_their_order(notebook: Path, tmp_path: Path) -> None:
    assert named_datasets(notebook, DatasetStore(tmp_path / "data")) == ("fashion_mnist", "mnist")


def test_a_draft_comes_with_its_points_and_the_mistakes_it_notices(tmp_path: Path) -> None:
    plan = Plan(id="draft", title="A draft", points=50)
    drafted = draft_rubric(plan, an_evidence(), tmp_path / "draft.yaml")
    assert drafted.points + drafted.manual == 50
    assert {one.id: one.state for one in drafted.sensitivity.criteria}["accuracy"] == "reacts"
    assert not list(tmp_path.iterdir())
