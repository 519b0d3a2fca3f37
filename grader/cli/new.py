"""Define the command `new`, which makes a course folder."""

from pathlib import Path
from typing import Annotated

import typer

from grader.cli.completion import complete_rubric
from grader.cli.echo import echo

__all__ = ["new_command"]


def new_command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to make.", file_okay=False)],
    *,
    assignment: Annotated[
        list[str] | None,
        typer.Option(
            "--assignment",
            metavar="ID",
            help="A shipped rubric's id; repeatable.",
            show_default="mnist-cnn",
            autocompletion=complete_rubric,
        ),
    ] = None,
    title: Annotated[
        str | None, typer.Option("--title", metavar="TEXT", help="Title of the course.", show_default="Deep Learning")
    ] = None,
    language: Annotated[str, typer.Option("--language", metavar="CODE", help="Language of the pages.")] = "en",
    timezone: Annotated[
        str, typer.Option("--timezone", metavar="ZONE", help="Time zone of due dates, such as Europe/Berlin.")
    ] = "UTC",
    samples: Annotated[
        bool, typer.Option("--samples", help="Also copy the sample submissions of the grader, to try it.")
    ] = False,
) -> None:
    """Make a course folder that can be graded at once; no existing file is replaced."""
    from grader.pipeline.new_course import NewCourse, make_course
    from grader.pipeline.rubrics import checked_language
    from grader.schema.course import parse_zone
    from grader.schema.errors import UsageError

    try:
        parse_zone(timezone)
    except ValueError as error:
        raise UsageError(str(error), where="--timezone", advice="give an IANA name, such as Europe/Berlin") from error
    names = tuple(dict.fromkeys(assignment or ["mnist-cnn"]))
    wanted = NewCourse(
        assignments=names,
        title=title or "Deep Learning",
        language=checked_language(language, "--language"),
        timezone=timezone,
        samples=samples,
    )
    course = make_course(folder, wanted)
    echo(f"course folder: {course.root}")
    first = course.assignments[0]
    if not samples:
        echo(f"1. put the submissions into {folder / 'submissions' / first.id}")
        echo(f"2. replace the example rows of {folder / 'roster.csv'} with your class")
    echo(f"{'1' if samples else '3'}. cd {folder} && grader grade submissions/{first.id}")
    echo(f"{folder / 'README.md'} explains the other steps")
