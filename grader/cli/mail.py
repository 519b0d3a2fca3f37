"""Define the command `mail`."""

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grader.cli.counter import counted
from grader.cli.course import refuse_missing
from grader.cli.echo import echo_json
from grader.cli.exit_codes import DONE, HARNESS
from grader.cli.language import site_language
from grader.cli.options import JsonOption, PriorRubricOption
from grader.cli.stopping import stoppable

if TYPE_CHECKING:
    from datetime import date
    from email.headerregistry import Address

    from grader.cli.site import Site
    from grader.delivery.plan import Selection
    from grader.grading.loader import LoadedRubric
    from grader.pipeline.course_folder import Assignment
    from grader.pipeline.mailing import Mailing, MailOptions

__all__ = ["mail_command"]

_MOST_LISTED = 40
_RECIPIENTS, _CONTENTS = "Messages", "Contents"
"""Groups of options."""


def mail_command(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A results folder.", exists=True, file_okay=False)],
    roster: Annotated[
        Path | None,
        typer.Option(
            "--roster",
            metavar="FILE",
            help="The class as CSV: id, name and email; required outside of a course folder.",
            show_default="the roster of the course folder",
            exists=True,
        ),
    ] = None,
    *,
    send: Annotated[
        bool,
        typer.Option(
            "--send", rich_help_panel=_RECIPIENTS, help="Send the messages; without it, only a preview is written."
        ),
    ] = False,
    to_me: Annotated[
        str | None,
        typer.Option(
            "--to-me",
            rich_help_panel=_RECIPIENTS,
            metavar="ADDRESS",
            help="Send every message to this address instead, as a test.",
            show_default="each student's own",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            rich_help_panel=_RECIPIENTS,
            metavar="NAME",
            help="Only this student or submission; repeatable.",
            show_default="all",
        ),
    ] = None,
    only_changed: Annotated[
        bool,
        typer.Option(
            "--only-changed",
            rich_help_panel=_RECIPIENTS,
            help="Only students whose grade changed since their last message.",
        ),
    ] = False,
    with_pending: Annotated[
        bool,
        typer.Option(
            "--with-pending",
            rich_help_panel=_RECIPIENTS,
            help="Also send grades with points that a person still has to give.",
        ),
    ] = False,
    resend: Annotated[
        list[str] | None,
        typer.Option(
            "--resend",
            rich_help_panel=_RECIPIENTS,
            metavar="NAME",
            help="Send again what was refused or is perhaps lost; repeatable.",
            show_default="none",
        ),
    ] = None,
    reports_at: Annotated[
        str | None,
        typer.Option(
            "--reports-at",
            rich_help_panel=_CONTENTS,
            metavar="URL",
            help="Where the reports are published, for links.",
            show_default="the site file's address, else no links",
        ),
    ] = None,
    attach_report: Annotated[
        bool, typer.Option("--attach-report", rich_help_panel=_CONTENTS, help="Attach each student's report, in a zip.")
    ] = False,
    no_score: Annotated[
        bool, typer.Option("--no-score", rich_help_panel=_CONTENTS, help="Leave points out of the messages.")
    ] = False,
    object_until: Annotated[
        datetime | None,
        typer.Option(
            "--object-until",
            rich_help_panel=_CONTENTS,
            metavar="DATE",
            formats=["%Y-%m-%d"],
            help="Last day for objections.",
            show_default="the site file's rule, else none",
        ),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option(
            "--language",
            rich_help_panel=_CONTENTS,
            metavar="CODE",
            help="Language of students for whom the roster names none.",
            show_default="the language of the reports",
        ),
    ] = None,
    templates: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel=_CONTENTS,
            metavar="DIR",
            help="Folder of the course's own templates.",
            show_default="the rubric's",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    rubric: PriorRubricOption = None,
    as_json: JsonOption = False,
) -> None:
    """Mail students their feedback, each message once; without --send, write a preview."""
    from grader.cli.site import load_site
    from grader.cli.terminal import terminal
    from grader.delivery.roster import read_roster
    from grader.pipeline.course_folder import assignment_of
    from grader.pipeline.mail_settings import (
        COURSE_SETTINGS,
        PASSWORD_VARIABLE,
        SITE_FILE,
        courier_of,
        preview_sender,
        sending_sender,
    )
    from grader.pipeline.mailing import MailOptions, mail_class
    from grader.pipeline.rubrics import checked_language, read_templates
    from grader.store.results import ResultsFolder

    out, console = ResultsFolder(folder), terminal(stderr=True)
    assignment = assignment_of(out)
    site = _with_course(load_site(), assignment)
    file = roster or (None if assignment is None else assignment.course.roster_path)
    if file is None:
        refuse_missing(context, "roster")
        return
    if send and to_me is None and assignment is not None:
        _check_release(assignment)
    mail, settings = site.settings.mail, SITE_FILE if assignment is None else COURSE_SETTINGS
    options = MailOptions(
        sender=sending_sender(mail, settings) if send else preview_sender(mail),
        selection=_selection(only_changed=only_changed, with_pending=with_pending),
        only=tuple(only or ()),
        resend=tuple(resend or ()),
        to_me=_address(to_me),
        language=None if language is None else checked_language(language, "--language"),
        site_language=site_language(site),
        scores=not no_score and (mail is None or mail.scores is not False),
        object_until=_last_day(object_until, site),
        reports_at=_reports(reports_at, site),
        attach=attach_report,
        templates=None if templates is None else read_templates(templates),
        rubric=_rubric(rubric, assignment),
        assignment=assignment if roster is None else None,
    )
    students = read_roster(file)
    courier = courier_of(mail, os.environ.get(PASSWORD_VARIABLE), settings) if send else None
    with stoppable(console), out.at_work(), counted(console, "messages") as listener:
        result = mail_class(out, students, options, courier, listener=listener)
    _print(result, options, as_json=as_json)
    raise typer.Exit(HARNESS if result.count("unknown", "refused", "waiting") else DONE)


