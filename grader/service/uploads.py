"""Read one uploaded notebook to a file, and check that it can be graded before it is accepted."""

import asyncio
import hashlib
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from grader.facts.refusal import refusal
from grader.intake.notebook import read_notebook, read_skeleton
from grader.schema.errors import NotebookError
from grader.schema.message import say
from grader.service.refusals import RefusedRequestError
from grader.store.files import writing

__all__ = ["Upload", "check_notebook", "receive_upload"]

FILE_FIELD: Final = "notebook"
_JSON_TYPES: Final = frozenset({"application/json", "application/x-ipynb+json", "application/octet-stream"})
_FORM_TYPE: Final = "multipart/form-data"
_LARGEST_FIELD: Final = 4096
_MOST_FIELDS: Final = 10
_LONGEST_STUDENT: Final = 100
_STUDENT_ADVICE: Final = "send the student's id in the learning platform"
_LONGEST_KEY: Final = 200
_CHUNK: Final = 1 << 20
_NAME: Final = "notebook.ipynb"
_COUNTED_FROM: Final = 1 << 20
"""Size in bytes without outputs from which the values of a notebook are counted."""
_MOST_VALUES: Final = 250_000
"""Most values of a notebook without outputs. A notebook has a few for each cell, and one for each line; more of them
would only fill the memory."""
_VALUE: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{\[,]', re.DOTALL)


_Field = TypeVar("_Field")


@dataclass(frozen=True, slots=True)
class Upload:
    """An uploaded notebook in its own file, and the fields of its request."""

    path: Path
    rubric: str
    """Id as given; may be empty."""
    student: str
    sha256: str
    key: str | None
    """The client's key for repeated requests; None without one."""


async def receive_upload(request: Request, path: Path) -> Upload:
    """Write the notebook of a request to a file, piece by piece.

    Args:
        request: A form with the fields `notebook`, `rubric` and `student`, or the notebook itself with `rubric` and
            `student` in the address.
        path: Path of the file, which does not exist yet. It may exist afterwards, also after an error.

    Raises:
        RefusedRequestError: The request is wrong, too large, too slow or incomplete.
        StorageError: The file cannot be written.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    key = _key_of(request)
    try:
        if kind == _FORM_TYPE:
            async with request.form(max_files=1, max_fields=_MOST_FIELDS, max_part_size=_LARGEST_FIELD) as form:
                fields = {name: _text(form, name) for name in ("rubric", "student")}
                with _new_file(path) as file:
                    sha256 = await asyncio.to_thread(_copy, _file(form), file)
        elif kind in _JSON_TYPES:
            fields = {name: _only(request.query_params.getlist(name), name) or "" for name in ("rubric", "student")}
            with _new_file(path) as file:
                sha256 = await _stream(request, file)
        else:
            msg = f"a body of the type {kind[:100]!r} is not accepted"
            raise RefusedRequestError(
                msg,
                415,
                where="Content-Type",
                advice=f"send `{_FORM_TYPE}` with the file `{FILE_FIELD}`, or the notebook as `application/json`",
            )
    except ClientDisconnect as error:
        msg = "the request is incomplete"
        raise RefusedRequestError(msg, advice="send it again") from error
    except HTTPException as error:
        msg = f"the form cannot be read: {error.detail}"
        raise RefusedRequestError(msg, where="body") from error
    return Upload(path, fields["rubric"].strip(), _student(fields["student"]), sha256, key)


def _key_of(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not key.strip() or len(key) > _LONGEST_KEY:
        msg = f"the key must have 1 to {_LONGEST_KEY} characters"
        raise RefusedRequestError(msg, where="Idempotency-Key")
    return key.strip()


def _only(values: Sequence[_Field], name: str) -> _Field | None:
    """Return the value of a field; None without one.

    Raises:
        RefusedRequestError: It is given twice, so nobody knows which one is meant.
    """
    if len(values) > 1:
        msg = "the request gives this field more than once"
        raise RefusedRequestError(msg, where=name)
    return values[0] if values else None


def _text(form: FormData, name: str) -> str:
    value = _only(form.getlist(name), name) or ""
    if not isinstance(value, str):
        msg = "this field must be a text, not a file"
        raise RefusedRequestError(msg, where=name)
    return value


def _file(form: FormData) -> UploadFile:
    value = form.get(FILE_FIELD)
    if not isinstance(value, UploadFile):
        msg = f"the form has no file {FILE_FIELD!r}"
        raise RefusedRequestError(msg, where=FILE_FIELD, advice=f"send the notebook as the file `{FILE_FIELD}`")
    return value


def _student(text: str) -> str:
    """Check the student's id. It is a text of the grade, and never a part of a path."""
    student = unicodedata.normalize("NFC", " ".join(text.split()))
    if not student:
        msg = "the request names no student"
        raise RefusedRequestError(msg, 422, where="student", advice=_STUDENT_ADVICE)
    if len(student) > _LONGEST_STUDENT:
        msg = f"the student must have at most {_LONGEST_STUDENT} characters"
        raise RefusedRequestError(msg, 422, where="student", advice=_STUDENT_ADVICE)
    if any(unicodedata.category(letter).startswith("C") for letter in student):
        msg = "the student has characters that cannot be printed"
        raise RefusedRequestError(msg, 422, where="student", advice=_STUDENT_ADVICE)
    return student


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    with writing(path), os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        yield file


async def _stream(request: Request, file: BinaryIO) -> str:
    digest = hashlib.sha256()
    async for chunk in request.stream():
        digest.update(chunk)
        file.write(chunk)
    return digest.hexdigest()


def _copy(source: UploadFile, file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := source.file.read(_CHUNK):
        digest.update(chunk)
        file.write(chunk)
    return digest.hexdigest()


def check_notebook(path: Path, sha256: str) -> None:
    """Check that a file is a notebook that can be executed, in bounded memory.

    Args:
        path: The file.
        sha256: Its hash.

    Raises:
        NotebookError: It is not.
        HarnessError: It cannot be read now.
    """
    try:
        content = read_skeleton(path).content
        if len(content) > _COUNTED_FROM and _has_more_values(content, _MOST_VALUES):
            msg = say("the notebook has more than {limit:number} values even without its outputs", limit=_MOST_VALUES)
            raise refusal(msg, where=_NAME, advice=say("remove data and pictures from its cells and submit it again"))
        read_notebook(path, sha256=sha256)
    except NotebookError as error:
        # The file has a random name here, which means nothing to anybody.
        where = error.where.replace(path.name, _NAME)
        raise NotebookError(
            error.message, where=where, advice=error.advice, says=error.says, advice_says=error.advice_says
        ) from error


def _has_more_values(content: bytes, most: int) -> bool:
    """Whether a JSON text has more values than a number, without parsing it."""
    count = 0
    for match in _VALUE.finditer(content):
        count += match.end() - match.start() == 1
        if count > most:
            return True
    return False
