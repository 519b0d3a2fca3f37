"""Read typed YAML documents; each error has a line, a column and the nearest valid name."""

import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from grader.facts.nearest import near_path, suggestion
from grader.grading.yamlnodes import LocatedYaml, Mark, Place, Problem, read_yaml
from grader.schema.errors import UsageError

__all__ = [
    "LARGEST",
    "document_error",
    "document_problems",
    "field_extra",
    "problem_at",
    "read_bytes",
    "read_located",
    "telling",
    "value_at",
]

LARGEST = 1 << 20
"""Size limit of a file, in bytes."""
_SHOWN = 20
"""Number of errors to list; the others are counted."""
_RULE = re.compile(r"(?:Input|String|List|Tuple|Dictionary|Set|Value) should (.*)", re.DOTALL)
"""A message of pydantic about a rule of a value."""


def read_bytes(path: Path, *, noun: str, kind: type[UsageError], advice: str = "") -> bytes:
    """Read a file, at most one byte more than `LARGEST`, so that `read_located` can refuse a larger one.

    Args:
        path: The file.
        noun: The document, for errors, such as `the rubric`.
        kind: Class of the error to raise.
        advice: Advice of the error.

    Raises:
        UsageError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        near = near_path(path) if isinstance(error, FileNotFoundError) else ""
        message = f"{noun} cannot be read: {error.strerror or error}{near}"
        raise kind(message, where=str(path), advice=advice) from error


def read_located(content: bytes, *, name: str, noun: str, kind: type[UsageError]) -> LocatedYaml:
    """Decode a file's bytes and read them as YAML.

    Args:
        content: The bytes.
        name: Name of the file in errors.
        noun: Kind of document, such as `rubric`.
        kind: Class of the error to raise.

    Raises:
        UsageError: The file is too large, or is not UTF-8 text.
    """
    if len(content) > LARGEST:
        message = f"the file is larger than {LARGEST >> 20} MiB, the limit for a {noun}"
        raise kind(message, where=name)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = "not UTF-8 text"
        raise kind(message, where=f"{name}:{line}") from error
    return read_yaml(text)


def document_error(problems: Iterable[Problem], *, name: str, kind: type[UsageError]) -> UsageError:
    """Combine all problems of a file into one error, ordered by line.

    Args:
        problems: At least one.
        name: Name of the file.
        kind: Class of the error.
    """

    def where(mark: Mark) -> str:
        return f"{name}:{mark.line}:{mark.column}"

    ordered = sorted(set(problems))
    if len(ordered) == 1:
        return kind(ordered[0].message, where=where(ordered[0].mark))
    lines = [f"{where(problem.mark)}: {problem.message}" for problem in ordered[:_SHOWN]]
    if len(ordered) > _SHOWN:
        lines.append(f"and {len(ordered) - _SHOWN} more")
    return kind(f"{len(ordered)} errors\n" + "\n".join(lines), where=name)


def document_problems(read: LocatedYaml, document: type[BaseModel], place: Place = ()) -> Iterator[Problem]:
    """Validate a part of a file.

    Args:
        read: The file.
        document: The type of the part.
        place: Path of the part; the whole file by default.
    """
    try:
        document.model_validate(value_at(read.data, place))
    except ValidationError as error:
        for detail in telling(read, place, error):
            yield problem_at(read, document, place, detail)


def telling(read: LocatedYaml, base: Place, error: ValidationError) -> Iterator[ErrorDetails]:
    """Select the relevant errors: of a union, leave out members that expect an entirely different type.

    Args:
        read: The file.
        base: Path of the validated part.
        error: The error of its validation.
    """
    details = error.errors(include_url=False)
    places = [_real_place(read, base, detail) for detail in details]
    for place, detail in zip(places, details, strict=True):
        others = [d for p, d in zip(places, details, strict=True) if d is not detail and p[: len(place)] == place]
        # pydantic drops a wrong item from its list, and then also reports the list as too short.
        if detail["type"] == "too_short" and others:
            continue
        if not (detail["type"].endswith("_type") and any(not d["type"].endswith("_type") for d in others)):
            yield detail


def problem_at(read: LocatedYaml, root: type[BaseModel], base: Place, detail: ErrorDetails) -> Problem:
    """Convert a validation error to a problem at a place of the file, with the names used there.

    Args:
        read: The file.
        root: The type of the validated document.
        base: Its path in the file.
        detail: The error.
    """
    inner = _real_place(read, base, detail)
    place = (*base, *inner)
    last = inner[-1] if inner else ""
    if detail["type"] == "extra_forbidden":
        message = f"unknown key {str(last)!r}{suggestion(str(last), _allowed(root, inner[:-1]))}"
        return Problem(read.key(place), message)
    if detail["type"] == "missing":
        outer = f" in `{place[-2]}`" if len(place) > 1 and isinstance(place[-2], str) else ""
        return Problem(read.value(place[:-1]), f"the key {str(last)!r} is missing{outer}")
    return Problem(read.value(place), _wrong_value(root, inner, detail))


def _wrong_value(root: type[BaseModel], inner: Place, detail: ErrorDetails) -> str:
    """Describe a wrong value."""
    name = f"`{_place_name(inner)}`" if inner else "the value"
    match detail["type"]:
        case "literal_error":
            return _wrong_choice(inner, detail)
        case "string_pattern_mismatch":
            return f"{name} is {detail['input']!r}, but must consist of lower-case letters, digits, `-` and `_`"
        case "model_type" | "dict_type" | "mapping_type":
            return _mapping_expected(root, inner, name)
        case "tuple_type" | "list_type":
            return f"{name} must be a list"
    text = detail["msg"].removeprefix("Value error, ")
    if rule := _RULE.fullmatch(text):
        return f"{name} must {rule[1]}"
    return f"{name}: {text}" if inner else text


def _wrong_choice(inner: Place, detail: ErrorDetails) -> str:
    """Describe a value that is not one of the valid choices."""
    last = inner[-1] if inner else ""
    if last == "version":
        return f"unknown version {detail['input']!r}; this grader reads version 1"
    expected = str(detail.get("ctx", {}).get("expected", ""))
    names = [part.strip(" '") for part in expected.replace(" or ", ", ").split(",")]
    return f"`{last}` is {detail['input']!r}, but must be {expected}{suggestion(str(detail['input']), names)}"


def _mapping_expected(root: type[BaseModel], inner: Place, name: str) -> str:
    """Describe a value that is not a mapping, with the keys that the mapping must have."""
    fields = [field for model in _models_at(root, inner) for field in model.model_fields.items()]
    keys = [f"`{info.alias or key}`" for key, info in fields if info.is_required()]
    if not keys:
        return f"{name} must be a mapping of keys to values"
    return f"{name} must be a mapping with the {'keys' if len(keys) > 1 else 'key'} {', '.join(keys)}"


def _real_place(read: LocatedYaml, base: Place, error: ErrorDetails) -> Place:
    """Drop the parts of a pydantic location that name a union member or a validator instead of a place in the file."""
    place: Place = ()
    data, loc = value_at(read.data, base), error["loc"]
    for position, part in enumerate(loc):
        missing = error["type"] == "missing" and position == len(loc) - 1
        if isinstance(data, Mapping):
            if part in data or (missing and isinstance(part, str) and _is_word(part)):
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


def _place_name(place: Place) -> str:
    words = [str(part + 1) if isinstance(part, int) else part for part in place]
    return ".".join(words[-2:]) if isinstance(place[-1], int) else words[-1]


def _allowed(root: type[BaseModel], place: Place) -> list[str]:
    """List the keys that are allowed at a place of a document."""
    return [info.alias or name for model in _models_at(root, place) for name, info in model.model_fields.items()]


def _models_at(root: type[BaseModel], place: Place) -> list[type[BaseModel]]:
    """Find the document types that are possible at a place of a document."""
    kinds: list[Any] = [root]
    for part in place:
        kinds = [inner for kind in kinds for inner in _step(kind, part)]
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]


def _step(kind: Any, part: str | int) -> Iterator[Any]:
    """Find the possible types of a key or an item of a type."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, info in kind.model_fields.items():
            if part == (info.alias or name):
                yield from _members(info.annotation)
        return
    arguments = [a for a in typing.get_args(kind) if a is not Ellipsis]
    yield from (member for argument in arguments for member in _members(argument))


def _members(kind: Any) -> Iterator[Any]:
    """Unpack the members of a type with unions and annotations."""
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        yield from _members(typing.get_args(kind)[0])
    elif origin in {typing.Union, types.UnionType}:
        for member in typing.get_args(kind):
            yield from _members(member)
    else:
        yield kind


def field_extra(info: FieldInfo) -> Mapping[str, Any]:
    """Return the additions of a field's annotation to its JSON Schema, also inside `X | None`."""
    extras = [info.json_schema_extra]
    for member in _annotated(info.annotation):
        extras += [part.json_schema_extra for part in member.__metadata__ if isinstance(part, FieldInfo)]
    return next((extra for extra in extras if isinstance(extra, Mapping)), {})


def _annotated(kind: Any) -> Iterator[Any]:
    if typing.get_origin(kind) is typing.Annotated:
        yield kind
        yield from _annotated(typing.get_args(kind)[0])
    elif typing.get_origin(kind) in {typing.Union, types.UnionType}:
        for member in typing.get_args(kind):
            yield from _annotated(member)
