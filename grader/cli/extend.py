"""Define the commands `extend` and `excuse`, for single students."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grader.cli.echo import echo

if TYPE_CHECKING:
    from datetime import tzinfo

    from grader.schema.judgement import JudgementKind

__all__ = ["excuse_command", "extend_command"]

_FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="A results folder.", file_okay=False)]
_WhomArgument = Annotated[
    str,
    typer.Argument(metavar="STUDENT", help="A submission's id, or an id, an address or a name in the roster."),
]
_ByOption = Annotated[str, typer.Option("--by", metavar="NAME", help="Who decided.")]
_WhyOption = Annotated[
    str | None, typer.Option("--why", metavar="TEXT", help="The reason; only instructors see it.", show_default="none")
]
_WithdrawOption = Annotated[bool, typer.Option("--withdraw", help="Take the earlier decision back.")]


def extend_command(
    folder: _FolderArgument,
    student: _WhomArgument,
    *,
    until: Annotated[
        str | None,
        typer.Option(
            "--until",
            metavar="DATE",
            help='The new due date, such as "2026-11-10 18:00"; a date alone is the end of the day.',
            show_default="none; needed unless --withdraw is given",
        ),
    ] = None,
    by: _ByOption,
    why: _WhyOption = None,
    withdraw: _WithdrawOption = False,
) -> None:
    """Extend the due date for one student or group, and make the grade again."""
    if (until is None) != withdraw:
        from grader.schema.errors import UsageError

        msg = "give a date, or take the earlier extension back" if not withdraw else "one of both is enough"
        raise UsageError(msg, where="--until, --withdraw")
    _decide(folder, student, "extension", by, "" if withdraw else why or "", until)


def excuse_command(
    folder: _FolderArgument,
    student: _WhomArgument,
    *,
    by: _ByOption,
    why: _WhyOption = None,
    withdraw: _WithdrawOption = False,
) -> None:
    """Excuse one student from the assignment: no deduction, and no score in tables."""
    if withdraw and why:
        from grader.schema.errors import UsageError

        msg = "an excuse that is taken back has no reason"
        raise UsageError(msg, where="--why")
    _decide(folder, student, "excuse", by, "" if withdraw else why or "excused")


def _decide(  # noqa: PLR0917 - the parts of a decision
    folder: Path, word: str, kind: "JudgementKind", by: str, why: str, until: str | None = None
) -> None:
    """Store the decision, and make the grade and the pages of the class again."""
    from grader.cli.site import open_store
    from grader.facts.language import english, language
    from grader.pipeline.class_list import class_list
    from grader.pipeline.course_folder import assignment_of
    from grader.pipeline.extensions import decision_about, find_whom
    from grader.pipeline.judgements import judged_course, judgement_file
    from grader.pipeline.regrade import course_of_results
    from grader.pipeline.rejudge import rejudge
    from grader.store.results import ResultsFolder

    out = ResultsFolder(folder)
    assignment = assignment_of(out)
    name = by if assignment is None else assignment.course.grader(by)
    zone = UTC if assignment is None else assignment.course.settings.zone
    due = None if until is None else _moment(until, zone)
    course = judged_course(course_of_results(out, store=open_store(may_download=True)), out)
    listed = class_list(out, course)
    whom = find_whom(word, listed)
    decision = decision_about(whom, kind, course, at=datetime.now(UTC), by=name, why=why, until=due)
    judgement_file(out).append([decision])
    changed = rejudge(out, course, whom.submissions)
    spoken = language("en").in_zone(zone)
    what = "taken back" if decision.withdraws else "stored"
    echo(f"{kind} {what}: {whom.label}{'' if due is None else f', until {spoken.time(due)}'}")
    for one in changed:
        echo(f"{one.submission}: {_points(one.old)} → {_points(one.new)}")
    if kind == "extension" and course.due is None:
        echo("the assignment has no due date, so that an extension changes nothing; add `due` to course.yaml")
    for notice in listed.notices:
        echo(english(notice), err=True)


def _points(score: float | None) -> str:
    return "–" if score is None else f"{score:g}"


def _moment(text: str, zone: "tzinfo") -> datetime:
    """Read a date of the command line.

    Raises:
        UsageError: It is not a date.
    """
    from grader.schema.course import latest_moment, parse_date
    from grader.schema.errors import UsageError

    try:
        moment = parse_date(text)
    except ValueError as error:
        raise UsageError(str(error), where="--until") from error
    if not isinstance(moment, datetime):
        msg = f"{text!r} is not a date"
        raise UsageError(msg, where="--until")
    return latest_moment(moment, zone)
