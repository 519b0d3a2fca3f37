"""Define the commands that execute notebooks: `grade`, `check` and `demo`."""

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grader.cli.course import AssignmentOption, CourseOutOption, CourseRubricOption, work_of
from grader.cli.echo import echo, echo_json
from grader.cli.exit_codes import BELOW, DONE, HARNESS
from grader.cli.language import in_language
from grader.cli.options import (
    AddressOption,
    AttemptsOption,
    Device,
    DeviceOption,
    Engine,
    EngineOption,
    FailUnder,
    FailUnderFull,
    Format,
    FormatOption,
    Isolation,
    IsolationOption,
    JobsOption,
    JsonOption,
    JudgementsOption,
    LanguageOption,
    NoResumeOption,
    OutOption,
    QuickOption,
    ReportOption,
    RubricOption,
    SeedOption,
    WarmOption,
    options_of,
)
from grader.cli.stopping import CONTINUE, stoppable, until_stopped

if TYPE_CHECKING:
    from grader.grading.loader import LoadedRubric
    from grader.intake.find import Found
    from grader.pipeline.class_list import ClassList
    from grader.pipeline.course import Course
    from grader.pipeline.course_folder import Assignment
    from grader.pipeline.setup import Bench, Options
    from grader.schema.grade import Grade
    from grader.schema.progress import Listener
    from grader.store.results import ResultsFolder

__all__ = ["check_command", "demo_command", "grade_command"]

_FIELDS_OF_ATTEMPTS = {"asked": True, "take": True, "taken": True, "why": True, "score": True}
"""Fields of several attempts that `--json` prints; `grade.json` has all of them."""


def grade_command(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH...",
            help="Notebooks, folders of them, or zips.",
            show_default="the submissions of the assignment, in a course folder",
        ),
    ] = None,
    rubric: CourseRubricOption = None,
    out: CourseOutOption = None,
    *,
    assignment: AssignmentOption = None,
    jobs: JobsOption = None,
    engine: EngineOption = Engine.LOCAL,
    address: AddressOption = None,
    isolation: IsolationOption = Isolation.AUTO,
    device: DeviceOption = Device.AUTO,
    attempts: AttemptsOption = None,
    seed: SeedOption = None,
    fail_under: FailUnder = None,
    no_resume: NoResumeOption = False,
    warm: WarmOption = None,
    judgements: JudgementsOption = None,
    language: LanguageOption = None,
    as_json: JsonOption = False,
) -> None:
    """Execute submissions in a sandbox, grade them, and write a report for each and a page for the class."""
    from grader.pipeline.rubrics import note_judgements
    from grader.store.results import ResultsFolder

    _check_engine(engine, address)
    if engine is Engine.RAY:
        from grader.cli.site import ray_address

        address = address or ray_address()
    work = work_of(context, paths, rubric, out, assignment)
    loaded = in_language(work.load(), language)
    options = options_of(isolation, device, jobs=jobs, attempts=attempts, seed=seed, resume=not no_resume, warm=warm)
    if judgements is not None:
        note_judgements(ResultsFolder(work.out), judgements)
    grades, course = _grade(
        work.paths, loaded, options, work.out, engine=engine, address=address, assignment=work.assignment
    )
    _print_grades(grades, loaded.rubric.title, work.out, _listed(grades, course, work.out), as_json=as_json)
    raise typer.Exit(_exit_code(grades, fail_under))


def _check_engine(engine: Engine, address: str | None) -> None:
    """Refuse a missing engine before anything is written."""
    from importlib.util import find_spec

    from grader.schema.errors import UsageError

    if engine is Engine.RAY and find_spec("ray") is None:
        msg = "Ray is not installed in the grader's Python"
        raise UsageError(msg, where="--engine ray", advice="run `pip install 'cnn-grader[ray]'`")
    if engine is Engine.LOCAL and address is not None:
        msg = "an address can only be used with Ray"
        raise UsageError(msg, where=f"--address {address}", advice="also give `--engine ray`")


