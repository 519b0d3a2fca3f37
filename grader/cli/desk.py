"""Define the command `desk`."""

import os
import shlex
import signal
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grader.cli.exit_codes import DONE
from grader.cli.options import PriorRubricOption

if TYPE_CHECKING:
    from rich.console import Console

    from grader.desk.mailer import MailSetup
    from grader.desk.state import Desk

__all__ = ["desk_command"]

_INSTALL = "python -m pip install 'cnn-grader[desk]'"
_HOLDS = ".desk-holds.json"
_HIGHEST_PORT = 65_535


def desk_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A results folder.", exists=True, file_okay=False)],
    *,
    name: Annotated[
        str | None,
        typer.Option(
            "--as", metavar="NAME", help="Your name, for your judgements.", show_default="the page asks for it"
        ),
    ] = None,
    port: Annotated[
        int,
        typer.Option("--port", metavar="N", min=0, max=_HIGHEST_PORT, help="Port on this machine; 0 for any free one."),
    ] = 0,
    rubric: PriorRubricOption = None,
    roster: Annotated[
        Path | None,
        typer.Option(
            "--roster",
            metavar="FILE",
            help="The class as CSV: id, name and email. For mails.",
            show_default="the roster of the course folder",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    behind_proxy: Annotated[
        str | None,
        typer.Option(
            "--behind-proxy",
            metavar="URL",
            help="Address of the desk at a proxy that authenticates people, such as https://desk.example.org.",
            show_default="no proxy",
        ),
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open the browser.")] = False,
) -> None:
    """Open the page in the browser where people judge what a machine cannot."""
    from grader.cli.terminal import fault_text, terminal
    from grader.schema.errors import UsageError

    try:
        import starlette
        import uvicorn
    except ImportError as error:
        msg = f"the desk needs the package {error.name}"
        raise UsageError(msg, advice=f"install it: {_INSTALL}") from error
    del starlette, uvicorn
    from grader.desk.app import make_app
    from grader.desk.guard import Door
    from grader.desk.serve import bound, serve

    console = terminal(stderr=True)
    public, name = _origin(behind_proxy), " ".join((name or "").split())
    with bound(port) as listener:
        desk = _desk(folder, rubric, name, roster)
        door = Door(listener.getsockname()[1], name=name, public=public)
        app = make_app(desk, door, on_error=lambda error: console.print(fault_text(error)))
        desk.updates.start()
        serve(app, listener, ready=lambda: _announce(console, door.address, desk, open_it=not no_open))
    _finish(console, desk)
    raise typer.Exit(DONE)


def _origin(url: str | None) -> str:
    """Check the address at a proxy: a scheme and a host, without a path."""
    from urllib.parse import urlsplit

    from grader.schema.errors import UsageError

    if url is None:
        return ""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path.strip("/") or parts.query:
        msg = f"{url!r} is not an address such as https://desk.example.org"
        raise UsageError(msg, where="--behind-proxy")
    return f"{parts.scheme}://{parts.netloc}"


def _desk(folder: Path, rubric: str | None, name: str, roster: Path | None) -> "Desk":
    """Open the desk of a results folder."""
    from grader.cli.site import open_store
    from grader.desk.holds import Holds
    from grader.desk.mailer import Mailer
    from grader.desk.state import Desk
    from grader.desk.updates import Rejudger, Updates
    from grader.pipeline.course_folder import find_course
    from grader.pipeline.judgements import judged_course, judgement_file
    from grader.pipeline.regrade import course_of_results
    from grader.pipeline.rubrics import find_rubric
    from grader.store.results import ResultsFolder

    out, home = ResultsFolder(folder.resolve()), find_course(folder)
    if home is not None and name:
        home.grader(name)
    course = course_of_results(out, None if rubric is None else find_rubric(rubric), open_store(may_download=True))
    rejudger = Rejudger(out, lambda: desk.course)
    desk = Desk(
        out,
        judged_course(course, out),
        judgement_file(out),
        Updates(rejudger, close=rejudger.close),
        Holds(out.root / _HOLDS),
        graders=() if home is None else home.settings.graders,
        mailer=Mailer(_mail_setup(folder, roster)),
    )
    desk.updates.note(desk.outdated())
    return desk


def _mail_setup(folder: Path, roster: Path | None) -> "MailSetup":
    """Read the settings of mails: the course folder's override those of the site file, key by key."""
    import os

    from grader.cli.language import site_language
    from grader.cli.site import load_site
    from grader.desk.mailer import MailSetup
    from grader.pipeline.course_folder import assignment_of
    from grader.pipeline.mail_settings import COURSE_SETTINGS, PASSWORD_VARIABLE, SITE_FILE
    from grader.schema.mail import MailSettings
    from grader.store.results import ResultsFolder

    site, assignment = load_site(), assignment_of(ResultsFolder(folder))
    course = assignment.course if assignment is not None else None
    own = [site.settings.mail, course.settings.mail if course is not None else None]
    keys = {key: value for one in own if one is not None for key, value in one.model_dump(exclude_none=True).items()}
    settings = MailSettings.model_validate(keys) if keys else None
    reports_at = (assignment.settings.reports_at if assignment is not None else None) or keys.get("reports_at")
    return MailSetup(
        settings=settings,
        settings_file=SITE_FILE if course is None else COURSE_SETTINGS,
        roster=roster or (course.roster_path if course is not None else None),
        reports_at=reports_at or "",
        release=assignment.release if assignment is not None else None,
        zone=assignment.course.settings.zone if assignment is not None else UTC,
        site_language=site_language(site),
        password=os.environ.get(PASSWORD_VARIABLE),
    )


def _announce(console: "Console", address: str, desk: "Desk", *, open_it: bool) -> None:
    import webbrowser

    console.print(f"judgements: {desk.file.path}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"desk: {address}", markup=False, highlight=False, soft_wrap=True)
    console.print("Ctrl+C ends it.")
    if open_it:
        webbrowser.open(address)


def _finish(console: "Console", desk: "Desk") -> None:
    """Send the rest of the confirmed messages, and make the pages that are out of date."""
    from rich.markup import escape

    if desk.mailer.state.running:
        console.print("sending the rest of the messages …")
        desk.mailer.wait()
    waiting = desk.updates.state().waiting
    if waiting:
        console.print(f"updating the pages of {waiting} submissions … [dim]Ctrl+C leaves that to `grader regrade`[/]")
    try:
        result = desk.updates.finish()
    except KeyboardInterrupt:
        console.print("the judgements are stored; this command updates the pages:")
        console.print(f"grader regrade {shlex.quote(str(desk.out.root))}", markup=False, soft_wrap=True)
        os._exit(128 + signal.SIGINT)  # without waiting for the process that updates them
    if result.problem:
        console.print(f"[yellow]the judgements are stored, but[/] {escape(result.problem)}", soft_wrap=True)
