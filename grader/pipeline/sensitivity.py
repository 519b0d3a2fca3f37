"""Test the sensitivity of a rubric with the stored evidence of its reference solution."""

from grader.checks.registry import all_checks
from grader.grading.loader import LoadedRubric
from grader.grading.mutations.registry import all_mutations
from grader.grading.sensitivity import measure_sensitivity
from grader.pipeline.reference import read_reference
from grader.schema.errors import RubricError
from grader.schema.sensitivity import Sensitivity

__all__ = ["rubric_sensitivity"]


def rubric_sensitivity(loaded: LoadedRubric) -> Sensitivity:
    """Grade typical mistakes in the stored evidence of the rubric's reference solution; execute nothing.

    Raises:
        RubricError: The rubric has no reference, or the notebook is missing.
        ReferenceMissingError: The reference was never executed, or it changed afterwards.
    """
    evidence = read_reference(loaded)
    if evidence is None:
        msg = "the rubric has no reference"
        raise RubricError(msg, where=str(loaded.path), advice="add `reference: NAME.ipynb`")
    return measure_sensitivity(loaded.rubric, evidence, all_checks(), all_mutations())
