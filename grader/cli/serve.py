"""Define the command `serve`."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grader.cli.completion import complete_rubric
from grader.cli.exit_codes import DONE
from grader.cli.help import RESULT
from grader.cli.options import (
    Device,
    DeviceOption,
    Isolation,
    IsolationOption,
    JobsOption,
    LanguageOption,
    OutOption,
    WarmOption,
    options_of,
)

if TYPE_CHECKING:
    from socket import socket

    from rich.console import Console

    from grader.grading.loader import LoadedRubric
    from grader.pipeline.setup import Options
    from grader.service.guard import Limits, Tokens
    from grader.service.rooms import Room
    from grader.service.token_files import TokenSource
    from grader.service.workshop import Event
    from grader.store.queue import Queue

__all__ = ["ServeLog", "serve_command"]

_INSTALL = "python -m pip install 'cnn-grader[serve]'"
_HIGHEST_PORT = 65_535
_MOST_REQUESTS = 200
_ACCESS = "Access"
_SIZES = {"KiB": 2.0**10, "MiB": 2.0**20}
_LARGEST_SIZE = 200 << 20


def _size(text: str) -> int:
    """Read `--max-size`."""
    from grader.schema.quantities import parse_quantity

    try:
        size = int(parse_quantity(text, _SIZES, noun="a size", advice="`KiB` or `MiB`, such as `20 MiB`"))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if not 0 < size <= _LARGEST_SIZE:
        msg = f"the size must be at most {_LARGEST_SIZE >> 20} MiB"
        raise typer.BadParameter(msg)
    return size


def serve_command(
    out: OutOption,
    rubric: Annotated[
        list[str],
        typer.Option(
            "--rubric",
            metavar="ID|FILE",
            help="A shipped rubric's id, or a YAML file; again for further rubrics.",
            autocompletion=complete_rubric,
        ),
    ],
    *,
    host: Annotated[
        str,
        typer.Option(
            "--host",
            metavar="ADDRESS",
            help="Address of this machine to listen on; any other than the default needs a token of your own.",
            rich_help_panel=_ACCESS,
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            "--port",
            metavar="N",
            min=0,
            max=_HIGHEST_PORT,
            help="Port; 0 for any free one.",
            rich_help_panel=_ACCESS,
        ),
    ] = 8500,
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file",
            metavar="FILE",
            help="File with the clients' tokens, one a line; made if it does not exist.",
            show_default="the variable GRADER_SERVE_TOKEN, else DIR-token",
            dir_okay=False,
            rich_help_panel=_ACCESS,
        ),
    ] = None,
    instructor_token_file: Annotated[
        Path | None,
        typer.Option(
            "--instructor-token-file",
            metavar="FILE",
            help="File with the tokens that also give instructors' reports, and delete.",
            show_default="the variable GRADER_SERVE_INSTRUCTOR_TOKEN, else none",
            dir_okay=False,
            rich_help_panel=_ACCESS,
        ),
    ] = None,
    max_size: Annotated[
        int,
        typer.Option(
            "--max-size",
            metavar="SIZE",
            parser=_size,
            help="Maximum size of an upload.",
            rich_help_panel=_ACCESS,
        ),
    ] = "20 MiB",  # type: ignore[assignment]  # parsed as on the command line
    queue: Annotated[
        int,
        typer.Option(
            "--queue",
            metavar="N",
            min=1,
            help="Most notebooks that wait; later ones are refused.",
            rich_help_panel=_ACCESS,
        ),
    ] = 500,
    jobs: JobsOption = None,
    isolation: IsolationOption = Isolation.AUTO,
    device: DeviceOption = Device.AUTO,
    warm: WarmOption = None,
    language: LanguageOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the log as lines of JSON.", rich_help_panel=RESULT)
    ] = False,
) -> None:
    """Grade uploaded notebooks over HTTP through a queue, for a learning platform or a judge."""
    from contextlib import ExitStack

    from grader.cli.terminal import terminal
    from grader.schema.errors import UsageError

    try:
        import python_multipart
        import starlette
        import uvicorn
    except ImportError as error:
        msg = f"the service needs the package {error.name}"
        raise UsageError(msg, advice=f"install it: {_INSTALL}") from error
    del python_multipart, starlette, uvicorn
    from grader.cli.language import in_language
    from grader.pipeline.rubrics import find_rubric
    from grader.service.guard import Limits
    from grader.service.server import listen
    from grader.store.queue import Queue

    log = ServeLog(terminal(stderr=True), as_json=as_json)
    loaded = [in_language(find_rubric(name), language) for name in rubric]
    options = options_of(isolation, device, jobs=jobs, seed=None, resume=True, warm=warm)
    with ExitStack() as stack:
        listener = stack.enter_context(listen(host, port))
        tokens = _tokens(log, out, host, token_file, instructor_token_file)
        waiting = Queue(out, most=queue)
        stack.enter_context(waiting.at_work())
        if options.isolation == "none":
            log.line("warning", "without isolation: uploaded notebooks run with all your permissions on this machine")
        rooms = _rooms(log, loaded, waiting, options)
        limits = Limits(size=max_size, requests=_MOST_REQUESTS, connections=2 * _MOST_REQUESTS)
        _run(log, waiting, rooms, tokens=tokens, limits=limits, listener=listener)
    raise typer.Exit(DONE)


def _tokens(log: "ServeLog", out: Path, host: str, file: Path | None, instructor_file: Path | None) -> "Tokens":
    """Find the tokens, and refuse an address that others reach without a token of the operator's own."""
    from grader.schema.errors import UsageError
    from grader.service.guard import Tokens
    from grader.service.server import is_loopback
    from grader.service.token_files import INSTRUCTOR_VARIABLE, TOKEN_VARIABLE, find_tokens

    root = out.resolve()
    chosen = file is not None or bool(os.environ.get(TOKEN_VARIABLE))
    if not is_loopback(host):
        if not chosen:
            msg = f"{host} is reachable from other machines, and no token was chosen"
            advice = (
                f"give `--token-file FILE` or the variable {TOKEN_VARIABLE}; docs/serve.md describes a proxy with TLS"
            )
            raise UsageError(msg, where="--host", advice=advice)
        log.line(
            "warning",
            f"{host} is reachable from other machines, and HTTP is not encrypted; docs/serve.md "
            "describes a proxy with TLS",
        )
    for path in (file, instructor_file):
        if path is not None and path.resolve().is_relative_to(root):
            msg = "the token must not be inside the results folder, which is copied and shared"
            raise UsageError(msg, where=str(path), advice="use a file next to the folder")
    client = find_tokens(file, TOKEN_VARIABLE, os.environ, default=root.with_name(f"{root.name}-token"))
    instructor = find_tokens(instructor_file, INSTRUCTOR_VARIABLE, os.environ)
    if client is None:  # there is a default
        msg = "there is no token"
        raise UsageError(msg)
    log.source("token", client)
    if instructor is not None:
        log.source("instructor's token", instructor)
        if set(client.tokens) & set(instructor.tokens):
            msg = "a token is both the clients' and the instructors'"
            raise UsageError(msg, where=instructor.where, advice="use different tokens")
    return Tokens(client.tokens, () if instructor is None else instructor.tokens)


