"""Execute and grade the reference solution like a submission."""

from dataclasses import replace
from pathlib import Path

from grader.datasets.store import DatasetStore
from grader.execution.sandbox.scratch import held_folder
from grader.grading.loader import LoadedRubric
from grader.intake.find import find_submissions
from grader.pipeline.canary import check_class, place_of
from grader.pipeline.course import assemble_course
from grader.pipeline.reference import reference_notebook
from grader.pipeline.setup import Options, set_up
from grader.pipeline.submission import grade_found
from grader.schema.errors import HarnessError, RubricError
from grader.schema.evidence import Evidence
from grader.schema.grade import Grade
from grader.schema.progress import Listener
from grader.store.results import ResultsFolder

__all__ = ["grade_alone", "verify_reference"]


def verify_reference(
    loaded: LoadedRubric, store: DatasetStore, options: Options, listener: Listener
) -> tuple[Grade, Evidence]:
    """Execute and grade the reference solution like a submission.

    Returns:
        Its grade and its evidence.

    Raises:
        RubricError: The rubric has no reference, or the notebook is missing.
        HarnessError: The reference could not be graded.
    """
    notebook = reference_notebook(loaded)
    if notebook is None:
        msg = "the rubric has no reference"
        raise RubricError(msg, where=str(loaded.path), advice="add `reference: NAME.ipynb`")
    return grade_alone(notebook, loaded, store, options, listener)


def grade_alone(
    notebook: Path, loaded: LoadedRubric, store: DatasetStore, options: Options, listener: Listener
) -> tuple[Grade, Evidence]:
    """Execute and grade one notebook of the course like a submission, without a comparison; nothing is kept.

    Returns:
        Its grade and its evidence.

    Raises:
        HarnessError: It could not be graded.
    """
    course = assemble_course(loaded, None, store)
    with held_folder() as folder:
        out = ResultsFolder(folder)
        found = find_submissions([notebook], unpack_to=folder / ".unpacked")[0]
        bench = set_up(loaded, replace(options, attempts=1))
        check_class(place_of(bench), [found], loaded)
        graded = grade_found(found, course, bench, out, listener)
        evidence = out.read_evidence(graded.submission.id)
    if graded.status == "not_graded" or evidence is None:
        raise HarnessError(graded.reason or "the notebook could not be graded", where=str(notebook))
    return graded, evidence
