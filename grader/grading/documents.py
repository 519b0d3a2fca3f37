"""Typed YAML documents: every error with its line, its column and the nearest valid name."""

import difflib
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from grader.grading.yamlnodes import LocatedYaml, Mark, Place, Problem, read_yaml
from grader.schema.errors import UsageError

__all__ = [
    "LARGEST",
    "document_error",
    "document_problems",
    "field_extra",
    "nearest",
    "problem_at",
    "read_located",
    "telling",
    "value_at",
]

LARGEST = 1 << 20
"""Size limit of a file, in bytes."""
_SHOWN = 20
"""Number of errors to list; the others are counted."""


def read_located(content: bytes, *, name: str, noun: str, kind: type[UsageError]) -> LocatedYaml:
    """Decode a file's bytes and read them as YAML.

    Args:
        content: The bytes.
        name: Name of the file in errors.
        noun: Kind of document, such as `rubric`.
        kind: Class of the error to raise.

    Raises:
        UsageError: The file is too large, or no UTF-8 text.
    """
    if len(content) > LARGEST:
        message = f"the file is larger than {LARGEST >> 20} MiB, which no {noun} is"
        raise kind(message, where=name)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = "not UTF-8 text"
        raise kind(message, where=f"{name}:{line}") from error
    return read_yaml(text)


def document_error(problems: Iterable[Problem], *, name: str, kind: type[UsageError]) -> UsageError:
    """Make one error of all problems of a file, in the order of their lines.

    Args:
        problems: At least one.
        name: Name of the file.
        kind: Class of the error.
    """

    def where(mark: Mark) -> str:
        return f"{name}:{mark.line}:{mark.column}"

    listed = sorted(set(problems))
    if len(listed) == 1:
        return kind(listed[0].message, where=where(listed[0].mark))
    lines = [f"{where(problem.mark)}: {problem.message}" for problem in listed[:_SHOWN]]
    if len(listed) > _SHOWN:
        lines.append(f"and {len(listed) - _SHOWN} more")
    return kind(f"{len(listed)} errors\n" + "\n".join(lines), where=name)


def document_problems(read: LocatedYaml, document: type[BaseModel], place: Place = ()) -> Iterator[Problem]:
    """Validate a part of a file.

    Args:
        read: The file.
        document: What the part must be.
        place: Where the part is; the whole file by default.
    """
    try:
        document.model_validate(value_at(read.data, place))
    except ValidationError as error:
        for detail in telling(read, place, error):
            yield problem_at(read, document, place, detail)


def telling(read: LocatedYaml, base: Place, error: ValidationError) -> Iterator[ErrorDetails]:
    """The errors worth saying: of the members of a union, not those that only wanted another type altogether.

    Args:
        read: The file.
        base: Place of the part that was validated.
        error: What its validation raised.
    """
    details = error.errors(include_url=False)
    places = [_real_place(read, base, detail["loc"]) for detail in details]
    for place, detail in zip(places, details, strict=True):
        others = [d for p, d in zip(places, details, strict=True) if d is not detail and p[: len(place)] == place]
        # A wrong item is left out of its list, which is then called too short.
        if detail["type"] == "too_short" and others:
            continue
        if not (detail["type"].endswith("_type") and any(not d["type"].endswith("_type") for d in others)):
            yield detail