def _rooms(log: "ServeLog", loaded: "list[LoadedRubric]", queue: "Queue", options: "Options") -> "dict[str, Room]":
    """Load the courses, and report their results folders."""
    from grader.cli.site import open_store
    from grader.service.rooms import open_rooms

    rooms = open_rooms(loaded, queue, options, store=open_store(may_download=True), clock=time.monotonic)
    for name, room in rooms.items():
        log.line("rubric", f"{name}, results in {room.out.root}", rubric=name, folder=str(room.out.root))
        for notice in room.bench.notices:
            log.line("notice", notice)
    for name, count in queue.waiting_without(rooms).items():
        log.line("warning", f"{_notebooks(count)} left for the rubric {name}, which is not served now")
    return rooms


def _run(
    log: "ServeLog",
    queue: "Queue",
    rooms: "dict[str, Room]",
    *,
    tokens: "Tokens",
    limits: "Limits",
    listener: "socket",
) -> None:
    """Serve until a signal arrives and the running notebooks are finished."""
    from grader.service.app import Service, Waiters, make_app
    from grader.service.server import Life, address_of, serve
    from grader.service.workshop import Workshop

    waiters = Waiters()
    log.count = queue.counts
    workshop = Workshop(queue, rooms, on_event=log.event, on_change=waiters.wake)

    def on_signal(number: int) -> None:
        if number == 1:
            workshop.drain()
            log.line("stopping", "running notebooks are finished first; a second signal stops them, too")
        else:
            workshop.stop()

    def finished() -> bool:
        if workshop.working:
            return False
        waiters.wake_all()
        return True

    with workshop:
        app = make_app(Service(queue, rooms, workshop, waiters), tokens, limits, on_error=log.error)
        life = Life(lambda: log.ready(address_of(listener), workshop.jobs), on_signal, finished)
        serve(app, listener, limits, life)
    left = queue.counts()["queued"]
    log.line("stopped", f"{_notebooks(left)} left for the next start", queued=left)


