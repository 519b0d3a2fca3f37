"""Define the command `grader similar`: hints that submissions of a class share work."""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grader.cli.echo import echo, echo_json
from grader.cli.exit_codes import DONE
from grader.cli.options import JsonOption

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from grader.grading.loader import LoadedRubric
    from grader.pipeline.similarity import ClassComparison
    from grader.schema.similarity import Similarity, SimilarPair
    from grader.store.results import ResultsFolder

__all__ = ["similar_command"]

_STYLES = {"strong": "red", "moderate": "yellow", "explained": "green"}
_COLUMNS = ("strength", "score", "first", "first_student", "second", "second_student", "signs", "reason")
_NOTE = "These are hints with reasons, not verdicts: look at both submissions. No grade changes. docs/similarity.md"


def similar_command(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A results folder.", exists=True, file_okay=False, show_default=False)
    ],
    *,
    starter: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Notebook that all students got; its code and texts are left out. Can be given several times.",
            show_default="the course's starter, the rubric's assignment and reference",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    most: Annotated[int, typer.Option(metavar="N", min=1, help="Number of pairs to list.")] = 20,
    table: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="CSV file to write the pairs to, too.", show_default="no file"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List pairs of submissions that may share work, from stored evidence, with reasons.

    Nothing is executed, and nothing is written except the file of --csv.
    """
    from grader.pipeline.similarity import compare_results
    from grader.store.files import write_atomically
    from grader.store.results import ResultsFolder

    out = ResultsFolder(folder)
    result = compare_results(out, _rubric_of(out), starters=starter or (), most=most)
    for name in result.unreadable:
        echo(f"notice: {name} is left out: its evidence cannot be read", err=True)
    if table is not None:
        write_atomically(table, _csv(result).encode())
    if as_json:
        echo_json(result.comparison.similarity.model_dump_json(indent=1))
    else:
        _print(result)
    raise typer.Exit(DONE)


def _rubric_of(out: "ResultsFolder") -> "LoadedRubric | None":
    """Find the rubric of the results; without it, only its notebooks are not left out."""
    from grader.pipeline.regrade import rubric_of_results
    from grader.schema.errors import GraderError

    try:
        return rubric_of_results(out)
    except GraderError as error:
        if out.submissions():
            echo(f"notice: the rubric's notebooks are not left out: {error.message}", err=True)
        return None


def _print(result: "ClassComparison") -> None:
    from grader.cli.terminal import pairs_table, terminal
    from grader.facts.language import english

    similarity, console = result.comparison.similarity, terminal()
    if similarity.pairs:
        rows = [
            [
                pair.strength,
                _name(pair.first, result.students),
                _name(pair.second, result.students),
                *[english(pair.reason)],
            ]
            for pair in similarity.pairs
        ]
        console.print(pairs_table(rows, ("hint", "first", "second", "why"), _STYLES))
    for line in _summary(similarity):
        console.print(line, markup=False, soft_wrap=True)


def _summary(similarity: "Similarity") -> "Iterator[str]":
    from grader.facts.language import english
    from grader.schema.message import say_count

    yield english(
        say_count("{count:number} submission compared", "{count:number} submissions compared", similarity.submissions)
    )
    if similarity.starter:
        yield f"left out as known to everybody: {', '.join(similarity.starter)}"
    if similarity.left_out:
        yield f"… and {similarity.left_out} more pairs; --most lists more"
    yield _NOTE if similarity.pairs else "No pair stands out."


def _name(submission: str, students: "Mapping[str, str]") -> str:
    student = students.get(submission, submission)
    return submission if student == submission else f"{student} ({submission})"


def _csv(result: "ClassComparison") -> str:
    """Write one row for each listed pair."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    writer.writerows(_row(pair, result.students) for pair in result.comparison.similarity.pairs)
    return buffer.getvalue()


def _row(pair: "SimilarPair", students: "Mapping[str, str]") -> list[str]:
    from grader.facts.language import english
    from grader.report.csvfile import guarded

    first, second = (students.get(name, name) for name in (pair.first, pair.second))
    signs = " ".join(sign.kind for sign in pair.signs)
    texts = (pair.first, first, pair.second, second, signs, english(pair.reason))
    return [pair.strength, f"{pair.score:.2f}", *map(guarded, texts)]
