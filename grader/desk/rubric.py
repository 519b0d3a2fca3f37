"""View 4, "The rubric, live": edit the rubric, see who changes and why, and apply it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from grader.desk.live import LiveRubric
from grader.desk.state import Desk
from grader.desk.view import View, desk_of, form_of, render, show, submission_url, to
from grader.pipeline.changes import Changed
from grader.pipeline.preview import Preview
from grader.report.bars import compared_histogram
from grader.schema.errors import GraderError

__all__ = ["VIEW"]

_MOST_LISTED: Final = 200


def _routes(_desk: Desk) -> Sequence[Route]:
    return [
        Route("/rubric", _page, methods=["GET"]),
        Route("/rubric/check", _check, methods=["POST"]),
        Route("/rubric/preview", _preview, methods=["POST"]),
        Route("/rubric/apply", _apply, methods=["POST"]),
        Route("/rubric/state", _state, methods=["GET"]),
    ]


VIEW: Final = View("rubric", "The rubric", "/rubric", "r", _routes)


@dataclass(frozen=True, slots=True)
class _Row:
    """A submission whose points or verdicts change."""

    name: str
    href: str
    old: float | None
    new: float | None
    whys: tuple[str, ...]

    @property
    def step(self) -> float:
        """The change of the score; the largest one if there is no score before or after."""
        return float("inf") if self.old is None or self.new is None else self.new - self.old


def _live(request: Request) -> LiveRubric:
    """Return the rubric that is edited; it is kept with its worker processes."""
    state, desk = request.app.state, desk_of(request)
    if getattr(state, "live", None) is None:
        state.live = LiveRubric(desk)
    live: LiveRubric = state.live
    return live


def _page(request: Request) -> Response:
    live = _live(request)
    progress = live.progress()
    if progress.changed is not None:
        # The answers of the view "Question by question" belong to the rubric before.
        request.app.state.answers = None
    return show(
        request,
        "rubric.html.j2",
        "rubric",
        stored=live.stored(),
        target=live.target,
        copies=live.copies,
        progress=progress,
    )


def _check(request: Request) -> Response:
    """Return the problems of a text."""
    try:
        problems = _live(request).problems(form_of(request).get("text", ""))
    except GraderError as error:
        return JSONResponse({"problems": [_problem(error)]})
    return JSONResponse(
        {"problems": [{"line": one.mark.line, "column": one.mark.column, "text": one.message} for one in problems]}
    )


def _preview(request: Request) -> Response:
    """Return the effect of a text as a part of the page; without one if a later text was sent."""
    try:
        preview = _live(request).preview(form_of(request).get("text", ""))
    except GraderError as error:
        return JSONResponse({"problems": [_problem(error)]})
    if preview is None:
        return JSONResponse({"superseded": True})
    html = render(request, "rubric-effect.html.j2", **_effect(preview))
    return JSONResponse({"html": html, "summary": _summary(preview)})


def _problem(error: GraderError) -> dict[str, Any]:
    advice = f" {error.advice}" if error.advice else ""
    return {"line": None, "column": None, "text": f"{error.message}{advice}"}


def _apply(request: Request) -> Response:
    form = form_of(request)
    _live(request).apply(form.get("text", "").replace("\r\n", "\n"), form.get("known", ""))
    return to("/rubric")


def _state(request: Request) -> Response:
    live = _live(request)
    progress = live.progress()
    return JSONResponse({"preview": asdict(live.step()), "running": progress.running, "regrade": asdict(progress.step)})


def _effect(preview: Preview) -> dict[str, Any]:
    """Return the values of the part of the page that shows an effect."""
    rows = sorted((_row(one) for one in preview.regrade.first if _counts(one)), key=lambda row: -abs(row.step))
    shares = [one.new / one.new_max for one in preview.scores if one.new is not None and one.new_max > 0]
    before = [one.old / one.old_max for one in preview.scores if one.old is not None and one.old_max > 0]
    return {
        "chart": compared_histogram(preview.before, preview.after),
        "mean_before": sum(before) / len(before) if before else None,
        "mean_after": sum(shares) / len(shares) if shares else None,
        "rows": rows[:_MOST_LISTED],
        "more": max(len(rows) - _MOST_LISTED, 0),
        "up": sum(row.step > 0 for row in rows),
        "down": sum(row.step < 0 for row in rows),
        "others": preview.regrade.changed - len(rows),
        "regrade": preview.regrade,
        "total": preview.regrade.total,
    }


def _counts(changed: Changed) -> bool:
    """Whether points or verdicts change, and not only messages."""
    return changed.old != changed.new or any(
        (one.old_points, one.old_max, one.old_status) != (one.new_points, one.new_max, one.new_status)
        for one in changed.changes
    )


def _row(changed: Changed) -> _Row:
    decisive = [
        one.why
        for one in changed.changes
        if (one.old_points, one.old_max, one.old_status) != (one.new_points, one.new_max, one.new_status)
    ]
    whys = tuple(decisive or (one.why for one in changed.changes))
    return _Row(changed.student, submission_url(changed.submission), changed.old, changed.new, whys)


def _summary(preview: Preview) -> str:
    number = sum(map(_counts, preview.regrade.first))
    if not number:
        return f"No points of the {preview.regrade.total} submissions would change."
    return f"{number} of {preview.regrade.total} submissions would change."