def _with_course(site: "Site", assignment: "Assignment | None") -> "Site":
    """Let the mail settings and the language of a course override those of the site file, key by key."""
    from grader.schema.mail import MailSettings

    if assignment is None:
        return site
    own, course = site.settings, assignment.course.settings
    reports = {"reports_at": assignment.settings.reports_at} if assignment.settings.reports_at else {}
    known = {} if own.mail is None else own.mail.model_dump(exclude_none=True)
    known |= {} if course.mail is None else course.mail.model_dump(exclude_none=True)
    mail = MailSettings.model_validate(known | reports)
    return replace(site, settings=own.model_copy(update={"mail": mail, "language": course.language or own.language}))


def _rubric(name: str | None, assignment: "Assignment | None") -> "LoadedRubric | None":
    """Load the rubric of the option, else that of the assignment; None for the one that each grade names."""
    from grader.pipeline.rubrics import find_rubric

    chosen = None if name is None else find_rubric(name)
    return chosen if assignment is None else assignment.load(chosen)


def _check_release(assignment: "Assignment") -> None:
    """Refuse to send anything to students before the time of release.

    Raises:
        UsageError: It is too early.
    """
    from grader.facts.language import language
    from grader.schema.errors import UsageError

    release = assignment.release
    if release is not None and datetime.now(UTC) < release:
        when = language("en").in_zone(assignment.course.settings.zone).time(release)
        msg = f"the feedback of {assignment.id} is not released before {when}"
        advice = "wait, change `release` in course.yaml, or use `--to-me ADDRESS` for a test"
        raise UsageError(msg, where="--send", advice=advice)


def _print(result: "Mailing", options: "MailOptions", *, as_json: bool) -> None:
    import json

    from grader.cli.terminal import mail_table, terminal
    from grader.facts.language import english

    if as_json:
        rows = [
            {
                "submission": one.entry.submission,
                "student": one.entry.student.label if one.entry.student else None,
                "address": one.entry.student.email if one.entry.student else None,
                "state": one.state,
                "reply": one.entry.action == "reply",
                "detail": english(one.detail),
            }
            for one in result.outcomes
        ]
        missing = [{"student": one.label, "address": one.email, "line": one.line} for one in result.missing]
        echo_json(json.dumps({"sent": result.sent, "messages": rows, "missing": missing}, indent=1))
        return
    console = terminal()
    shown = [one for one in result.outcomes if one.state != "skipped"]
    console.print(mail_table(shown[:_MOST_LISTED], result.missing[:_MOST_LISTED]))
    if (more := len(shown) - _MOST_LISTED) > 0:
        console.print(f"… and {more} more")
    states = ("sent", "would be sent", "waiting", "done", "held", "unknown", "refused")
    counts = [f"{state}: {count}" for state in states if (count := result.count(state))]
    console.print(", ".join([*counts, f"without a submission: {len(result.missing)}"]))
    console.print(f"preview: {result.preview.resolve()}", markup=False, soft_wrap=True)
    if result.hint:
        console.print(result.hint, markup=False)
    if not result.sent:
        console.print("nothing was sent; `--send` sends the messages, `--to-me ADDRESS --send` only to you")
    if options.object_until is None and result.count("sent", "would be sent"):
        console.print("the messages name no last day for objections; `--object-until DATE` adds one")


def _selection(*, only_changed: bool, with_pending: bool) -> "Selection":
    from grader.delivery.plan import Selection

    return Selection(only_changed=only_changed, with_pending=with_pending)


def _address(text: str | None) -> "Address | None":
    from grader.delivery.messages import parse_address

    return None if text is None else parse_address(text, where="--to-me")


def _last_day(given: datetime | None, site: "Site") -> "date | None":
    from grader.pipeline.mailing import last_day

    if given is not None:
        return given.date()
    days = site.settings.mail.objection_days if site.settings.mail is not None else None
    return None if days is None else last_day(days, datetime.now(UTC).astimezone().date())


def _reports(given: str | None, site: "Site") -> str:
    return given or (site.settings.mail.reports_at if site.settings.mail is not None else None) or ""