def _grade(
    paths: Sequence[Path],
    loaded: "LoadedRubric",
    options: "Options",
    out: Path,
    *,
    own: bool = False,
    engine: Engine = Engine.LOCAL,
    address: str | None = None,
    assignment: "Assignment | None" = None,
) -> "tuple[tuple[Grade, ...], Course]":
    """Grade submissions with progress on the terminal; Ctrl-C prints the command to continue.

    Args:
        paths: Paths of submissions.
        loaded: The rubric.
        options: Options of the command line.
        out: Folder for the results.
        own: Whether an author checks a single notebook, without the reference.
        engine: Engine that runs the submissions.
        address: Address of Ray's cluster.
        assignment: The assignment of a course folder.

    Returns:
        The grades, and the course with its judgements.

    Raises:
        GraderError: Nothing was graded.
    """
    from grader.cli.memory import collecting, give_memory_back
    from grader.cli.terminal import announced, progress_on, terminal
    from grader.execution.sandbox.scratch import held_folder
    from grader.facts.language import english
    from grader.intake.companions import with_companions
    from grader.intake.find import find_all
    from grader.schema.errors import SubmissionPathError
    from grader.store.results import ResultsFolder

    give_memory_back()
    console = terminal(stderr=True)
    results = ResultsFolder(out)
    with ExitStack() as stack:
        zone = UTC if assignment is None else assignment.course.settings.zone
        secrets = () if assignment is None else assignment.course.secrets
        findings = find_all(paths, unpack_to=stack.enter_context(held_folder()), zone=zone)
        found = with_companions(findings.found, paths, own=own, without=(loaded.path, results.root, *secrets))
        if own and len(found) != 1:
            msg = f"there are {len(found)} submissions here, but `grader check` grades only one"
            raise SubmissionPathError(msg, where=str(paths[0]), advice="give one notebook, or use `grader grade`")
        begun = stack.enter_context(ExitStack())
        begun.enter_context(announced(console, _announcement(len(found))))
        bench = None if engine is Engine.RAY else _bench(stack, loaded, options, found)
        # Warm processes import TensorFlow meanwhile.
        from grader.cli.site import open_store
        from grader.pipeline.classroom import at_work, kept_of_others
        from grader.pipeline.course import load_course
        from grader.pipeline.course_folder import assignment_of
        from grader.pipeline.judgements import judged_course
        from grader.pipeline.rubrics import note_assignment, note_rubric

        if assignment is not None and assignment_of(results) != assignment:
            note_assignment(results, assignment.course.root, assignment.id)
        course = judged_course(load_course(loaded, open_store(may_download=True), compare=not own), results)
        grade_all, notices = _runner(bench, found, course, options, results, address)
        stack.enter_context(at_work(results))
        note_rubric(loaded, results)
        begun.close()
        for message in findings.notices:
            console.print(english(message), style="yellow", markup=False, soft_wrap=True)
        for warning in kept_of_others(found, results):
            console.print(warning, style="yellow", markup=False, soft_wrap=True)
        while notices:
            console.print(notices.pop(0), markup=False, soft_wrap=True)
        if options.isolation == "none":
            console.print("[bold red]without isolation:[/] the notebooks run with all your permissions on this machine")
        if options.isolation == "user":
            console.print("[bold]without a sandbox:[/] the notebooks see all that other users of this machine may see")
        words = "No results were stored; the same command starts again." if own else CONTINUE
        with stoppable(console, words) as stopping, progress_on(console) as listener:
            listener.begin(len(found))
            grades = grade_all(until_stopped(collecting(listener.step), stopping))
        for notice in notices:
            console.print(notice, markup=False, soft_wrap=True)
        return grades, course


def _announcement(count: int) -> str:
    from grader.facts.language import english
    from grader.schema.message import say_count

    said = say_count(
        "preparing to grade {count:number} submission", "preparing to grade {count:number} submissions", count
    )
    return english(said)


def _bench(stack: ExitStack, loaded: "LoadedRubric", options: "Options", found: "Sequence[Found]") -> "Bench":
    """Set up the executions on this machine; warm processes end with the stack."""
    from grader.pipeline.setup import executions_of, set_up, warmed

    bench = set_up(loaded, options, len(found))
    return stack.enter_context(warmed(bench, executions_of(len(found), loaded, options), loaded, found))


