"""View 6, "Publish": reports, mails and exports, each with a preview; nothing is sent before somebody confirms it."""

import csv
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final
from urllib.parse import quote

from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from grader.delivery.data_schema import columns_of
from grader.delivery.format_registry import all_formats, find_format
from grader.delivery.preview import PREVIEW
from grader.desk.mailer import MailChoice, Preview
from grader.desk.needs import KINDS, needs_of, noun_of
from grader.desk.state import Desk
from grader.desk.submission import REPORT_POLICY
from grader.desk.view import View, desk_of, form_of, show, to
from grader.facts.language import english
from grader.pipeline.exporting import ExportOptions, export_class, preview_of_table
from grader.pipeline.mailing import Outcome
from grader.schema.data import TABLES
from grader.schema.errors import UsageError
from grader.schema.grade import Grade

__all__ = ["VIEW", "MailRow", "Unfinished", "unfinished_of"]

_MAIL: Final = "/publish/mail"
_REPORTS: Final = "/publish/reports"
_EXPORTS: Final = "/publish/exports"
_GRADES: Final = "grades"
_ROWS: Final = 10
_LONGEST_CELL: Final = 60
_COPIED: Final = 1 << 20
_UPDATE_SECONDS: Final = 30.0
"""Longest time that publishing waits for an update of the pages."""
_SENT_STATES: Final = frozenset({"sent", "done"})


def _routes(_desk: Desk) -> Sequence[Route]:
    return [
        Route("/publish", _page, methods=["GET"]),
        Route(_REPORTS, _reports, methods=["GET"]),
        Route(_REPORTS, _download_reports, methods=["POST"]),
        Route(f"{_REPORTS}/{{submission}}", _report, methods=["GET"]),
        Route(f"{_REPORTS}/{{submission}}/page", _report_page, methods=["GET"]),
        Route(_MAIL, _mail, methods=["GET"]),
        Route(f"{_MAIL}/preview", _preview, methods=["POST"]),
        Route(f"{_MAIL}/send", _send, methods=["POST"]),
        Route(f"{_MAIL}/state", _mail_state, methods=["GET"]),
        Route(f"{_MAIL}/message/{{submission}}", _message, methods=["GET"]),
        Route(f"{_MAIL}/message/{{submission}}/page", _message_page, methods=["GET"]),
        Route(_EXPORTS, _exports, methods=["GET"]),
        Route(_EXPORTS, _download_export, methods=["POST"]),
    ]


VIEW: Final = View("publish", "Publish", "/publish", "p", _routes)


# --- what is open ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Something that a person may want to finish before anything is published."""

    kind: str
    """One of `KINDS`."""
    number: int
    noun: str
    href: str


def unfinished_of(desk: Desk) -> tuple[Unfinished, ...]:
    """List what waits for a person, by kind, and pages that are out of date.

    Raises:
        UsageError: The file of judgements has wrong lines.
    """
    numbers: dict[str, int] = {}
    for item in needs_of(desk):
        numbers[item.kind] = numbers.get(item.kind, 0) + item.number
    return tuple(
        Unfinished(kind, numbers[kind], noun_of(kind, numbers[kind]), f"/#{kind}") for kind in KINDS if kind in numbers
    )


def _check_current(desk: Desk) -> None:
    """Update pages that lack judgements, and refuse to publish them if that takes long or fails.

    Raises:
        UsageError: Pages are out of date.
    """
    state = desk.updates.settle(_UPDATE_SECONDS)
    if state.waiting or state.running:
        msg = "some grades and reports do not have the latest judgements yet"
        advice = "use the button at the top that updates the pages, wait until they are up to date, and try again"
        raise UsageError(msg, advice=advice)


def _sorted(grades: Mapping[str, Grade]) -> list[Grade]:
    return sorted(grades.values(), key=lambda grade: (grade.submission.student.casefold(), grade.submission.id))


def _page(request: Request) -> Response:
    desk = desk_of(request)
    grades = desk.grades()
    return show(
        request,
        "publish.html.j2",
        VIEW.id,
        unfinished=unfinished_of(desk),
        size=len(grades),
        finished=sum(_finished(grade) for grade in grades.values()),
        obstacles=desk.mailer.obstacles(),
        state=desk.mailer.state,
        formats=all_formats(),
    )


def _finished(grade: Grade) -> bool:
    """Whether a grade has all its points."""
    return grade.status == "graded" and not grade.pending and not grade.review


# --- reports -----------------------------------------------------------------------------------------------------


def _reports(request: Request) -> Response:
    desk = desk_of(request)
    rows = _sorted(desk.grades())
    return show(
        request,
        "publish-reports.html.j2",
        VIEW.id,
        rows=rows,
        finished=sum(map(_finished, rows)),
        missing={row.submission.id for row in rows if not desk.out.report_path(row.submission.id).is_file()},
        unfinished=unfinished_of(desk),
    )