def _notebooks(count: int) -> str:
    return "1 notebook" if count == 1 else f"{count or 'no'} notebooks"


class ServeLog:
    """The log of the service: lines for people, or lines of JSON. It has neither tokens nor names of students."""

    def __init__(self, console: "Console", *, as_json: bool, clock: Callable[[], float] = time.time) -> None:
        """Set the console, the form of the lines, and the function that returns Unix time."""
        self._console = console
        self._as_json = as_json
        self._clock = clock
        self.count: Callable[[], dict[str, int]] = dict

    def line(self, kind: str, text: str, **values: object) -> None:
        """Print a line.

        Args:
            kind: Kind of the event.
            text: Text for people.
            values: Further values of the line of JSON.
        """
        now = self._clock()
        if self._as_json:
            record = {"time": round(now, 3), "event": kind, "text": text, **values}
            self._console.out(json.dumps(record), highlight=False)
            return
        stamp = time.strftime("%H:%M:%S", time.localtime(now))
        style = "yellow" if kind in {"warning", "waiting", "again"} else None
        self._console.print(f"{stamp} {kind}: {text}", style=style, markup=False, soft_wrap=True)

    def source(self, name: str, source: "TokenSource") -> None:
        """Print where a token is."""
        made = ", which was made now" if source.made else ""
        self.line(name, f"{source.where}{made}", where=source.where)
        if source.readable:
            self.line("warning", f"other users of this machine may read {source.where}: `chmod 600` prevents it")

    def ready(self, address: str, jobs: int) -> None:
        """Print that the service answers."""
        self.line("serving", f"{address}, {_notebooks(jobs)} at a time; Ctrl+C ends it", address=address, jobs=jobs)

    def event(self, event: "Event") -> None:
        """Print an event of the queue."""
        counts = self.count()
        state = f" ({counts.get('running', 0)} running, {counts.get('queued', 0)} waiting)" if counts else ""
        words = " ".join(word for word in (event.submission, event.text or event.rubric) if word)
        self.line(event.kind, f"{words}{state}", submission=event.submission, rubric=event.rubric, **counts)

    def error(self, error: Exception) -> None:
        """Print an error of the grader while it answered a request."""
        from grader.schema.errors import GraderError, HarnessError

        if isinstance(error, GraderError):
            self.line("error" if isinstance(error, HarnessError) else "refused", str(error))
            return
        from grader.pipeline.publish import unexpected

        self.line("error", str(unexpected(error)))
