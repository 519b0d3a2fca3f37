"""Compare the submissions of a results folder. Nothing is executed or written."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from grader.delivery.roster import match, read_roster
from grader.facts.code_prints import code_prints, text_prints
from grader.facts.similarity import Comparison, Starter, compare
from grader.facts.traces import Traces, traces_of
from grader.grading.loader import LoadedRubric
from grader.intake.notebook import read_notebook
from grader.pipeline.course_folder import Assignment, find_assignment
from grader.pipeline.reference import reference_notebook
from grader.schema.errors import ArtefactError, GraderError, SubmissionPathError
from grader.schema.evidence import CellFact
from grader.schema.grade import SubmissionStamp
from grader.store.results import ResultsFolder

__all__ = ["ClassComparison", "compare_results", "groups_of", "starter_of", "starters_of"]


@dataclass(frozen=True, slots=True)
class ClassComparison:
    """The similar pairs of a results folder."""

    comparison: Comparison
    students: Mapping[str, str]
    """Id of a submission → name of the student."""
    unreadable: tuple[str, ...] = field(default=())
    """Ids of submissions whose evidence cannot be read."""


def compare_results(
    out: ResultsFolder,
    loaded: LoadedRubric | None = None,
    *,
    starters: Sequence[Path] = (),
    most: int = 100,
) -> ClassComparison:
    """Compare the submissions of a results folder.

    In a course folder, the assignment's starter is left out, and members of a group are not compared.

    Args:
        out: The results folder.
        loaded: The rubric; its assignment, its reference solution and its files are left out.
        starters: Further notebooks whose code and texts are left out.
        most: Number of pairs to list.

    Raises:
        SubmissionPathError: The folder has no results.
        NotebookError: A starter is not a notebook.
        UsageError: The course's `course.yaml` or roster is wrong.
    """
    assignment = find_assignment(out.root)
    of_course = (assignment.starter,) if assignment is not None and assignment.starter is not None else ()
    names = out.submissions()
    if not names:
        msg = "the folder has no results"
        raise SubmissionPathError(
            msg, where=str(out.root), advice="give the `--out` folder of a `grader grade` command"
        )
    course_files = tuple(file.target for file in loaded.files) if loaded else ()
    of_rubric = tuple(_notebooks_of(loaded)) if loaded else ()
    given = _different((*of_course, *starters), known=of_rubric)
    known = (*(starters_of(loaded) if loaded else ()), *map(starter_of, given))
    stamps = {name: _stamp(out, name) for name in names}
    students = {name: stamp.student or name for name, stamp in stamps.items()}
    groups = groups_of(assignment, stamps.values()) if assignment is not None else {}
    unreadable: list[str] = []

    def traces() -> Iterator[Traces]:
        for name, stamp in stamps.items():
            try:
                evidence = out.read_evidence(name)
            except ArtefactError:
                unreadable.append(name)
                continue
            if evidence is not None:
                unit = groups.get(name, "")
                yield traces_of(name, evidence, sha256=stamp.sha256, unit=unit, course_files=course_files)

    comparison = compare(traces(), known, most=most)
    return ClassComparison(comparison, students, tuple(unreadable))


def _different(paths: Iterable[Path], *, known: Iterable[Path]) -> tuple[Path, ...]:
    """Leave out files equal to an earlier or a known one, such as a course's copy of the rubric's notebook."""
    seen = {digest for path in known if (digest := _digest(path)) is not None}
    different = list[Path]()
    for path in paths:
        digest = _digest(path)
        if digest is None or digest not in seen:
            different.append(path)
        if digest is not None:
            seen.add(digest)
    return tuple(different)


def _digest(path: Path) -> bytes | None:
    """Digest a file; None if it cannot be read, which is an error later."""
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return None


def _stamp(out: ResultsFolder, name: str) -> SubmissionStamp:
    """Read the description of the submission in its grade; an empty one if there is no readable grade."""
    data = out.grade_data(name)
    try:
        return SubmissionStamp.model_validate(data["submission"] if isinstance(data, Mapping) else None)
    except (KeyError, ValidationError):
        return SubmissionStamp(id=name, student=name, files=(), sha256="")


def groups_of(assignment: Assignment, submissions: Iterable[SubmissionStamp]) -> Mapping[str, str]:
    """Map submissions to the groups of their students; submissions without a group are left out.

    Args:
        assignment: An assignment of a course.
        submissions: Descriptions of the submissions.

    Raises:
        UsageError: The roster cannot be read, or is wrong.
    """
    path = assignment.course.roster_path
    if path is None or not assignment.settings.groups:
        return {}
    matching = match(read_roster(path, addresses=False), tuple(submissions))
    return {name: f"group {student.group}" for name, student in matching.pairs.items() if student.group}


def starter_of(path: Path) -> Starter:
    """Read a notebook that all students know.

    Raises:
        NotebookError: It is not a notebook.
    """
    cells = [
        CellFact(index=at, kind="code" if cell.cell_type == "code" else "markdown", source=cell.source)
        for at, cell in enumerate(read_notebook(path).cells)
    ]
    return Starter(path.name, code_prints(cells), text_prints(cells))


def starters_of(loaded: LoadedRubric) -> Iterator[Starter]:
    """Read the notebooks of a rubric: the assignment next to it, and the reference solution.

    A notebook that cannot be read is left out, since the rubric's own errors name it.
    """
    for path in _notebooks_of(loaded):
        try:
            yield starter_of(path)
        except GraderError:
            continue


def _notebooks_of(loaded: LoadedRubric) -> Iterable[Path]:
    assignment = loaded.path.with_name(f"{loaded.path.stem}-assignment.ipynb")
    if assignment.is_file():
        yield assignment
    try:
        reference = reference_notebook(loaded)
    except GraderError:
        return
    if reference is not None:
        yield reference