def _named(request: Request, names: Sequence[str]) -> tuple[str, str, str]:
    """Return the name in a request's path, and the names before and after it."""
    name = request.path_params["submission"]
    if name not in names:
        raise HTTPException(404)
    place = names.index(name)
    return name, names[place - 1], names[(place + 1) % len(names)]


def _report(request: Request) -> Response:
    grades = desk_of(request).grades()
    name, before, after = _named(request, [grade.submission.id for grade in _sorted(grades)])
    return show(
        request,
        "publish-frame.html.j2",
        VIEW.id,
        title=grades[name].submission.student,
        about="The report of",
        frame=f"{_REPORTS}/{_quoted(name)}/page",
        frame_title="The student's report",
        before=f"{_REPORTS}/{_quoted(before)}",
        after=f"{_REPORTS}/{_quoted(after)}",
        back=_REPORTS,
        back_title="All reports",
        facts=(),
    )


def _quoted(name: str) -> str:
    return quote(name, safe="")


def _report_page(request: Request) -> Response:
    desk = desk_of(request)
    name, _, _ = _named(request, list(desk.grades()))
    return _framed(desk.out.report_path(name))


def _framed(path: Path) -> Response:
    """Serve a page for a frame, in which nothing runs and nothing loads."""
    if not path.is_file():
        raise HTTPException(404)
    headers = {"content-security-policy": REPORT_POLICY, "referrer-policy": "no-referrer"}
    return HTMLResponse(path.read_bytes(), headers=headers)


