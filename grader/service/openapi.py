"""Describe the addresses of the service in OpenAPI 3.1."""

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from grader.schema.service import Health, ProblemAnswer, QueueCounts, RubricsAnswer, SubmissionAnswer
from grader.service.guard import Limits
from grader.version import __version__

__all__ = ["describe"]

_ANSWERS: Final = (Health, ProblemAnswer, QueueCounts, RubricsAnswer, SubmissionAnswer)
_PROBLEMS: Final[Mapping[int, str]] = {
    400: "The request is wrong.",
    401: "No valid token.",
    403: "This needs an instructor's token.",
    404: "There is no such submission.",
    408: "The request was not complete in time.",
    409: "Not possible in this state, or the key belongs to another notebook.",
    413: "The request is too large.",
    415: "The type of the body is not accepted.",
    422: "The file is not a notebook that can be executed; the error is for the student.",
    429: "The queue is full; see `Retry-After`.",
    503: "The grader cannot answer now; see `Retry-After`.",
}
_OF_ALL: Final = (401, 503)


def describe(limits: Limits) -> bytes:
    """Write the description.

    Args:
        limits: The limits of this service.

    Returns:
        JSON in UTF-8.
    """
    _, definitions = models_json_schema(
        [(answer, "serialization") for answer in _ANSWERS], ref_template="#/components/schemas/{model}"
    )
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "cnn-grader",
            "version": __version__,
            "summary": "Grades uploaded notebooks through a queue.",
        },
        "paths": _paths(limits),
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }
    return json.dumps(document, indent=1).encode()


def _paths(limits: Limits) -> dict[str, Any]:
    one = [_parameter("id", "path", "Id of the submission.")]
    edition = _parameter(
        "edition", "query", "`instructor` needs an instructor's token.", enum=["student", "instructor"]
    )
    wait = _parameter("wait", "query", "Seconds to wait until it is done, at most 60.", type_="integer")
    grade = {"description": "The grade, as in docs/grade.md.", "content": {"application/json": {"schema": {}}}}
    report = {"description": "The report.", "content": {"text/html": {"schema": {"type": "string"}}}}
    return {
        "/healthz": {"get": {"security": [], **_operation("Whether the service runs.", {200: _json(Health)})}},
        "/v1/rubrics": {"get": _operation("The rubrics.", {200: _json(RubricsAnswer)}, _OF_ALL)},
        "/v1/queue": {"get": _operation("The length of the queue.", {200: _json(QueueCounts)}, _OF_ALL)},
        "/v1/submissions": {"post": _upload(limits)},
        "/v1/submissions/{id}": {
            "get": _operation("A submission.", {200: _json(SubmissionAnswer)}, (400, *_OF_ALL, 404, 409), [*one, wait]),
            "delete": _operation(
                "Delete a submission and its results. It needs an instructor's token.",
                {204: {"description": "Deleted."}},
                (*_OF_ALL, 403, 404, 409),
                one,
            ),
        },
        "/v1/submissions/{id}/grade.json": {
            "get": _operation("The grade.", {200: grade}, (400, *_OF_ALL, 403, 404, 409), [*one, edition])
        },
        "/v1/submissions/{id}/report.html": {
            "get": _operation("The report.", {200: report}, (400, *_OF_ALL, 403, 404, 409), [*one, edition])
        },
    }


def _upload(limits: Limits) -> dict[str, Any]:
    texts = {"rubric": "Id of the rubric; may be left out if there is only one.", "student": "The student's id."}
    form = {
        "type": "object",
        "required": ["notebook", "student"],
        "properties": {
            "notebook": {"type": "string", "contentMediaType": "application/x-ipynb+json"},
            **{name: {"type": "string", "description": text} for name, text in texts.items()},
        },
    }
    operation = _operation(
        "Send a notebook. The same notebook of the same student for the same rubric is the same submission.",
        {200: _json(SubmissionAnswer, "It was done before."), 202: _json(SubmissionAnswer, "It is in the queue.")},
        (400, *_OF_ALL, 408, 409, 413, 415, 422, 429),
        [
            *(_parameter(name, "query", f"{text} Not for a form.") for name, text in texts.items()),
            _parameter("Idempotency-Key", "header", "A key that names this request when it is repeated."),
        ],
    )
    return {
        **operation,
        "requestBody": {
            "description": f"At most {limits.size} bytes.",
            "required": True,
            "content": {
                "multipart/form-data": {"schema": form},
                "application/json": {"schema": {"type": "object", "description": "The notebook."}},
            },
        },
    }


def _operation(
    summary: str,
    answers: Mapping[int, Any],
    problems: tuple[int, ...] = (),
    parameters: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    refused = {status: _json(ProblemAnswer, _PROBLEMS[status]) for status in problems}
    responses = {str(status): answers.get(status) or refused[status] for status in sorted({*answers, *refused})}
    return {"summary": summary, "parameters": parameters or [], "responses": responses}


def _parameter(name: str, place: str, text: str, *, type_: str = "string", **schema: Any) -> dict[str, Any]:
    return {
        "name": name,
        "in": place,
        "required": place == "path",
        "description": text,
        "schema": {"type": type_, **schema},
    }


def _json(kind: type, text: str = "") -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{kind.__name__}"}
    return {"description": text or "The answer.", "content": {"application/json": {"schema": reference}}}
