"""The formats of `grader check`: the table for people, JSON, GitHub Actions, and JUnit XML."""

import os
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from grader.cli.echo import echo, echo_json
from grader.cli.options import Format

if TYPE_CHECKING:
    from grader.facts.language import Language
    from grader.report.curves import Curves
    from grader.schema.grade import Grade
    from grader.store.results import ResultsFolder

__all__ = ["Output", "exit_limit", "output_of"]

_SUMMARY, _WORKSPACE = "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"


@dataclass(frozen=True, slots=True)
class Output:
    """Writes the result of one notebook to the standard output."""

    write: "Callable[[Grade, ResultsFolder, Language], None]"
    """Takes the grade, in the students' edition, the results folder with its evidence, and the language of messages in
    machine formats."""


@contextmanager
def output_of(format_: Format, notebook: Path) -> Iterator[Output]:
    """Choose the output of a format.

    Args:
        format_: The format.
        notebook: The notebook that is checked.
    """
    from grader.delivery.github import escaped
    from grader.schema.errors import GraderError

    if format_ is not Format.GITHUB:
        yield Output(lambda grade, _, language: _print(grade, format_, language))
        return
    # The runner reads commands from both streams. They may contain words of a student, so it ignores commands until the
    # grader writes its own. Both streams become one, so that their order is certain.
    token = secrets.token_hex(16)
    with redirect_stderr(sys.stdout):
        echo(f"::stop-commands::{token}")
        try:
            yield Output(lambda grade, out, language: _print_for_github(grade, out, language, notebook, token))
        except GraderError as error:
            command = f"::error title=grader::{escaped(str(error))}"
            echo(f"::{token}::\n{command}\n::stop-commands::{token}")
            raise


def exit_limit(grade: "Grade", fail_under: float | None) -> float:
    """Return the score below which the command exits with 1.

    Args:
        grade: The grade, in the students' edition.
        fail_under: The limit of the command line; None for all points that need neither a person nor a full run.

    Returns:
        The limit. Points that a quick run cannot judge do not count against the notebook: it exits with 1 only if a
        full run is certain to stay below the limit.
    """
    from grader.facts.quick import is_unjudged
    from grader.report.summary import reachable

    if fail_under is None:
        return reachable(grade)
    return fail_under - sum(c.max_points for c in grade.criteria if is_unjudged(c))


def _print(grade: "Grade", format_: Format, language: "Language") -> None:
    from grader.cli.check_result import print_grade
    from grader.cli.terminal import terminal

    if format_ is Format.JSON:
        echo_json(grade.model_dump_json(by_alias=True, indent=1))
    elif format_ is Format.JUNIT:
        from grader.delivery.junit import junit_xml

        echo(junit_xml([grade], language, at=datetime.now(UTC)), nl=False)
    else:
        print_grade(grade, terminal())


def _print_for_github(
    grade: "Grade", results: "ResultsFolder", language: "Language", notebook: Path, token: str
) -> None:
    """Print the table for the log, write the job summary, and print the annotations."""
    from grader.delivery.github import annotations, commands, job_summary
    from grader.intake.cell_lines import lines_of_file

    _print(grade, Format.TABLE, language)
    if summary := os.environ.get(_SUMMARY):
        _append(Path(summary), job_summary(grade, _curves(grade, results), language))
    echo(f"\n::{token}::")
    found = annotations(grade, lines_of_file(notebook).line, language)
    for command in commands(found, _relative(notebook, os.environ)):
        echo(command)


def _curves(grade: "Grade", results: "ResultsFolder") -> "Curves | None":
    """Read the learning curves of the graded model; None without a model or its evidence."""
    from grader.facts.graded_model import main_model
    from grader.report.curves import learning_curves
    from grader.schema.errors import ArtefactError

    model = main_model(grade)
    try:
        evidence = results.read_evidence(grade.submission.id) if model is not None else None
    except ArtefactError:
        return None
    return None if model is None or evidence is None else learning_curves(evidence.fits_of(model.id))


def _append(file: Path, text: str) -> None:
    """Append to the job summary of the step.

    Raises:
        StorageError: The file cannot be written.
    """
    from grader.schema.errors import StorageError

    try:
        with file.open("a", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        msg = f"the job summary cannot be written: {error.strerror or error}"
        raise StorageError(msg, where=f"{_SUMMARY}={file}") from error


def _relative(notebook: Path, environment: Mapping[str, str]) -> str:
    """Return the path of the notebook in the repository, or its whole path outside of it."""
    root = Path(environment.get(_WORKSPACE) or Path.cwd()).resolve()
    place = notebook.resolve()
    return (place.relative_to(root) if place.is_relative_to(root) else place).as_posix()
