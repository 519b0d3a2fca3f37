"""Define the commands `grader rubric …`."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from grader.cli.completion import complete_rubric
from grader.cli.draft import rubric_draft
from grader.cli.echo import echo, echo_json
from grader.cli.exit_codes import BELOW, DONE, USAGE
from grader.cli.help import CommandLine
from grader.cli.options import Device, DeviceOption, Isolation, IsolationOption, JsonOption, RubricArgument, options_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grader.grading.loader import LoadedRubric
    from grader.schema.rubric import Rubric

__all__ = ["rubric_app"]

rubric_app = CommandLine(help="List, show, draft, validate, publish and test rubrics.")


@rubric_app.callback()
def _root(context: typer.Context) -> None:
    """Handle options before a command."""
    if context.invoked_subcommand in {"draft", "test"}:
        from grader.cli.site import load_site, option_defaults

        context.default_map = option_defaults(load_site())["rubric"]


@rubric_app.command("list")
def rubric_list(*, as_json: JsonOption = False) -> None:
    """List the rubrics that are distributed with the grader."""
    from grader.cli.terminal import pairs_table, terminal
    from grader.pipeline.rubrics import find_rubric, shipped_rubrics

    loaded = [find_rubric(str(path)) for path in shipped_rubrics()]
    if as_json:
        echo_json(
            json.dumps([{"id": o.rubric.id, "title": o.rubric.title, "file": str(o.path)} for o in loaded], indent=1)
        )
        return
    rows = [[o.rubric.id, o.rubric.title, f"{o.rubric.max_score:g}", o.rubric.dataset or "–"] for o in loaded]
    terminal().print(pairs_table(rows, ("id", "title", "points", "data set")))


@rubric_app.command("show")
def rubric_show(rubric: RubricArgument, *, as_json: JsonOption = False) -> None:
    """Show a rubric's criteria."""
    from grader.cli.terminal import pairs_table, terminal
    from grader.pipeline.rubrics import find_rubric

    loaded = find_rubric(rubric)
    if as_json:
        echo_json(loaded.rubric.model_dump_json(by_alias=True, indent=1))
        return
    rows = [
        [c.id, f"{c.points:g}", " + ".join(t.check for t in c.tests) or "manual", c.title or c.id]
        for c in loaded.rubric.criteria
    ]
    console = terminal()
    console.print(f"{loaded.rubric.title} ({loaded.rubric.id}), {_extent(loaded.rubric)}", markup=False)
    console.print(pairs_table(rows, ("criterion", "points", "check", "title")))


@rubric_app.command("validate")
def rubric_validate(
    rubrics: Annotated[
        list[str],
        typer.Argument(
            metavar="ID|FILE...", help="Ids of shipped rubrics, or YAML files.", autocompletion=complete_rubric
        ),
    ],
) -> None:
    """Validate rubric files; an error names the file, the line and the nearest valid name."""
    from grader.cli.site import open_store
    from grader.cli.terminal import error_text, terminal
    from grader.pipeline.reference import reference_notebook
    from grader.pipeline.rubrics import find_rubric
    from grader.schema.errors import RubricError

    failed, store = False, open_store()
    for name in rubrics:
        try:
            loaded = find_rubric(name, store)
        except RubricError as error:
            failed = True
            terminal(stderr=True).print(error_text(error))
            continue
        echo(f"{loaded.path}: valid, {_extent(loaded.rubric)}")
        _list_missing_texts(loaded)
        try:
            reference_notebook(loaded)
        except RubricError as error:
            # The solution is often written after the rubric.
            echo(f"notice: {error.message}; `grader rubric test` needs it", err=True)
    raise typer.Exit(USAGE if failed else DONE)


def _list_missing_texts(loaded: "LoadedRubric") -> None:
    """Print the texts that have no translation in a language for which the rubric has others."""
    from grader.grading.translations import missing_texts

    for code, texts in loaded.translations.items():
        missing = missing_texts(loaded.rubric, texts)
        if missing:
            echo(
                f"notice: no text in the language {code!r} for {', '.join(missing)}; pages show the English one",
                err=True,
            )


def _extent(rubric: "Rubric") -> str:
    """Describe the number of criteria and points of a rubric."""
    from grader.facts.language import english
    from grader.schema.message import say_count

    score = rubric.max_score
    criteria = say_count("{count:number} criterion", "{count:number} criteria", len(rubric.criteria))
    points = say_count("{points:points} point", "{points:points} points", 1 if score == 1 else 2, points=score)
    return f"{english(criteria)}, {english(points)}"