def problem_at(read: LocatedYaml, root: type[BaseModel], base: Place, detail: ErrorDetails) -> Problem:
    """Say a validation error in the words of the file, at its place in the file.

    Args:
        read: The file.
        root: The document that was validated.
        base: Its place in the file.
        detail: The error.
    """
    inner = _real_place(read, base, detail["loc"])
    place = (*base, *inner)
    last = inner[-1] if inner else ""
    match detail["type"]:
        case "extra_forbidden":
            message = f"unknown key {str(last)!r}{nearest(str(last), _allowed(root, inner[:-1]))}"
            return Problem(read.key(place), message)
        case "missing":
            outer = f" in `{place[-2]}`" if len(place) > 1 and isinstance(place[-2], str) else ""
            return Problem(read.value(place[:-1]), f"the key {str(last)!r} is missing{outer}")
        case "literal_error" if last == "version":
            return Problem(read.value(place), f"version {detail['input']!r} is not known; this grader reads version 1")
        case "literal_error":
            expected = str(detail.get("ctx", {}).get("expected", ""))
            names = [part.strip(" '") for part in expected.replace(" or ", ", ").split(",")]
            hint = nearest(str(detail["input"]), names)
            return Problem(read.value(place), f"`{last}` is {detail['input']!r}, but must be {expected}{hint}")
        case "string_pattern_mismatch":
            said = f"`{last}` is {detail['input']!r}, but must be lower-case letters, digits, `-` and `_`"
            return Problem(read.value(place), said)
    said = detail["msg"].removeprefix("Value error, ").replace("Input should", "should", 1)
    subject = f"`{_spoken_place(inner)}`: " if inner else ""
    return Problem(read.value(place), f"{subject}{said}")


def _real_place(read: LocatedYaml, base: Place, loc: tuple[int | str, ...]) -> Place:
    """Drop the parts of a pydantic location that name a member of a union or a validator, not a place in the file."""
    place: Place = ()
    data = value_at(read.data, base)
    for position, part in enumerate(loc):
        final = position == len(loc) - 1
        if isinstance(data, Mapping):
            if part in data or (final and isinstance(part, str) and _is_word(part)):
                place = (*place, part)
                data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            place = (*place, part)
            data = data[part]
    return place


def _is_word(part: str) -> bool:
    return part.replace("_", "").isalnum()


def value_at(data: Any, place: Place) -> Any:
    """Return the value at a place of a document; the place must exist."""
    for part in place:
        data = data[part]
    return data


def _spoken_place(place: Place) -> str:
    words = [str(part + 1) if isinstance(part, int) else part for part in place]
    return ".".join(words[-2:]) if isinstance(place[-1], int) else words[-1]


def _allowed(root: type[BaseModel], place: Place) -> list[str]:
    """The keys that may stand at a place of a document."""
    found: list[Any] = [root]
    for part in place:
        found = [inner for kind in found for inner in _step(kind, part)]
    models = [kind for kind in found if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return [info.alias or name for model in models for name, info in model.model_fields.items()]


def _step(kind: Any, part: str | int) -> Iterator[Any]:
    """The types that a part of a value of a type may have."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, info in kind.model_fields.items():
            if part == (info.alias or name):
                yield from _members(info.annotation)
        return
    arguments = [a for a in typing.get_args(kind) if a is not Ellipsis]
    yield from (member for argument in arguments for member in _members(argument))


def _members(kind: Any) -> Iterator[Any]:
    """A type, unions and annotations opened."""
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        yield from _members(typing.get_args(kind)[0])
    elif origin in {typing.Union, types.UnionType}:
        for member in typing.get_args(kind):
            yield from _members(member)
    else:
        yield kind


def nearest(name: str, choices: Iterable[str]) -> str:
    """Name the choice that is most like a name, or list all choices; a text to append to a message.

    Args:
        name: The unknown name.
        choices: The valid names.
    """
    choices = list(choices)
    near = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; possible are {', '.join(sorted(set(choices)))}" if choices else ""


def field_extra(info: FieldInfo) -> Mapping[str, Any]:
    """Return what a field's annotation adds to its JSON Schema, also inside `X | None`."""
    found = [info.json_schema_extra]
    for member in _annotated(info.annotation):
        found += [part.json_schema_extra for part in member.__metadata__ if isinstance(part, FieldInfo)]
    return next((extra for extra in found if isinstance(extra, Mapping)), {})


def _annotated(kind: Any) -> Iterator[Any]:
    if typing.get_origin(kind) is typing.Annotated:
        yield kind
        yield from _annotated(typing.get_args(kind)[0])
    elif typing.get_origin(kind) in {typing.Union, types.UnionType}:
        for member in typing.get_args(kind):
            yield from _annotated(member)
