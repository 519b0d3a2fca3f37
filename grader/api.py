"""The public functions: grade a class, check one notebook, grade again from kept evidence, load a rubric.

They do what the commands of the same names do. Import them from `grader`.
"""

import warnings
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Literal

from grader.datasets.store import DatasetStore
from grader.execution.sandbox.scratch import held_folder
from grader.facts.language import english
from grader.grading.loader import LoadedRubric
from grader.grading.public import without_hidden
from grader.intake.companions import with_companions
from grader.intake.find import find_all
from grader.pipeline.classroom import at_work, grade_class, kept_of_others
from grader.pipeline.course import load_course
from grader.pipeline.regrade import Regrade, course_of_results, regrade_class, rubric_of_results
from grader.pipeline.rubrics import checked_language, find_rubric, note_rubric
from grader.pipeline.setup import IsolationChoice, Options, executions_of, set_up, warmed
from grader.report.edition import edition
from grader.report.shown import enable_display, show
from grader.schema.errors import SubmissionPathError
from grader.schema.grade import Grade
from grader.schema.progress import Listener, Step
from grader.store.results import ResultsFolder

__all__ = ["check", "grade", "load_rubric", "regrade", "show"]

enable_display()


def load_rubric(rubric: str | Path) -> LoadedRubric:
    """Load and validate a rubric.

    Args:
        rubric: The id of a shipped rubric, such as `mnist-cnn`, or the path of a YAML file.

    Raises:
        RubricError: No such rubric exists, or the file has mistakes.

    Example:
        ```python
        loaded = grader.load_rubric("mnist-cnn")
        print([criterion.title for criterion in loaded.rubric.criteria])
        ```
    """
    return find_rubric(str(rubric))


def grade(  # noqa: PLR0913 - settings with defaults
    paths: str | Path | Iterable[str | Path],
    rubric: str | Path | LoadedRubric,
    out: str | Path,
    *,
    jobs: int | None = None,
    isolation: IsolationChoice = "auto",
    device: Literal["auto", "cpu", "gpu"] = "auto",
    attempts: int | None = None,
    seed: int | None = None,
    resume: bool = True,
    language: str | None = None,
    on_step: Callable[[Step], None] | None = None,
) -> tuple[Grade, ...]:
    """Execute submissions in a sandbox, grade them, and write the results folder.

    Notices about the machine and about older results in the folder are issued as warnings.

    Args:
        paths: Notebooks, folders of notebooks, or zip files.
        rubric: A shipped rubric's id, a YAML file, or a loaded rubric.
        out: The results folder.
        jobs: Submissions at the same time; None decides by the machine.
        isolation: The sandbox. `none` is only for notebooks that you trust.
        device: Where notebooks train.
        attempts: Executions of each notebook; None uses the rubric's number.
        seed: The seed; None uses the rubric's.
        resume: Whether to reuse kept executions whose inputs are unchanged.
        language: Language of the pages, such as `de`; None uses the rubric's, else English.
        on_step: Called with each step of each submission.

    Returns:
        A grade for each submission, in the order of the paths. These are the instructors' editions.

    Raises:
        GraderError: Nothing was graded. A failure in one submission is a grade with the status `not_graded`.

    Example:
        ```python
        grades = grader.grade("submissions", "mnist-cnn", "results")
        print([(grade.submission.student, grade.score) for grade in grades])
        ```
    """
    options = Options(isolation=isolation, device=device, jobs=jobs, seed=seed, attempts=attempts, resume=resume)
    given = [paths] if isinstance(paths, (str, Path)) else paths
    return _grade([Path(path) for path in given], _loaded(rubric, language), options, ResultsFolder(Path(out)), on_step)