def _download_reports(request: Request) -> Response:
    """Pack the students' reports, each in a folder with the submission's id."""
    desk, form = desk_of(request), form_of(request)
    _check_current(desk)
    chosen = [grade for grade in desk.grades().values() if form.get("unfinished") == "1" or _finished(grade)]
    files = {
        f"{grade.submission.id}/report.html": path
        for grade in chosen
        if (path := desk.out.report_path(grade.submission.id)).is_file()
    }
    if not files:
        msg = "no report is finished" if form.get("unfinished") != "1" else "there are no reports"
        raise UsageError(msg, advice="include reports with open points, or finish them first")
    folder = Path(tempfile.mkdtemp(prefix="grader-desk-"))
    try:
        return _sent(_zipped(folder / "reports.zip", files), f"{desk.course.stamp.id}-reports.zip", folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _zipped(target: Path, files: Mapping[str, Path]) -> Path:
    """Pack files under other names, one at a time."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in files.items():
            with archive.open(zipfile.ZipInfo(name), "w") as member, path.open("rb") as source:
                shutil.copyfileobj(source, member, _COPIED)
    return target


def _sent(path: Path, name: str, folder: Path) -> Response:
    """Send a file to save, and remove its folder afterwards."""
    return FileResponse(
        path,
        filename=name,
        media_type="application/octet-stream",
        background=BackgroundTask(shutil.rmtree, folder, ignore_errors=True),
    )


# --- mail --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MailRow:
    """One submission in the preview of a mailing."""

    submission: str
    student: str
    address: str
    state: str
    """`send`, `reply`, `done`, `held`, `skipped`, `unknown`, `refused`, `sent` or `waiting`."""
    reason: str

    @property
    def message(self) -> bool:
        """Whether there is a message to look at."""
        return self.state in {"send", "reply", "sent", "waiting"}


def _mail_rows(outcomes: Iterable[Outcome], grades: Mapping[str, Grade]) -> list[MailRow]:
    return [
        MailRow(
            submission=one.entry.submission,
            student=one.entry.student.label if one.entry.student is not None else one.entry.submission,
            address=one.entry.student.email if one.entry.student is not None else "",
            state=one.entry.action if one.state == "would be sent" else one.state,
            reason=_reason(one, grades.get(one.entry.submission)),
        )
        for one in outcomes
    ]


def _reason(one: Outcome, grade: Grade | None) -> str:
    """Explain why a message is held, in words of this page instead of the command line."""
    pending = grade is not None and grade.pending > 0
    if one.state == "held" and pending and grade is not None and one.entry.student is not None:
        return f"{grade.pending:g} points are open"
    return english(one.detail)


def _mail(request: Request) -> Response:
    desk = desk_of(request)
    mailer = desk.mailer
    preview, state = mailer.preview, mailer.state
    mailing = preview.mailing if preview is not None else state.result
    return show(
        request,
        "publish-mail.html.j2",
        VIEW.id,
        rows=_mail_rows(mailing.outcomes, desk.grades()) if mailing is not None else [],
        missing=mailing.missing if mailing is not None else (),
        preview=preview,
        choice=preview.choice if preview is not None else MailChoice(),
        state=state,
        sent=state.result.count(*_SENT_STATES) if state.result is not None else 0,
        obstacles=mailer.obstacles(),
        roster=mailer.setup.roster,
        unfinished=unfinished_of(desk),
    )


def _preview(request: Request) -> Response:
    desk, form = desk_of(request), form_of(request)
    _check_current(desk)
    choice = MailChoice(
        with_pending=form.get("with_pending") == "1",
        only_changed=form.get("only_changed") == "1",
        attach=form.get("attach") == "1",
    )
    desk.mailer.make_preview(desk.out, choice)
    return to(f"{_MAIL}#messages")


def _send(request: Request) -> Response:
    desk, form = desk_of(request), form_of(request)
    _check_current(desk)
    desk.mailer.send(desk.out, words=form.get("words", ""), digest=form.get("digest", ""))
    return to(_MAIL)


def _mail_state(request: Request) -> Response:
    state = desk_of(request).mailer.state
    return JSONResponse({name: getattr(state, name) for name in ("running", "done", "total", "problem")})


def _with_message(preview: Preview | None, desk: Desk) -> list[str]:
    """List the submissions whose message can be looked at."""
    mailing = preview.mailing if preview is not None else desk.mailer.state.result
    return [one.entry.submission for one in mailing.outcomes if one.entry.sends] if mailing is not None else []


def _message(request: Request) -> Response:
    desk = desk_of(request)
    name, before, after = _named(request, _with_message(desk.mailer.preview, desk))
    mailing = desk.mailer.preview.mailing if desk.mailer.preview is not None else desk.mailer.state.result
    entries = {one.entry.submission: one.entry for one in mailing.outcomes} if mailing is not None else {}
    student = entries[name].student
    return show(
        request,
        "publish-frame.html.j2",
        VIEW.id,
        title=student.label if student is not None else name,
        about="The message to",
        frame=f"{_MAIL}/message/{_quoted(name)}/page",
        frame_title="The message",
        before=f"{_MAIL}/message/{_quoted(before)}",
        after=f"{_MAIL}/message/{_quoted(after)}",
        back=_MAIL,
        back_title="All messages",
        facts=(student.email,) if student is not None else (),
    )


def _message_page(request: Request) -> Response:
    desk = desk_of(request)
    name, _, _ = _named(request, _with_message(desk.mailer.preview, desk))
    return _framed(desk.out.root / PREVIEW / f"{name}.html")


# --- exports -----------------------------------------------------------------------------------------------------


def _exports(request: Request) -> Response:
    desk = desk_of(request)
    names = (_GRADES, *TABLES)
    table = request.query_params.get("table", _GRADES)
    if table not in names:
        raise HTTPException(404)
    head, rows = _first_rows(desk, table)
    return show(
        request,
        "publish-exports.html.j2",
        VIEW.id,
        tables=names,
        table=table,
        note=" ".join((TABLES[table].__doc__ or "").split()) if table in TABLES else "One row for each submission.",
        head=head,
        rows=[[_short(cell) for cell in row] for row in rows],
        formats=all_formats(),
        unfinished=unfinished_of(desk),
    )


def _first_rows(desk: Desk, table: str) -> tuple[list[str], list[list[object]]]:
    if table in TABLES:
        return [column.name for column in columns_of(TABLES[table])], [
            list(row) for row in preview_of_table(desk.out, table, _ROWS)
        ]
    try:
        with (desk.out.root / "grades.csv").open(encoding="utf-8", newline="") as file:
            head, *rows = list(islice(csv.reader(file), _ROWS + 1)) or [[]]
    except OSError:
        return [], []
    return head, [list(row) for row in rows]


def _short(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]}…"


def _download_export(request: Request) -> Response:
    """Export the class, and send one file, or a zip of several."""
    desk, form = desk_of(request), form_of(request)
    _check_current(desk)
    chosen, table = find_format(form.get("format", "")), form.get("table", "")
    folder = Path(tempfile.mkdtemp(prefix="grader-desk-"))
    try:
        target = folder / f"{table}{chosen.suffix}" if table in chosen.tables else folder / "tables"
        options = ExportOptions(chosen, target, (table,) if table else (), anonymous=form.get("anonymous") == "1")
        export_class(desk.out, options)
        name = f"{desk.course.stamp.id}-{table or chosen.name}"
        if target.is_file():
            return _sent(target, f"{name}{chosen.suffix}", folder)
        files = {path.name: path for path in sorted(target.iterdir())}
        return _sent(_zipped(folder / "tables.zip", files), f"{name}.zip", folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
