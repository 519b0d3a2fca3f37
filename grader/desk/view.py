"""Define what all views of the desk share: their place in the navigation, and the rendering of pages."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from grader.desk.guard import CSRF_FIELD, Form, Visitor
from grader.desk.state import Desk
from grader.report.templating import environment
from grader.report.text import ENGLISH
from grader.resources import share
from grader.schema.errors import UsageError

__all__ = ["View", "desk_of", "form_of", "number_in", "render", "show", "submission_url", "to", "visitor_of"]

_AFTER_POST: Final = 303


@dataclass(frozen=True, slots=True)
class View:
    """One view of the desk."""

    id: str
    title: str
    path: str
    """Address of its first page."""
    key: str
    """The key that opens it, after `g`."""
    routes: Callable[[Desk], Sequence[Route]]


def desk_of(request: Request) -> Desk:
    """Return the desk that a request is for."""
    desk: Desk = request.app.state.desk
    return desk


def visitor_of(request: Request) -> Visitor:
    """Return the person who sent a request."""
    visitor: Visitor = request.state.visitor
    return visitor


def form_of(request: Request) -> Form:
    """Return the fields of a request's body."""
    form: Form = request.state.form
    return form


def number_in(form: Form, name: str) -> float:
    """Read a number from a form; a comma is a decimal point, too.

    Raises:
        UsageError: It is not a number.
    """
    text = form.get(name, "").strip().replace(",", ".")
    try:
        return float(text)
    except ValueError as error:
        msg = f"{text!r} is not a number" if text else "enter the points"
        raise UsageError(msg) from error


def to(path: str) -> Response:
    """Send the browser to a page of the desk after a POST."""
    return RedirectResponse(path, status_code=_AFTER_POST)


def submission_url(submission: str, *rest: str) -> str:
    """Return the address of a submission in the desk."""
    return "/".join(("/submission", *(quote(part, safe="") for part in (submission, *rest))))


def show(request: Request, template: str, view: str = "", *, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a page of the desk.

    Args:
        request: The request.
        template: Name of the template in `templates/desk/`.
        view: Id of the view, which the navigation marks.
        status: Status of the response.
        values: Values for the template.
    """
    return HTMLResponse(render(request, template, view, **values), status_code=status)


def render(request: Request, template: str, view: str = "", **values: Any) -> str:
    """Render a template of the desk, such as a part of a page.

    Args:
        request: The request.
        template: Name of the template in `templates/desk/`.
        view: Id of the view, which the navigation marks.
        values: Values for the template.
    """
    desk, visitor = desk_of(request), visitor_of(request)
    updates = desk.updates.state()
    return (
        _engine(desk.course.zone)
        .get_template(f"desk/{template}")
        .render(
            {
                "views": request.app.state.views,
                "view": view,
                "course_title": desk.course.stamp.title or desk.course.stamp.id,
                "visitor": visitor,
                "csrf": visitor.csrf,
                "csrf_field": Markup('<input type="hidden" name="{}" value="{}">').format(CSRF_FIELD, visitor.csrf),
                "updates": updates,
                "can_undo": bool(visitor.done),
                "here": request.url.path,
                **values,
            }
        )
    )


def _engine(zone: tzinfo) -> Environment:
    return environment(share("templates"), ENGLISH.in_zone(zone))