@rubric_app.command("publish")
def rubric_publish(
    rubric: RubricArgument,
    *,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="File to write.", show_default="the terminal")
    ] = None,
) -> None:
    """Write the public rubric for students: nothing hidden or private, no guides, keywords or reference.

    Its texts in other languages are written next to it.
    """
    from grader.grading.translations import side_file, side_files
    from grader.pipeline.rubrics import find_rubric, publish_rubric, publish_texts
    from grader.schema.errors import UsageError
    from grader.store.files import write_atomically

    loaded = find_rubric(rubric)
    public = publish_rubric(loaded)
    texts = publish_texts(loaded)
    if out is None:
        echo(public, nl=False)
        for code in texts:
            echo(f"the texts in the language {code} are a file next to the rubric: use --out FILE", err=True)
    else:
        own = {file.resolve() for file in (loaded.path, *side_files(loaded.path).values())}
        files = {out: public} | {side_file(out, code): text for code, text in texts.items()}
        if own & {file.resolve() for file in files}:
            msg = "the public rubric would replace the rubric itself"
            raise UsageError(msg, where=f"--out {out}", advice="name another file")
        for path, text in files.items():
            write_atomically(path, text.encode())
            echo(f"written: {path}")
    for file in _files_next_to(loaded):
        echo(f"also publish, at the same place relative to the rubric: {file}", err=True)


def _files_next_to(loaded: "LoadedRubric") -> "Iterator[str]":
    """List the files that a copy of the rubric needs next to it."""
    if loaded.rubric.template is not None:
        yield loaded.rubric.template
    for entry in loaded.rubric.files:
        yield entry if isinstance(entry, str) else entry.from_


class Settings(StrEnum):
    """Kinds of settings files."""

    RUBRIC = "rubric"
    SITE = "site"
    TEXTS = "texts"
    COURSE = "course"


@rubric_app.command("schema")
def rubric_schema(
    *,
    of: Annotated[
        Settings,
        typer.Option(
            "--of",
            metavar="rubric|site|texts|course",
            help="Kind of file: a rubric, the site's defaults, a rubric's texts in another language, or a course.",
        ),
    ] = Settings.RUBRIC,
) -> None:
    """Print the JSON Schema for editors."""
    from grader.checks.registry import all_checks, all_diagnostics
    from grader.grading import json_schema

    schemas = {
        Settings.RUBRIC: lambda: json_schema.rubric_schema(all_checks(), all_diagnostics()),
        Settings.SITE: json_schema.site_schema,
        Settings.TEXTS: json_schema.texts_schema,
        Settings.COURSE: json_schema.course_schema,
    }
    echo_json(json.dumps(schemas[of](), indent=1))


@rubric_app.command("test")
def rubric_test(
    rubric: RubricArgument,
    *,
    update: Annotated[
        bool, typer.Option("--update", help="Store the evidence next to the reference notebook.")
    ] = False,
    sensitivity: Annotated[
        bool,
        typer.Option(
            "--sensitivity",
            help="Execute nothing: make typical mistakes in the stored evidence, and show which criteria react.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --sensitivity: print JSON for scripts.")] = False,
    isolation: IsolationOption = Isolation.AUTO,
    device: DeviceOption = Device.AUTO,
) -> None:
    """Grade the rubric's reference solution, which must get full marks.

    With --sensitivity, the exit code is 1 if a criterion reacts to no mistake, or not to one that concerns it.
    """
    if sensitivity:
        _refuse(update=update)
        _show_sensitivity(rubric, as_json=as_json)
    if as_json:
        msg = "`--json` needs `--sensitivity`"
        raise typer.BadParameter(msg)
    from grader.cli.check_result import print_grade
    from grader.cli.site import open_store
    from grader.cli.terminal import progress_on, terminal
    from grader.pipeline.reference import write_reference
    from grader.pipeline.reference_run import verify_reference
    from grader.pipeline.rubrics import find_rubric

    loaded = find_rubric(rubric)
    options = options_of(isolation, device, jobs=1, seed=None, resume=False)
    with progress_on(terminal(stderr=True)) as listener:
        listener.begin(1)
        grade, evidence = verify_reference(loaded, open_store(may_download=True), options, listener.step)
    print_grade(grade, terminal())
    # Bonus points do not replace missing points of other criteria.
    counted = [c for c in grade.criteria if not c.bonus]
    full = grade.status == "graded" and all(c.points >= c.max_points or c.status == "pending" for c in counted)
    if update and full:
        echo(f"stored: {write_reference(loaded, evidence)}")
    elif update:
        echo("not stored: the reference does not get full marks", err=True)
    raise typer.Exit(DONE if full else BELOW)


def _refuse(*, update: bool) -> None:
    if update:
        msg = "`--sensitivity` executes nothing: run `grader rubric test --update` first"
        raise typer.BadParameter(msg)


def _show_sensitivity(rubric: str, *, as_json: bool) -> NoReturn:
    from grader.cli.sensitivity import criteria_of, mutations_of, summary_of
    from grader.cli.terminal import terminal
    from grader.pipeline.rubrics import find_rubric
    from grader.pipeline.sensitivity import rubric_sensitivity

    result = rubric_sensitivity(find_rubric(rubric))
    if as_json:
        echo_json(result.model_dump_json(indent=1))
    else:
        console = terminal()
        for part in (criteria_of(result), "", mutations_of(result), "", *summary_of(result)):
            console.print(part, markup=False)
    raise typer.Exit(BELOW if result.defects else DONE)


rubric_app.command("draft")(rubric_draft)
