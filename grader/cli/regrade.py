"""Define the commands that execute nothing: `regrade` and `report`."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grader.cli.counter import counted
from grader.cli.echo import echo, echo_json
from grader.cli.exit_codes import DONE, HARNESS
from grader.cli.language import in_language
from grader.cli.options import JsonOption, JudgementsOption, LanguageOption, PriorRubricOption
from grader.cli.stopping import stoppable

if TYPE_CHECKING:
    from grader.pipeline.course import Course
    from grader.pipeline.preview import Preview
    from grader.pipeline.regrade import Regrade
    from grader.store.results import ResultsFolder

__all__ = ["regrade_command", "report_command"]

_ResultsArgument = Annotated[
    Path, typer.Argument(metavar="DIR", help="A results folder.", exists=True, file_okay=False)
]
_MOST_LISTED = 40
"""Most changed submissions on the terminal; a file has all of them."""


def regrade_command(
    folder: _ResultsArgument,
    rubric: PriorRubricOption = None,
    *,
    judgements: JudgementsOption = None,
    language: LanguageOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change; write nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Grade again from stored evidence after a change of the rubric, without execution."""
    from grader.cli.terminal import terminal
    from grader.pipeline.preview import preview_class
    from grader.pipeline.regrade import regrade_class
    from grader.pipeline.rubrics import judgements_path, note_judgements

    course, out = _course_of(folder, rubric, language)
    console, preview = terminal(stderr=True), None
    if dry_run:
        file = None if judgements is None else judgements_path(out, judgements)
        with stoppable(console, "Nothing was written."), out.at_rest(), counted(console) as listener:
            preview = preview_class(course, out, judgements=file, listener=listener)
        result = preview.regrade
    else:
        if judgements is not None:
            note_judgements(out, judgements)
        with stoppable(console), out.at_work(), counted(console) as listener:
            result = regrade_class(course, out, most=None if as_json else _MOST_LISTED, listener=listener)
    if as_json:
        echo_json(json.dumps(_summary(result, preview), indent=1))
    else:
        _print_result(result, preview, folder)
    if result.ineffective:
        _print_ineffective(result, out, course.loaded.rubric.id)
    raise typer.Exit(HARNESS if result.not_graded else DONE)


def _print_edited(names: "Sequence[str]", outcome: str) -> None:
    """Name the submissions whose grade somebody edited by hand."""
    from grader.cli.terminal import some_of, terminal

    words = f"grade.json was edited by hand, {outcome}: {some_of(names, _MOST_LISTED)}"
    terminal().print(words, style="yellow", markup=False, soft_wrap=True)


def _summary(result: "Regrade", preview: "Preview | None") -> dict[str, object]:
    """Return the JSON values of a regrade, or of its preview."""
    summary: dict[str, object] = {
        "regraded": result.total,
        "changed": [one.as_json() for one in result.first],
        "not_in_effect": result.ineffective,
        "review": [one.as_json() for one in result.review],
        "orphans": [one.model_dump(mode="json") for one in result.orphans],
        "edited": result.edited,
    }
    if preview is not None:
        summary["dry_run"] = True
        summary["not_graded"] = result.not_graded
        summary["scores"] = [one.as_json() for one in preview.scores]
        summary["distribution"] = {"before": preview.before, "after": preview.after}
    return summary


def _print_result(result: "Regrade", preview: "Preview | None", folder: Path) -> None:
    """Print the changes of a regrade, or of its preview."""
    from grader.cli.terminal import changes_table, distribution_table, review_table, terminal

    console, shown = terminal(), result.first[:_MOST_LISTED]
    if result.changed:
        console.print(changes_table(shown))
    if (more := result.changed - len(shown)) > 0:
        console.print(f"… and {more} more")
    if preview is not None:
        console.print(distribution_table(preview.before, preview.after))
        console.print(f"would be graded again: {result.total}, would change: {result.changed}; nothing was written")
    else:
        console.print(f"graded again: {result.total}, changed: {result.changed}")
    if result.changed and preview is None:
        console.print(f"all changes: {(folder / 'changes.csv').resolve()}", markup=False, soft_wrap=True)
    if result.edited:
        _print_edited(result.edited, "graded again from the evidence")
    if result.review or result.orphans:
        console.print(review_table(result.review, result.orphans))


def _print_ineffective(result: "Regrade", out: "ResultsFolder", rubric: str) -> None:
    """Print the changes of the rubric that need another execution, and the command for it."""
    from grader.cli.terminal import terminal
    from grader.facts.language import english
    from grader.pipeline.rubrics import noted_rubric
    from grader.schema.message import say_count

    options = shlex.join(["--rubric", noted_rubric(out, rubric), "--out", str(out.root)])
    text = say_count(
        "not in effect: {parts:list} changed after {count:number} of {total:number} submissions was executed. "
        "A regrade executes nothing; this command does:",
        "not in effect: {parts:list} changed after {count:number} of {total:number} submissions were executed. "
        "A regrade executes nothing; this command does:",
        result.outdated,
        parts=result.ineffective,
        total=result.total,
    )
    command = f"grader grade PATH... {options}"
    terminal(stderr=True).print(f"{english(text)}\n{command}", markup=False, highlight=False, soft_wrap=True)


def _course_of(folder: Path, rubric: str | None, language: str | None) -> "tuple[Course, ResultsFolder]":
    """Load the course of a results folder; its grades name the rubric."""
    from grader.cli.site import open_store
    from grader.pipeline.course import load_course
    from grader.pipeline.regrade import rubric_of_results
    from grader.pipeline.rubrics import find_rubric
    from grader.store.results import ResultsFolder

    out = ResultsFolder(folder)
    loaded = rubric_of_results(out, None if rubric is None else find_rubric(rubric))
    return load_course(in_language(loaded, language, out), open_store(may_download=True)), out


def report_command(
    folder: _ResultsArgument,
    rubric: PriorRubricOption = None,
    *,
    language: LanguageOption = None,
) -> None:
    """Render all reports and the class page again from stored grades and evidence."""
    from grader.cli.terminal import terminal
    from grader.pipeline.publish import edited_grades
    from grader.pipeline.regrade import report_class
    from grader.pipeline.rubrics import note_language

    course, out = _course_of(folder, rubric, language)
    words = "Some pages are new, the others unchanged. This command makes all of them again:"
    with stoppable(terminal(stderr=True), words), out.at_work():
        if language is not None:
            note_language(out, course.language.code)
        count = report_class(course, out)
        edited = edited_grades(out)
    if edited:
        _print_edited(edited, "report not made again; `grader regrade DIR` restores it")
        count -= len(edited)
    echo(f"reports written: {count}, and {folder / 'index.html'}")