def _runner(  # noqa: PLR0917 - the parts of a class
    bench: "Bench | None",
    found: "Sequence[Found]",
    course: "Course",
    options: "Options",
    out: "ResultsFolder",
    address: str | None,
) -> "tuple[Callable[[Listener], tuple[Grade, ...]], list[str]]":
    """Choose the function that grades a class, on a bench or by Ray; the list collects notices while it runs."""
    from grader.pipeline.classroom import grade_class, run_class

    if bench is None:
        from grader.pipeline.ray.engine import RayEngine

        ray = RayEngine(course, options, out, address)
        return lambda listener: run_class(ray, found, course, out, listener), ray.notices
    return lambda listener: grade_class(found, course, bench, out, listener), bench.notices


def _listed(grades: "Sequence[Grade]", course: "Course", out: Path) -> "ClassList":
    """List the class: the submissions that were graded now, the others in the folder, and students without one."""
    from grader.pipeline.class_list import kept_row, list_class, row_of
    from grader.store.results import ResultsFolder

    results, now = ResultsFolder(out), {grade.submission.id for grade in grades}
    roster = course.assignment is not None and bool(course.assignment.course.students)
    names = [name for name in results.submissions() if name not in now] if roster else []
    others = [row for name in names if (row := kept_row(results, name, course)) is not None]
    return list_class([*(row_of(grade, course.ranked_by) for grade in grades), *others], course)


def _print_grades(grades: "Sequence[Grade]", title: str, out: Path, listed: "ClassList", *, as_json: bool) -> None:
    from grader.cli.terminal import class_lines, grades_table, late_lines, notes_of, problems_of, terminal
    from grader.schema.judgement import moment_text

    if as_json:
        rows = [
            {
                "submission": g.submission.id,
                "status": g.status,
                "reason": g.reason,
                "score": g.score,
                "max_score": g.max_score,
                "pending": g.pending,
                "borderline": g.borderline,
                "problems": g.problems,
                "notes": g.submission.notes,
                "submitted": g.submission.submitted and moment_text(g.submission.submitted),
                "late_points": None if g.late is None else g.late.points,
                "excused": g.excused is not None,
                "attempts": g.attempts and g.attempts.model_dump(mode="json", include=_FIELDS_OF_ATTEMPTS),
                "report": str(out / g.submission.id / "report.html"),
                "instructor": str(out / g.submission.id / "instructor.html"),
            }
            for g in grades
        ]
        absent = [
            {"student": one.student.label, "id": one.student.id, "email": one.student.email, "status": one.status}
            for one in listed.entries
            if one.student is not None and one.row is None
        ]
        summary = {"grades": rows, "index": str(out / "index.html")}
        echo_json(json.dumps({**summary, **({"absent": absent} if listed.roster else {})}, indent=1))
        return
    console = terminal()
    console.print(grades_table(grades, title, width=console.width))
    for line in (*notes_of(grades), *problems_of(grades), *late_lines(grades), *class_lines(listed)):
        console.print(line, soft_wrap=True)
    console.print(f"class page: {(out / 'index.html').resolve()}", soft_wrap=True)


def _exit_code(grades: "Sequence[Grade]", fail_under: float | None) -> int:
    if any(grade.status == "not_graded" for grade in grades):
        return HARNESS
    if fail_under is not None and any((grade.score or 0.0) < fail_under for grade in grades):
        return BELOW
    return DONE


