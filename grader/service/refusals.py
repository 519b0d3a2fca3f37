"""Turn errors into the answers of the service."""

from typing import Final

from starlette.responses import Response

from grader.facts.language import Language
from grader.schema.errors import GraderError, HarnessError, NotebookError, UsageError
from grader.schema.service import Problem, ProblemAnswer
from grader.store.queue import KeyReusedError, QueueFullError

__all__ = ["RETRY_SECONDS", "RefusedRequestError", "answer", "problem_answer"]

RETRY_SECONDS: Final = 30
"""Seconds after which a client should try again, for `Retry-After`."""
_BAD_REQUEST: Final = 400
_UNPROCESSABLE: Final = 422
_BUSY: Final = frozenset({429, 503})
_INTERNAL: Final = 500
_STATUSES: Final = ((QueueFullError, 429), (KeyReusedError, 409), (NotebookError, _UNPROCESSABLE))


class RefusedRequestError(UsageError):
    """A request that is wrong, or that cannot be answered now."""

    def __init__(self, message: str, status: int = _BAD_REQUEST, *, where: str = "", advice: str = "") -> None:
        """Store the parts of the answer, and its HTTP status."""
        super().__init__(message, where=where, advice=advice)
        self.status = status


def answer(document: ProblemAnswer, status: int) -> Response:
    """Make the response of a refused request."""
    headers = {"retry-after": str(RETRY_SECONDS)} if status in _BUSY else {}
    if status == 401:  # noqa: PLR2004 - unauthorized
        headers["www-authenticate"] = 'Bearer realm="grader"'
    content = document.model_dump_json(exclude_none=True)
    return Response(content, status, headers, media_type="application/json")


def problem_answer(error: Exception, language: Language | None = None) -> Response:
    """Make the response for an error.

    Args:
        error: The error. The response for an unexpected one has no details of it.
        language: Language of texts for students; by default English.
    """
    if not isinstance(error, GraderError):
        problem = Problem(
            kind="HarnessError",
            message="an error in the grader",
            advice="send the same request again later; the log of the service says more, and nobody loses points",
        )
        return answer(ProblemAnswer(error=problem), _INTERNAL)
    problem = Problem(kind=_kind(error), message=error.message, where=error.where, advice=error.advice)
    if isinstance(error, HarnessError):
        # Its place is a path on this machine.
        problem = problem.model_copy(update={"where": ""})
    if isinstance(error, NotebookError):
        says, advice = error.says, error.advice_says
        problem = problem.model_copy(update={"says": says, "advice_says": advice})
        if language is not None:
            texts = {"message": language.text(says), "advice": language.text(advice)}
            problem = problem.model_copy(update=texts)
    return answer(ProblemAnswer(error=problem), _status(error))


def _kind(error: GraderError) -> str:
    """Name the class of the error tree in `grader.schema.errors`."""
    kinds = type(error).__mro__
    return next(kind.__name__ for kind in kinds if kind.__module__ == GraderError.__module__)


def _status(error: GraderError) -> int:
    if isinstance(error, RefusedRequestError):
        return error.status
    for kind, status in _STATUSES:
        if isinstance(error, kind):
            return status
    return _BAD_REQUEST if isinstance(error, UsageError) else 503
