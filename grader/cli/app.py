"""The command line: parses, calls the pipeline, prints. Heavy imports wait until a command needs them."""

import json
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from grader import __version__

if TYPE_CHECKING:
    from rich.console import Console

    from grader.grading.loader import LoadedRubric
    from grader.intake.find import Found
    from grader.pipeline.course import Course
    from grader.pipeline.regrade import Regrade
    from grader.pipeline.setup import Options
    from grader.schema.grade import Grade
    from grader.schema.progress import Listener, Step
    from grader.store.results import ResultsFolder

__all__ = ["app", "main"]

DONE, BELOW, USAGE, HARNESS = 0, 1, 2, 3
"""Exit codes: done; graded but below what was asked for; usage or rubric error; something could not be graded."""

_MOST_LISTED = 40
"""Changed submissions that a regrade lists on the terminal; a file has them all."""
_TOLD_OF_ATTEMPTS = {"asked": True, "take": True, "taken": True, "why": True, "score": True}
"""What `--json` tells of several attempts; each one is in `grade.json`."""
_NO_RESUME = "--no-resume"
_GOES_ON = "What is done is kept. This goes on:"
_SETTINGS = {"help_option_names": ["-h", "--help"]}
app = typer.Typer(
    name="grader",
    help="Grade CNN assignments: execute a notebook once in a sandbox, record what its training really was, and judge "
    "the record against a rubric.",
    no_args_is_help=True,
    add_completion=False,
    context_settings=_SETTINGS,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
rubric_app = typer.Typer(help="List, show, validate and test rubrics.", no_args_is_help=True, rich_markup_mode=None)
data_app = typer.Typer(help="List, find, fetch and import data sets.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(rubric_app, name="rubric")
app.add_typer(data_app, name="data")


class Isolation(StrEnum):
    """How notebooks are kept apart from this machine."""

    AUTO = "auto"
    BUBBLEWRAP = "bubblewrap"
    CONTAINER = "container"
    NONE = "none"


class Device(StrEnum):
    """Where notebooks train."""

    AUTO = "auto"
    CPU = "cpu"
    GPU = "gpu"


class Engine(StrEnum):
    """What runs a class's submissions."""

    LOCAL = "local"
    RAY = "ray"


class Format(StrEnum):
    """How `check` says its result."""

    TABLE = "table"
    JSON = "json"


def _jobs(text: str) -> int | None:
    """Read `--jobs`."""
    if text == "auto":
        return None
    if text.isdecimal() and int(text) > 0:
        return int(text)
    msg = f"{text!r} is neither `auto` nor a number from 1"
    raise typer.BadParameter(msg)


RubricOption = Annotated[
    str, typer.Option("--rubric", metavar="ID|FILE", help="A shipped rubric's id, or a YAML file.")
]
IsolationOption = Annotated[
    Isolation, typer.Option(help="Sandbox: bubblewrap, a container, or none (only for notebooks you trust).")
]
DeviceOption = Annotated[Device, typer.Option(help="Where notebooks train.")]
EngineOption = Annotated[Engine, typer.Option(help="What runs the submissions: this machine, or a cluster of Ray.")]
AddressOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS", help="Ray's cluster, HOST:PORT or `auto`; by default RAY_ADDRESS, else this machine alone."
    ),
]
SeedOption = Annotated[int | None, typer.Option(min=0, max=2**32 - 1, help="Seed instead of the rubric's.")]
JobsOption = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        metavar="N|auto",
        parser=_jobs,
        help="Submissions at a time on each machine; auto: two cores each, or a GPU each, as far as the memory goes.",
    ),
]
AttemptsOption = Annotated[
    int | None,
    typer.Option(
        "--attempts", metavar="K", min=1, max=20, help="Executions of each notebook, instead of the rubric's number."
    ),
]
WarmOption = Annotated[
    bool | None,
    typer.Option(
        "--warm/--no-warm",
        help="Fork kernels from a process that has imported TensorFlow already; default: for two or more executions.",
    ),
]
RubricArgument = Annotated[
    str, typer.Argument(metavar="ID|FILE", help="Id of a shipped rubric, or a YAML file.", show_default=False)
]
DatasetArgument = Annotated[str, typer.Argument(help="What `grader data list` calls it.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
FailUnder = Annotated[
    float | None, typer.Option("--fail-under", metavar="P", min=0, help="Exit with 1 where a score is below P points.")
]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with the contract's exit code.

    Args:
        arguments: Words after `grader`; by default those of the process.
    """
    from grader.schema.errors import GraderError

    try:
        app(args=None if arguments is None else list(arguments), prog_name="grader")
    except GraderError as error:
        from grader.cli.terminal import error_text, terminal

        terminal(stderr=True).print(error_text(error))
        sys.exit(error.exit_code or HARNESS)
    except Exception as error:
        # Nobody wants to read a traceback, and its exit code 1 means another thing.
        from grader.cli.terminal import fault_text, terminal

        if os.environ.get("GRADER_TRACEBACK"):
            raise
        terminal(stderr=True).print(fault_text(error))
        sys.exit(HARNESS)
    sys.exit(DONE)


def _version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"grader {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *, version: Annotated[bool, typer.Option("--version", callback=lambda v: _version(wanted=v), is_eager=True)] = False
) -> None:
    """Take what stands before a command."""


# --- grading ---------------------------------------------------------------------------------------------------


@app.command("grade")
def grade_command(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Notebooks, folders of them, or zips.")],
    rubric: RubricOption,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where results are written.")],
    *,
    jobs: JobsOption = None,
    engine: EngineOption = Engine.LOCAL,
    address: AddressOption = None,
    isolation: IsolationOption = Isolation.AUTO,
    device: DeviceOption = Device.AUTO,
    attempts: AttemptsOption = None,
    seed: SeedOption = None,
    fail_under: FailUnder = None,
    no_resume: Annotated[bool, typer.Option(_NO_RESUME, help="Execute again what was executed before.")] = False,
    warm: WarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Execute submissions in a sandbox, grade them, and write a report for each and a page for the class."""
    from grader.pipeline import course as courses

    _check_engine(engine, address)
    loaded = courses.find_rubric(rubric)
    options = _options(isolation, device, jobs=jobs, attempts=attempts, seed=seed, resume=not no_resume, warm=warm)
    grades = _grade(paths, loaded, options, out, engine=engine, address=address)
    _print_grades(grades, loaded.rubric.title, out, as_json=as_json)
    raise typer.Exit(_exit_code(grades, fail_under))


def _check_engine(engine: Engine, address: str | None) -> None:
    """Refuse an engine that is not there before anything is written."""
    from importlib.util import find_spec

    from grader.schema.errors import UsageError

    if engine is Engine.RAY and find_spec("ray") is None:
        msg = "Ray is not installed in the grader's Python"
        raise UsageError(msg, where="--engine ray", advice="run `pip install 'cnn-grader[ray]'`")
    if engine is Engine.LOCAL and address is not None:
        msg = "only Ray has an address"
        raise UsageError(msg, where=f"--address {address}", advice="say `--engine ray` as well")


def _options(
    isolation: Isolation,
    device: Device,
    *,
    jobs: int | None,
    seed: int | None,
    resume: bool,
    attempts: int | None = None,
    warm: bool | None = None,
) -> "Options":
    from grader.pipeline.setup import Options

    return Options(
        isolation=isolation.value,
        device=device.value,
        jobs=jobs,
        seed=seed,
        attempts=attempts,
        resume=resume,
        warm=warm,
    )


def _grade(
    paths: Sequence[Path],
    loaded: "LoadedRubric",
    options: "Options",
    out: Path,
    *,
    own: bool = False,
    engine: Engine = Engine.LOCAL,
    address: str | None = None,
) -> "tuple[Grade, ...]":
    """Grade what lies at the paths, with progress on the terminal; Ctrl-C says how to go on.

    Args:
        paths: What was named.
        loaded: The rubric.
        options: Of the command line.
        out: Where results are written.
        own: Whether this is an author's own run: of one submission, without the reference.
        engine: What runs the submissions.
        address: Of Ray's cluster.

    Raises:
        GraderError: Nothing was graded.
    """
    from grader.cli.terminal import progress_on, terminal
    from grader.datasets.store import DatasetStore
    from grader.execution.sandbox.scratch import held_folder
    from grader.intake.find import find_submissions
    from grader.pipeline import course as courses
    from grader.pipeline import submission as pipeline
    from grader.schema.errors import SubmissionPathError
    from grader.store.results import ResultsFolder

    console = terminal(stderr=True)
    results = ResultsFolder(out)
    with ExitStack() as stack:
        found = find_submissions(paths, unpack_to=stack.enter_context(held_folder()))
        if own and len(found) != 1:
            msg = f"there are {len(found)} submissions here, and `grader check` looks at one"
            raise SubmissionPathError(msg, where=str(paths[0]), advice="name one notebook, or use `grader grade`")
        course = courses.load_course(loaded, DatasetStore(may_download=True), compare=not own)
        grade_all, notices = _runner(engine, found, course, options, results, address)
        stack.enter_context(pipeline.at_work(results))
        courses.note_rubric(loaded, results)
        for warning in pipeline.kept_of_others(found, results):
            console.print(warning, style="yellow", markup=False, soft_wrap=True)
        while notices:
            console.print(notices.pop(0), markup=False, soft_wrap=True)
        if options.isolation == "none":
            console.print("[bold red]without isolation:[/] the notebooks run with all your rights on this machine")
        words = "Nothing is kept: the same command begins again." if own else _GOES_ON
        with _stoppable(console, words) as stopping, progress_on(console) as listener:
            listener.begin(len(found))
            grades = grade_all(_until_stopped(listener.step, stopping))
        for notice in notices:
            console.print(notice, markup=False, soft_wrap=True)
        return grades


def _runner(  # noqa: PLR0917 - the parts of a class
    engine: Engine,
    found: "Sequence[Found]",
    course: "Course",
    options: "Options",
    out: "ResultsFolder",
    address: str | None,
) -> "tuple[Callable[[Listener], tuple[Grade, ...]], list[str]]":
    """Choose what grades a class; the list fills with notices while it does."""
    from grader.pipeline import setup as workbench
    from grader.pipeline import submission as pipeline

    if engine is Engine.RAY:
        from grader.pipeline.ray.engine import RayEngine

        ray = RayEngine(course, options, out, address)
        return lambda listener: pipeline.run_class(ray, found, course, out, listener), ray.notices
    bench = workbench.set_up(course.loaded, options, len(found))
    return lambda listener: pipeline.grade_class(found, course, bench, out, listener), bench.notices


@contextmanager
def _stoppable(console: "Console", words: str = _GOES_ON) -> Iterator[list[int]]:
    """Stop on the first signal in good order, and on the second at once: what that leaves the next run removes.

    Args:
        console: Where it is told.
        words: What becomes of what is done; after a colon comes the command that goes on.

    Yields:
        A list that is empty until there was a signal, and then holds its number.

    Raises:
        Exit: There was a signal.
    """
    stopping: list[int] = []

    def stop(number: int, _: object) -> None:
        if stopping:
            # Sandboxes and workers die with this process.
            console.show_cursor()
            os._exit(128 + number)
        stopping.append(number)
        console.print("[yellow]stopping …[/] once more stops at once")
        raise KeyboardInterrupt(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield stopping
    except KeyboardInterrupt as stopped:
        console.print(f"[yellow]stopped.[/] {words}")
        if words.endswith(":"):
            _print_going_on(console, sys.argv[1:])
        raise typer.Exit(128 + (stopped.args[0] if stopped.args else signal.SIGINT)) from stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print_going_on(console: "Console", words: "Sequence[str]") -> None:
    """Print the command that goes on from what is done, which `--no-resume` would do again."""
    console.print(shlex.join(["grader", *(word for word in words if word != _NO_RESUME)]), markup=False, soft_wrap=True)
    if _NO_RESUME in words:
        console.print(f"Without {_NO_RESUME}: what was executed before and not yet again stands as it was.")


def _until_stopped(listener: "Listener", stopping: "Sequence[int]") -> "Listener":
    """Have whoever says how it goes hear of a signal too: what interrupts the main thread is lost in rare places."""

    def step(one: "Step") -> None:
        if stopping:
            raise KeyboardInterrupt(stopping[0])
        listener(one)

    return step


def _print_grades(grades: "Sequence[Grade]", title: str, out: Path, *, as_json: bool) -> None:
    from grader.cli.terminal import grades_table, terminal

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
                "attempts": g.attempts and g.attempts.model_dump(mode="json", include=_TOLD_OF_ATTEMPTS),
                "report": str(out / g.submission.id / "report.html"),
            }
            for g in grades
        ]
        typer.echo(json.dumps({"grades": rows, "index": str(out / "index.html")}, indent=1))
        return
    console = terminal()
    console.print(grades_table(grades, title, width=console.width))
    console.print(f"class page: {(out / 'index.html').resolve()}", soft_wrap=True)


def _exit_code(grades: "Sequence[Grade]", fail_under: float | None) -> int:
    if any(grade.status == "not_graded" for grade in grades):
        return HARNESS
    if fail_under is not None and any((grade.score or 0.0) < fail_under for grade in grades):
        return BELOW
    return DONE


@app.command("check")
def check_command(
    notebook: Annotated[Path, typer.Argument(help="Your notebook.")],
    rubric: RubricOption,
    *,
    format_: Annotated[Format, typer.Option("--format", help="How the result is said.")] = Format.TABLE,
    isolation: IsolationOption = Isolation.AUTO,
    device: DeviceOption = Device.AUTO,
    fail_under: FailUnder = None,
) -> None:
    """Grade one notebook for its own author or a CI: says what is still missing; exit 1 below full marks."""
    from grader.cli.terminal import criteria_table, terminal
    from grader.execution.sandbox.scratch import held_folder
    from grader.grading.grade import visible
    from grader.pipeline import course as courses
    from grader.store.results import ResultsFolder

    loaded = courses.find_rubric(rubric)
    with held_folder() as folder:
        # An author's own run is one execution: it says what is missing, not how lucky the seed was.
        options = _options(isolation, device, jobs=1, seed=None, attempts=1, resume=False)
        # The held folder is locked already; a results folder takes a lock of its own.
        results = folder / "results"
        (graded,) = _grade([notebook], loaded, options, results, own=True)
        full = ResultsFolder(results).read_grade(graded.submission.id)
    grade = visible(full or graded)
    if format_ is Format.JSON:
        typer.echo(grade.model_dump_json(by_alias=True, indent=1))
    elif grade.status == "graded":
        terminal().print(criteria_table(grade))
        for note in grade.diagnostics:
            terminal().print(f"[bold]note:[/] {note.title}", soft_wrap=True)
    else:
        terminal().print(f"not graded: {grade.reason}", markup=False)
    wanted = _reachable(grade) if fail_under is None else fail_under
    raise typer.Exit(_exit_code([grade], wanted))


def _reachable(grade: "Grade") -> float:
    """Full marks without what waits for a person; bonus points never were a part of them."""
    return grade.max_score - sum(c.max_points for c in grade.criteria if c.status == "pending" and not c.bonus)


@app.command("regrade")
def regrade_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A results folder.", exists=True, file_okay=False)],
    rubric: Annotated[
        str | None, typer.Option("--rubric", metavar="ID|FILE", help="By default the one used before.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Grade again from kept evidence after a change of the rubric: nothing is executed."""
    from grader.cli.terminal import changes_table, terminal
    from grader.pipeline import regrade as regrading

    course, out = _course_of(folder, rubric)
    console = terminal(stderr=True)
    with _stoppable(console), out.at_work(), _counted(console) as listener:
        result = regrading.regrade_class(course, out, most=None if as_json else _MOST_LISTED, listener=listener)
    if as_json:
        changed = [one.as_json() for one in result.first]
        told = {"regraded": result.total, "changed": changed, "not_in_effect": result.ineffective}
        typer.echo(json.dumps(told, indent=1))
    else:
        console = terminal()
        if result.changed:
            console.print(changes_table(result.first))
        if (more := result.changed - len(result.first)) > 0:
            console.print(f"… and {more} more")
        console.print(f"{result.total} graded again, {result.changed} changed")
        if result.changed:
            console.print(f"who and why: {(folder / 'changes.csv').resolve()}", markup=False, soft_wrap=True)
    if result.ineffective:
        _say_ineffective(result, out, course.loaded.rubric.id)
    raise typer.Exit(HARNESS if result.not_graded else DONE)


def _say_ineffective(result: "Regrade", out: "ResultsFolder", rubric: str) -> None:
    """Say what of the rubric a regrade cannot bring into effect, and what does."""
    from grader.cli.terminal import terminal
    from grader.pipeline import course as courses

    where = shlex.join(["--rubric", courses.noted_rubric(out, rubric), "--out", str(out.root)])
    told = (
        f"not in effect: {', '.join(result.ineffective)} changed after {result.outdated} of {result.total} were "
        f"executed, and a regrade executes nothing. This does:\ngrader grade PATH... {where}"
    )
    terminal(stderr=True).print(told, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _counted(console: "Console") -> "Iterator[Callable[[int, int], None]]":
    """Count on a terminal what is done; nowhere else, and gone afterwards."""

    def count(done: int, total: int) -> None:
        if console.is_terminal:
            console.file.write(f"\r{done} of {total}\x1b[K")
            console.file.flush()

    try:
        yield count
    finally:
        if console.is_terminal:
            console.file.write("\r\x1b[K")


def _course_of(folder: Path, rubric: str | None) -> "tuple[Course, ResultsFolder]":
    """Bring the course of a results folder together; its grades say which rubric it was."""
    from grader.pipeline import course as courses
    from grader.pipeline.regrade import course_of_results
    from grader.store.results import ResultsFolder

    out = ResultsFolder(folder)
    return course_of_results(out, None if rubric is None else courses.find_rubric(rubric)), out


@app.command("report")
def report_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A results folder.", exists=True, file_okay=False)],
    rubric: Annotated[
        str | None, typer.Option("--rubric", metavar="ID|FILE", help="By default the one used before.")
    ] = None,
) -> None:
    """Render every report and the class page again from kept grades and evidence."""
    from grader.cli.terminal import terminal
    from grader.pipeline import regrade as regrading

    course, out = _course_of(folder, rubric)
    words = "Every page is an old or a new one. This makes them all again:"
    with _stoppable(terminal(stderr=True), words), out.at_work():
        count = regrading.report_class(course, out)
    typer.echo(f"{count} reports and {folder / 'index.html'}")


@app.command("demo")
def demo_command(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where results are written.")] = Path(
        "demo-results"
    ),
    *,
    jobs: JobsOption = None,
    isolation: IsolationOption = Isolation.AUTO,
    warm: WarmOption = None,
) -> None:
    """Grade the sample submissions that travel with the grader, and say where the class page is."""
    from grader.cli.terminal import error_text, terminal
    from grader.pipeline import course as courses
    from grader.pipeline import setup as workbench
    from grader.resources import share
    from grader.schema.errors import IsolationRefusedError

    loaded = courses.find_rubric("mnist-cnn")
    options = _options(isolation, Device.AUTO, jobs=jobs, seed=None, resume=True, warm=warm)
    try:
        workbench.set_up(loaded, options)
    except IsolationRefusedError as error:
        if isolation is not Isolation.AUTO:
            raise
        console = terminal(stderr=True)
        console.print(error_text(error))
        console.print("[bold red]The samples are the grader's own, so they are graded without isolation.[/]")
        options = _options(Isolation.NONE, Device.AUTO, jobs=jobs, seed=None, resume=True)
    grades = _grade([share("examples") / loaded.rubric.id], loaded, options, out)
    _print_grades(grades, loaded.rubric.title, out, as_json=False)
    raise typer.Exit(_exit_code(grades, None))


# --- rubrics ---------------------------------------------------------------------------------------------------


@rubric_app.command("list")
def rubric_list(*, as_json: JsonOption = False) -> None:
    """List the rubrics that travel with the grader."""
    from grader.cli.terminal import pairs_table, terminal
    from grader.pipeline import course as courses

    loaded = [courses.find_rubric(str(path)) for path in courses.shipped_rubrics()]
    if as_json:
        typer.echo(
            json.dumps([{"id": o.rubric.id, "title": o.rubric.title, "file": str(o.path)} for o in loaded], indent=1)
        )
        return
    rows = [[o.rubric.id, o.rubric.title, f"{o.rubric.max_score:g}", o.rubric.dataset] for o in loaded]
    terminal().print(pairs_table(rows, ("id", "title", "points", "data set")))


@rubric_app.command("show")
def rubric_show(rubric: RubricArgument, *, as_json: JsonOption = False) -> None:
    """Show a rubric's criteria."""
    from grader.cli.terminal import pairs_table, terminal
    from grader.pipeline import course as courses

    loaded = courses.find_rubric(rubric)
    if as_json:
        typer.echo(loaded.rubric.model_dump_json(by_alias=True, indent=1))
        return
    rows = [
        [c.id, f"{c.points:g}", " + ".join(t.check for t in c.tests) or "manual", c.title or c.id]
        for c in loaded.rubric.criteria
    ]
    console = terminal()
    console.print(f"{loaded.rubric.title} ({loaded.rubric.id}), {loaded.rubric.max_score:g} points", markup=False)
    console.print(pairs_table(rows, ("criterion", "points", "check", "title")))


@rubric_app.command("validate")
def rubric_validate(
    rubrics: Annotated[list[str], typer.Argument(metavar="ID|FILE...", help="Ids of shipped rubrics, or YAML files.")],
) -> None:
    """Validate rubric files; an error names the file, the line and the nearest valid name."""
    from grader.cli.terminal import error_text, terminal
    from grader.pipeline import course as courses
    from grader.schema.errors import RubricError

    failed = False
    for name in rubrics:
        try:
            loaded = courses.find_rubric(name)
            courses.reference_notebook(loaded)
        except RubricError as error:
            failed = True
            terminal(stderr=True).print(error_text(error))
        else:
            typer.echo(
                f"{loaded.path}: valid, {len(loaded.rubric.criteria)} criteria, {loaded.rubric.max_score:g} points"
            )
    raise typer.Exit(USAGE if failed else DONE)


@rubric_app.command("schema")
def rubric_schema() -> None:
    """Print the JSON Schema that editors use."""
    from grader.checks.registry import all_checks
    from grader.grading.json_schema import rubric_schema as make

    typer.echo(json.dumps(make(all_checks()), indent=1))


@rubric_app.command("test")
def rubric_test(
    rubric: RubricArgument,
    *,
    update: Annotated[bool, typer.Option("--update", help="Keep the evidence beside the reference notebook.")] = False,
    isolation: IsolationOption = Isolation.AUTO,
    device: DeviceOption = Device.AUTO,
) -> None:
    """Send the rubric's reference solution through the grader: it must get full marks."""
    from grader.cli.terminal import criteria_table, progress_on, terminal
    from grader.datasets.store import DatasetStore
    from grader.pipeline import course as courses
    from grader.pipeline import submission as pipeline

    loaded = courses.find_rubric(rubric)
    options = _options(isolation, device, jobs=1, seed=None, resume=False)
    with progress_on(terminal(stderr=True)) as listener:
        listener.begin(1)
        grade, evidence = pipeline.verify_reference(loaded, DatasetStore(may_download=True), options, listener.step)
    terminal().print(criteria_table(grade))
    # Points of bonus criteria, earned or pending, do not make up for what is missing elsewhere.
    counted = [c for c in grade.criteria if not c.bonus]
    full = grade.status == "graded" and all(c.points >= c.max_points or c.status == "pending" for c in counted)
    if update and full:
        typer.echo(f"kept: {courses.write_reference(loaded, evidence)}")
    elif update:
        typer.echo("not kept: the reference does not get full marks", err=True)
    raise typer.Exit(DONE if full else BELOW)


# --- data sets -------------------------------------------------------------------------------------------------


def _store() -> Any:
    from grader.datasets.store import DatasetStore

    return DatasetStore()


@data_app.command("list")
def data_list(*, as_json: JsonOption = False) -> None:
    """List data sets and whether they are on this machine."""
    from grader.cli.terminal import pairs_table, terminal

    found = _store().available()
    if as_json:
        listed = [{"name": d.name, "title": d.title, "source": d.source, "path": d.path and str(d.path)} for d in found]
        typer.echo(json.dumps(listed, indent=1))
        return
    rows = [[d.name, d.title, d.source or "missing", d.licence] for d in found]
    terminal().print(pairs_table(rows, ("name", "title", "source", "licence"), {"missing": "yellow"}))


@data_app.command("path")
def data_path(name: DatasetArgument) -> None:
    """Print where a data set lies."""
    typer.echo(_store().path(name))


@data_app.command("fetch")
def data_fetch(
    name: DatasetArgument,
    *,
    base_url: Annotated[str | None, typer.Option(help="Another place that has the same official files.")] = None,
) -> None:
    """Download a data set's official files and verify their digests."""
    typer.echo(_store().fetch(name, base_url=base_url))


@data_app.command("import")
def data_import(
    name: Annotated[str, typer.Argument(help="A known data set's name, or one for your course's own.")],
    file: Annotated[Path, typer.Argument(exists=True, help="An `.npz`, a folder of IDX files, or a tar of images.")],
) -> None:
    """Take a file of this machine as a data set."""
    typer.echo(_store().import_file(name, file))


# --- this machine ----------------------------------------------------------------------------------------------


@app.command("doctor")
def doctor_command(*, as_json: JsonOption = False) -> None:
    """Say what this machine can do, and the command that mends what is missing."""
    from dataclasses import asdict

    from grader.cli.doctor import diagnose, probe
    from grader.cli.terminal import pairs_table, terminal

    lines = diagnose(probe())
    if as_json:
        typer.echo(json.dumps([asdict(line) for line in lines], indent=1))
    else:
        console = terminal()
        rows = [[line.verdict, line.name, line.found] for line in lines]
        styles = {"ok": "green", "warn": "yellow", "fail": "red"}
        console.print(pairs_table(rows, ("", "what", "found"), styles))
        for line in lines:
            if line.mend:
                # On a line of its own: a command that a table broke in two cannot be copied.
                console.print(f"{line.name}: {line.mend}", markup=False, soft_wrap=True)
    raise typer.Exit(HARNESS if any(line.verdict == "fail" for line in lines) else DONE)