def check_command(
    notebook: Annotated[Path, typer.Argument(metavar="NOTEBOOK", help="Your notebook.")],
    rubric: RubricOption,
    *,
    quick: QuickOption = False,
    format_: FormatOption = Format.TABLE,
    report: ReportOption = None,
    isolation: IsolationOption = Isolation.AUTO,
    device: DeviceOption = Device.AUTO,
    language: LanguageOption = None,
    fail_under: FailUnderFull = None,
) -> None:
    """Grade one notebook for its author or for CI, and print what is missing; exit with 1 below full marks."""
    from grader.cli.check_formats import exit_limit, output_of
    from grader.execution.sandbox.scratch import held_folder
    from grader.grading.public import without_hidden
    from grader.pipeline.rubrics import find_rubric
    from grader.report.edition import edition
    from grader.schema.errors import IsolationRefusedError
    from grader.store.results import ResultsFolder

    with output_of(format_, notebook) as output, held_folder() as folder:
        # Also the progress and the exit code depend only on what students may see.
        loaded = in_language(without_hidden(find_rubric(rubric)), language)
        if report is not None:
            _check_report(report, notebook, loaded.path)
        # One execution is enough for authors: it shows what is missing, not the effect of the seed.
        options = options_of(isolation, device, jobs=1, seed=None, attempts=1, resume=False, quick=quick)
        # The held folder is already locked, and a results folder needs its own lock.
        results = folder / "results"
        try:
            ((graded,), _) = _grade([notebook], loaded, options, results, own=True)
        except IsolationRefusedError as error:
            raise IsolationRefusedError(
                error.message, where=error.where, advice=IsolationRefusedError.own_notebook
            ) from error
        full = ResultsFolder(results).read_grade(graded.submission.id)
        if report is not None:
            _keep_report(ResultsFolder(results).report_path(graded.submission.id), report)
        grade = edition(full or graded, loaded.rubric, "student")
        output.write(grade, ResultsFolder(results), loaded.writer())
    raise typer.Exit(_exit_code([grade], exit_limit(grade, fail_under)))


def _check_report(report: Path, *inputs: Path) -> None:
    """Refuse a place for the report before anything runs.

    Raises:
        UsageError: The report would replace an input or a folder, or its folder does not exist.
    """
    from grader.facts.nearest import near_path
    from grader.schema.errors import UsageError

    where = f"--report {report}"
    if report.resolve() in {path.resolve() for path in inputs} or report.is_dir():
        msg = "the report would replace this folder" if report.is_dir() else "the report would replace this file"
        raise UsageError(msg, where=where, advice="name another file, such as report.html")
    if not report.absolute().parent.is_dir():
        msg = f"there is no folder {str(report.parent)!r}{near_path(report.parent)}"
        raise UsageError(msg, where=where, advice="make the folder first, or name another file")


def _keep_report(made: Path, report: Path) -> None:
    """Copy the report to the place that the command line names.

    Raises:
        StorageError: It cannot be written.
    """
    from grader.schema.errors import StorageError
    from grader.store.files import write_atomically

    if not made.is_file():
        msg = "the report could not be made"
        raise StorageError(msg, where=str(report))
    write_atomically(report, made.read_bytes())
    echo(f"report: {report}", err=True)


def demo_command(
    out: OutOption = Path("demo-results"),
    *,
    jobs: JobsOption = None,
    isolation: IsolationOption = Isolation.AUTO,
    warm: WarmOption = None,
) -> None:
    """Grade the sample submissions of the grader, and print the path of the class page."""
    from grader.cli.site import load_site
    from grader.cli.terminal import error_text, terminal
    from grader.pipeline.class_list import ClassList
    from grader.pipeline.rubrics import find_rubric
    from grader.pipeline.setup import set_up
    from grader.resources import share
    from grader.schema.errors import IsolationRefusedError

    loaded = in_language(find_rubric("mnist-cnn"), None)
    device = Device(load_site().settings.device or Device.AUTO)
    options = options_of(isolation, device, jobs=jobs, seed=None, resume=True, warm=warm)
    try:
        set_up(loaded, options)
    except IsolationRefusedError as error:
        if isolation is not Isolation.AUTO:
            raise
        console = terminal(stderr=True)
        console.print(error_text(error))
        console.print("[bold red]The samples are the grader's own, so they are graded without isolation.[/]")
        options = options_of(Isolation.NONE, device, jobs=jobs, seed=None, resume=True)
    grades, _ = _grade([share("examples") / loaded.rubric.id], loaded, options, out)
    _print_grades(grades, loaded.rubric.title, out, ClassList(()), as_json=False)
    raise typer.Exit(_exit_code(grades, None))