def check(  # noqa: PLR0913 - the same
    notebook: str | Path,
    rubric: str | Path | LoadedRubric,
    *,
    out: str | Path | None = None,
    isolation: IsolationChoice = "auto",
    device: Literal["auto", "cpu", "gpu"] = "auto",
    seed: int | None = None,
    quick: bool = False,
    language: str | None = None,
    on_step: Callable[[Step], None] | None = None,
) -> Grade:
    """Grade one notebook for its own author.

    The notebook is executed once and is not compared with the reference solution.

    Args:
        notebook: The notebook.
        rubric: A shipped rubric's id, a YAML file, or a loaded rubric.
        out: A results folder to keep; without it no file is left.
        isolation: The sandbox. `none` is only for notebooks that you trust.
        device: Where the notebook trains.
        seed: The seed; None uses the rubric's.
        quick: Whether trainings are cut short, and nothing that depends on them is judged.
        language: Language of the report in `out`, such as `de`; None uses the rubric's, else English.
        on_step: Called with each step.

    Returns:
        The student's edition of the grade.

    Raises:
        GraderError: Nothing was graded. A failure during the execution is a grade with the status `not_graded`.

    Example:
        ```python
        grade = grader.check("x.ipynb", rubric="mnist-cnn")
        for criterion in grade.criteria:
            print(criterion.status, criterion.points, criterion.title, criterion.message)
        ```
    """
    options = Options(isolation=isolation, device=device, seed=seed, attempts=1, resume=False, quick=quick)
    with ExitStack() as stack:
        # The held folder is locked already; a results folder takes a lock of its own.
        folder = stack.enter_context(held_folder()) / "results" if out is None else Path(out)
        results = ResultsFolder(folder)
        loaded = without_hidden(_loaded(rubric, language))
        (graded,) = _grade([Path(notebook)], loaded, options, results, on_step, own=True)
        return edition(graded, loaded.rubric, "student")


def regrade(
    folder: str | Path,
    rubric: str | Path | LoadedRubric | None = None,
    *,
    language: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Regrade:
    """Grade every submission of a results folder again from its kept evidence; nothing is executed.

    Args:
        folder: The results folder of an earlier `grade`.
        rubric: A shipped rubric's id, a YAML file, or a loaded rubric; None uses the rubric of the earlier grades.
        language: Language of the pages, such as `de`, which later calls keep; None keeps the current language.
        on_progress: Called with the number of submissions done and their total.

    Returns:
        The number of submissions, and the changes.

    Raises:
        SubmissionPathError: The folder has no results.
        UsageError: It has grades of several rubrics and none was named, or the grader has no such language.
        HarnessError: The results cannot be read or written.

    Example:
        ```python
        result = grader.regrade("results", "my-rubric.yaml")
        print(result.changed, "of", result.total, "grades changed")
        ```
    """
    out = ResultsFolder(Path(folder))
    loaded = rubric_of_results(out, None if rubric is None else _loaded(rubric))
    course = course_of_results(out, _loaded(loaded, language))
    with out.at_work():
        return regrade_class(course, out, listener=on_progress or (lambda _done, _total: None))


def _loaded(rubric: str | Path | LoadedRubric, language: str | None = None) -> LoadedRubric:
    """Load a rubric, and set the language of pages if one is chosen."""
    loaded = rubric if isinstance(rubric, LoadedRubric) else load_rubric(rubric)
    return loaded if language is None else replace(loaded, language=checked_language(language, "language"))


def _grade(  # noqa: PLR0913 - the parts of a class
    paths: list[Path],
    loaded: LoadedRubric,
    options: Options,
    results: ResultsFolder,
    on_step: Listener | None,
    *,
    own: bool = False,
) -> tuple[Grade, ...]:
    """Grade the submissions at some paths; `own` is for one submission, without the reference."""
    with ExitStack() as stack:
        findings = find_all(paths, unpack_to=stack.enter_context(held_folder()))
        found = with_companions(findings.found, paths, own=own, without=(loaded.path, results.root))
        if own and len(found) != 1:
            msg = f"there are {len(found)} submissions here, and `check` grades one"
            raise SubmissionPathError(msg, where=str(paths[0]), advice="name one notebook, or use `grade`")
        executions = executions_of(len(found), loaded, options)
        bench = stack.enter_context(warmed(set_up(loaded, options, len(found)), executions, loaded, found))
        course = load_course(loaded, DatasetStore(may_download=True), compare=not own)
        stack.enter_context(at_work(results))
        note_rubric(loaded, results)
        notices = [*map(english, findings.notices), *kept_of_others(found, results)]
        outlines = grade_class(found, course, bench, results, on_step or (lambda _step: None))
        for notice in (*notices, *bench.notices):
            warnings.warn(notice, RuntimeWarning, stacklevel=3)
        # The pipeline keeps outlines in memory; the files have the whole grades.
        return tuple(results.read_grade(one.submission.id) or one for one in outlines)
