"""Draft a rubric for a solution: execute it or read its kept evidence, and grade it with the draft."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml
from pydantic import ValidationError

from grader.checks.registry import all_checks
from grader.datasets.store import DatasetStore
from grader.facts.nearest import near_path
from grader.grading.drafting.draft import Draft, Plan, bootstrap_rubric, make_draft
from grader.grading.drafting.registry import all_topics
from grader.grading.drafting.write import write_draft
from grader.grading.mutations.registry import all_mutations
from grader.grading.sensitivity import measure_sensitivity
from grader.intake.notebook import read_notebook
from grader.pipeline.reference import executed_same
from grader.pipeline.reference_run import verify_reference
from grader.pipeline.rubrics import rubric_of_text
from grader.pipeline.setup import Options
from grader.schema.errors import ArtefactError, ReferenceMissingError, SubmissionPathError
from grader.schema.evidence import Evidence
from grader.schema.progress import Listener, Step
from grader.schema.reference import ReferenceRecord
from grader.schema.sensitivity import Sensitivity
from grader.store.results import ResultsFolder

__all__ = ["Drafted", "draft_rubric", "executed_evidence", "kept_evidence", "named_datasets"]

_EVIDENCE = ".evidence.json"
_MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class Drafted:
    """A draft and its effect on the solution.

    Attributes:
        draft: The draft.
        text: Its YAML text.
        points: Points of the criteria that a check judges; the solution gets all of them.
        manual: Points that a person has to give.
        sensitivity: The mistakes that each criterion notices.
    """

    draft: Draft
    text: str
    points: float
    manual: float
    sensitivity: Sensitivity


def draft_rubric(plan: Plan, evidence: Evidence, path: Path) -> Drafted:
    """Draft a rubric, read its text like any rubric file, and test which mistakes it notices; execute nothing.

    Args:
        plan: The part that a person decides.
        evidence: The evidence of the solution.
        path: The file that the text is for.

    Raises:
        RubricError: The loader refuses the draft, which is an error of the grader.
    """
    draft = make_draft(plan, evidence, all_checks(), all_topics())
    text = write_draft(draft)
    rubric = rubric_of_text(text.encode(), path).rubric
    manual = sum(criterion.points for criterion in rubric.criteria if criterion.manual is not None)
    return Drafted(
        draft=draft,
        text=text,
        points=round(rubric.max_score - manual, 2),
        manual=manual,
        sensitivity=measure_sensitivity(rubric, evidence, all_checks(), all_mutations()),
    )


# ---------------------------------------------------------------------------------------------------------------------
# Evidence


def named_datasets(notebook: Path, store: DatasetStore) -> tuple[str, ...]:
    """List the data sets whose names the code of a notebook contains, in the order of the first mention.

    Raises:
        NotebookError: The file is no notebook.
        UnreadableError: It cannot be read.
    """
    cells = (cell for cell in read_notebook(notebook).cells if cell.cell_type == "code")
    code = "\n".join(str(cell.source) for cell in cells)
    places = {status.name: re.search(rf"\b{re.escape(status.name)}\b", code) for status in store.available()}
    return tuple(sorted((name for name, place in places.items() if place), key=lambda name: _start(places[name])))


def _start(match: re.Match[str] | None) -> int:
    return match.start() if match is not None else 0


def executed_evidence(  # noqa: PLR0913 - an execution depends on all of these
    plan: Plan, notebook: Path, datasets: Sequence[str], *, store: DatasetStore, options: Options, listener: Listener
) -> Evidence:
    """Execute a solution like a submission, and return its evidence.

    A notebook whose models learn parts of a data set is executed twice: the parts are known only after the first
    execution, and the accuracy on their test images is computed in the second.

    Args:
        plan: The part that a person decides.
        notebook: The solution.
        datasets: The data sets that it may load; models are judged on the first.
        store: The data sets of this machine.
        options: Options of the execution.
        listener: Progress listener.

    Raises:
        HarnessError: The notebook could not be executed.
    """
    own = replace(plan, reference=notebook.name)
    path = notebook.with_name(f"{plan.id}.yaml")
    first = yaml.safe_dump(bootstrap_rubric(own, datasets), sort_keys=False)
    quiet = _without_ends(listener)
    grade, evidence = verify_reference(rubric_of_text(first.encode(), path), store, options, quiet)
    draft = make_draft(own, evidence, all_checks(), all_topics())
    if draft.solution.tasks:
        text = write_draft(draft).encode()
        grade, evidence = verify_reference(rubric_of_text(text, path), store, options, quiet)
    listener(Step(submission=grade.submission.id, kind="done", text="executed"))
    return evidence


def _without_ends(listener: Listener) -> Listener:
    """Pass on progress without the outcome, which is a score for a rubric that nobody sees."""

    def listen(step: Step) -> None:
        if step.kind != "done":
            listener(step)

    return listen


def kept_evidence(notebook: Path, source: Path) -> Evidence:
    """Read the kept evidence of an earlier execution of a notebook.

    Args:
        notebook: The notebook, which must be unchanged.
        source: A results folder with the notebook among its submissions; or evidence that
            `grader rubric test --update` stored, or its folder.

    Raises:
        SubmissionPathError: There is no such place.
        ReferenceMissingError: The place has no evidence of this notebook.
        ArtefactError: The evidence cannot be read.
    """
    if not source.exists():
        msg = f"there is no {str(source)!r}{near_path(source)}"
        raise SubmissionPathError(msg, where=f"--from {source}")
    record = source if source.is_file() else source / f"{notebook.stem}{_EVIDENCE}"
    if record.is_file():
        return _recorded(record, notebook)
    return _graded(ResultsFolder(source), hashlib.sha256(notebook.read_bytes()).hexdigest())


def _recorded(path: Path, notebook: Path) -> Evidence:
    try:
        record = ReferenceRecord.model_validate_json(path.read_bytes())
    except ValidationError as error:
        msg = "this is no evidence that `grader rubric test --update` stored"
        raise ArtefactError(msg, where=str(path)) from error
    if not executed_same(record, notebook):
        msg = "the notebook changed after this evidence was stored"
        raise ReferenceMissingError(msg, where=str(path), advice="leave out `--from` to execute the notebook")
    return record.evidence


def _graded(results: ResultsFolder, digest: str) -> Evidence:
    submissions = results.submissions()
    for name in submissions:
        grade = results.read_grade(name)
        if grade is not None and grade.submission.sha256 == digest:
            evidence = results.read_evidence(name)
            if evidence is not None:
                return evidence
    msg = f"the results have no evidence of this notebook, only of {_listed(submissions)}"
    advice = "leave out `--from` to execute the notebook"
    raise ReferenceMissingError(msg, where=f"--from {results.root}", advice=advice)


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    more = f" and {len(shown) - _MOST_NAMED} more" if len(shown) > _MOST_NAMED else ""
    return (", ".join(shown[:_MOST_NAMED]) + more) or "no submission"
