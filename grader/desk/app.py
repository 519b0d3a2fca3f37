"""Put the desk together: its views, its style and script, and the pages that all views need."""

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Final
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from grader.desk import needs, publish, question, rubric, similar, submission
from grader.desk.guard import Door, Guard
from grader.desk.state import Desk
from grader.desk.view import View, desk_of, form_of, show, to, visitor_of
from grader.facts.nearest import suggestion
from grader.resources import share
from grader.schema.errors import GraderError, UsageError

__all__ = ["VIEWS", "make_app"]

VIEWS: Final[tuple[View, ...]] = (
    needs.VIEW,
    question.VIEW,
    submission.VIEW,
    rubric.VIEW,
    similar.VIEW,
    publish.VIEW,
)
"""The views in the order of the navigation."""
_ASSET: Final = re.compile(r"(?:report|desk(?:-[a-z]+)*)\.(?:css|js)")
_TYPES: Final = {"css": "text/css", "js": "text/javascript"}
_LONGEST_NAME: Final = 100
_LONGEST_KEY: Final = 300
_NOT_FOUND: Final = 404


def make_app(
    desk: Desk,
    door: Door,
    *,
    views: Sequence[View] = VIEWS,
    on_error: Callable[[Exception], None] = lambda _error: None,
) -> ASGIApp:
    """Make the application that serves a desk.

    Args:
        desk: The state.
        door: The token, and the addresses of the desk.
        views: The views.
        on_error: Called with unexpected errors, whose page has no details.
    """

    async def unexpected(request: Request, error: Exception) -> Response:
        on_error(error)
        return _problem(request, "An error in the grader. The terminal says more.", "", 500)

    app = Starlette(
        routes=[
            Route("/name", _name, methods=["GET"]),
            Route("/name", _rename, methods=["POST"]),
            Route("/undo", _undo, methods=["POST"]),
            Route("/update", _update, methods=["POST"]),
            Route("/updates", _updates, methods=["GET"]),
            Route("/hold", _hold, methods=["POST"]),
            Route("/static/{name}", _static, methods=["GET"]),
            Route("/favicon.ico", _no_icon, methods=["GET"]),
            *(route for view in views for route in view.routes(desk)),
        ],
        middleware=[Middleware(_Named)],
        exception_handlers={HTTPException: _not_found, GraderError: _refused, Exception: unexpected},
    )
    app.state.desk = desk
    app.state.views = tuple(views)
    # Outside of Starlette, so that its own error pages have the headers, too.
    return Guard(app, door)


class _Named:
    """Middleware that asks for a name before any page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET":
            request, path = Request(scope), scope["path"]
            if not visitor_of(request).name and path != "/name" and not path.startswith("/static/"):
                await to(f"/name?{urlencode({'then': path})}")(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _name(request: Request) -> Response:
    desk = desk_of(request)
    return show(request, "name.html.j2", then=_local(request.query_params.get("then", "/")), graders=desk.graders)


def _rename(request: Request) -> Response:
    form = form_of(request)
    name = " ".join(form.get("name", "").split())
    if not name or len(name) > _LONGEST_NAME:
        msg = "enter your name" if not name else f"the name is longer than {_LONGEST_NAME} characters"
        raise UsageError(msg)
    graders = desk_of(request).graders
    if graders and name not in graders:
        msg = f"{name!r} is none of the `graders` of the course{suggestion(name, graders)}"
        raise UsageError(msg, advice="add the name to `graders` in course.yaml, or use another one")
    visitor_of(request).name = name
    return to(_local(form.get("then", "/")))


def _local(path: str) -> str:
    """Return a path of the desk; `/` for any other address."""
    return path if re.fullmatch(r"/(?![/\\])[ -\[\]-~]*", path) else "/"


def _undo(request: Request) -> Response:
    undone = desk_of(request).undo(visitor_of(request))
    then = _local(form_of(request).get("then", "/"))
    if undone and then.startswith(question.VIEW.path):
        return to(question.place_of(request, undone[0]))
    return to(then)


def _update(request: Request) -> Response:
    desk_of(request).updates.ask()
    return to(_local(form_of(request).get("then", "/")))


def _updates(request: Request) -> Response:
    return JSONResponse(asdict(desk_of(request).updates.state()))


def _hold(request: Request) -> Response:
    """Renew a hold, take it over, or end it if no answer is named."""
    desk, visitor, form = desk_of(request), visitor_of(request), form_of(request)
    key = form.get("key", "")[:_LONGEST_KEY]
    if not key:
        desk.holds.release(visitor.id)
        return JSONResponse({"held": None})
    force = form.get("force") == "1"
    return JSONResponse({"held": desk.holds.take(key, visitor.id, visitor.name, force=force)})


def _static(request: Request) -> Response:
    name = request.path_params["name"]
    path = share("templates") / name
    if not _ASSET.fullmatch(name) or not path.is_file():
        raise HTTPException(404)
    return Response(path.read_bytes(), media_type=_TYPES[path.suffix[1:]])


def _no_icon(_request: Request) -> Response:
    """Answer the request for an icon that browsers send for a report, which names none."""
    return Response(status_code=204)


def _not_found(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    return _problem(
        request, "There is no such page." if status == _NOT_FOUND else "This is not possible here.", "", status
    )


def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, GraderError):
        raise error
    where = f"{error.where}: " if error.where else ""
    return _problem(request, f"{where}{error.message}", error.advice, 400 if isinstance(error, UsageError) else 500)


def _problem(request: Request, message: str, advice: str, status: int) -> Response:
    back = _page_before(request)
    return show(request, "problem.html.j2", status=status, message=message, advice=advice, back=back)


def _page_before(request: Request) -> str:
    """Return the path of the desk's page that a request came from; `/` if it came from elsewhere."""
    scheme, _, rest = request.headers.get("referer", "").partition("://")
    host, slash, path = rest.partition("/")
    here = scheme in {"http", "https"} and host == request.headers.get("host")
    return _local(f"{slash}{path}") if here else "/"
