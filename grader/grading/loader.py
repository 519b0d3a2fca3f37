"""Rubric files: file → text → located data → typed rubric, and every error with its line."""

import difflib
import hashlib
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from grader.facts.case import CheckSpec
from grader.grading.yamlnodes import LocatedYaml, Mark, Place, Problem, read_yaml
from grader.schema.errors import RubricError
from grader.schema.rubric import Rubric

__all__ = ["LoadedRubric", "load_rubric", "measured_datasets", "read_rubric"]

_LARGEST = 1 << 20
"""A rubric file has at most 1 MiB."""
_TWICE = "two criteria have the id"
"""The schema says this of the whole rubric; here it is said at the line."""
_SHOWN = 20
"""So many errors are listed; the others are counted."""


@dataclass(frozen=True, slots=True)
class LoadedRubric:
    """A rubric with the identity of the file it came from."""

    rubric: Rubric
    sha256: str
    """Of the file's bytes."""
    path: Path


def load_rubric(path: Path, checks: Mapping[str, CheckSpec]) -> LoadedRubric:
    """Read and check a rubric file.

    Args:
        path: A YAML file in UTF-8.
        checks: Every check there is, by name; parameters are validated by each check's own document.

    Returns:
        The rubric, and the SHA-256 of the file's bytes.

    Raises:
        RubricError: The file cannot be read, or something in it is wrong. All errors are said at once, each as
            `file:line:column: what, and the nearest valid name`.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        message = f"the rubric cannot be read: {error.strerror or error}"
        advice = "name a rubric file, or one of the ids that `grader rubric list` shows"
        raise RubricError(message, where=str(path), advice=advice) from error
    return LoadedRubric(
        rubric=read_rubric(content, checks, name=str(path)), sha256=hashlib.sha256(content).hexdigest(), path=path
    )


def read_rubric(content: bytes, checks: Mapping[str, CheckSpec], *, name: str = "rubric") -> Rubric:
    """Turn a rubric file's bytes into a rubric.

    Args:
        content: The bytes.
        checks: Every check there is, by name.
        name: What errors call the file.

    Raises:
        RubricError: Something is wrong with it.
    """
    if len(content) > _LARGEST:
        message = f"the file is larger than {_LARGEST >> 20} MiB, which no rubric is"
        raise RubricError(message, where=name)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = "not UTF-8 text"
        raise RubricError(message, where=f"{name}:{line}") from error
    read = read_yaml(text)
    problems = list(read.problems)
    if isinstance(read.data, Mapping):
        problems += _schema_problems(read)
        problems += _check_problems(read, checks)
    elif not problems:
        problems.append(Problem(read.value(()), "a rubric is a mapping of keys to values (`version: 1`, `id: …`)"))
    if problems:
        raise _error(sorted(set(problems)), name)
    return Rubric.model_validate(read.data)


def measured_datasets(rubric: Rubric, checks: Mapping[str, CheckSpec]) -> tuple[str, ...]:
    """List the data sets that networks are judged on: the rubric's own first, then those that its criteria name.

    Args:
        rubric: A rubric that was read.
        checks: Every check there is, by name.
    """
    tests = (test for criterion in rubric.criteria for test in criterion.tests if test.check in checks)
    named = (
        test.with_.get(key)
        for test in tests
        for key, info in checks[test.check].parameters.model_fields.items()
        if _extra(info).get("names") == "measured"
    )
    return tuple(dict.fromkeys((rubric.dataset, *(name for name in named if isinstance(name, str)))))


def _error(problems: list[Problem], name: str) -> RubricError:
    def where(mark: Mark) -> str:
        return f"{name}:{mark.line}:{mark.column}"

    if len(problems) == 1:
        return RubricError(problems[0].message, where=where(problems[0].mark))
    lines = [f"{where(problem.mark)}: {problem.message}" for problem in problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        lines.append(f"and {len(problems) - _SHOWN} more")
    return RubricError(f"{len(problems)} errors\n" + "\n".join(lines), where=name)


# ---------------------------------------------------------------------------------------------------------------------
# The rubric's own keys and values


def _schema_problems(read: LocatedYaml) -> Iterator[Problem]:
    try:
        Rubric.model_validate(read.data)
    except ValidationError as error:
        for detail in _telling(read, (), error):
            if _TWICE not in detail["msg"]:
                yield _problem(read, Rubric, (), detail)
    seen: dict[str, Mark] = {}
    criteria = read.data.get("criteria")
    for position, criterion in enumerate(criteria if isinstance(criteria, list) else []):
        name = criterion.get("id") if isinstance(criterion, Mapping) else None
        mark = read.value(("criteria", position, "id"))
        if isinstance(name, str) and name in seen:
            yield Problem(mark, f"two criteria have the id {name!r} (the first in line {seen[name].line})")
        elif isinstance(name, str):
            seen[name] = mark


def _telling(read: LocatedYaml, base: Place, error: ValidationError) -> Iterator[ErrorDetails]:
    """The errors worth saying: of the members of a union, not those that only wanted another type altogether."""
    details = error.errors(include_url=False)
    places = [_real_place(read, base, detail["loc"]) for detail in details]
    for place, detail in zip(places, details, strict=True):
        others = [d for p, d in zip(places, details, strict=True) if d is not detail and p[: len(place)] == place]
        # A wrong item is left out of its list, which is then called too short.
        if detail["type"] == "too_short" and others:
            continue
        if not (detail["type"].endswith("_type") and any(not d["type"].endswith("_type") for d in others)):
            yield detail


def _problem(read: LocatedYaml, root: type[BaseModel], base: Place, detail: ErrorDetails) -> Problem:
    """Say a validation error in the words of the file, at its place in the file."""
    inner = _real_place(read, base, detail["loc"])
    place = (*base, *inner)
    last = inner[-1] if inner else ""
    match detail["type"]:
        case "extra_forbidden":
            message = f"unknown key {str(last)!r}{_nearest(str(last), _allowed(root, inner[:-1]))}"
            return Problem(read.key(place), message)
        case "missing":
            outer = f" in `{place[-2]}`" if len(place) > 1 and isinstance(place[-2], str) else ""
            return Problem(read.value(place[:-1]), f"the key {str(last)!r} is missing{outer}")
        case "literal_error" if last == "version":
            return Problem(read.value(place), f"version {detail['input']!r} is not known; this grader reads version 1")
        case "literal_error":
            expected = str(detail.get("ctx", {}).get("expected", ""))
            names = [part.strip(" '") for part in expected.replace(" or ", ", ").split(",")]
            hint = _nearest(str(detail["input"]), names)
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
    data = _at(read.data, base)
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


def _at(data: Any, place: Place) -> Any:
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


def _nearest(name: str, choices: list[str]) -> str:
    near = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; possible are {', '.join(sorted(set(choices)))}" if choices else ""


# ---------------------------------------------------------------------------------------------------------------------
# The checks that criteria name


def _check_problems(read: LocatedYaml, checks: Mapping[str, CheckSpec]) -> Iterator[Problem]:
    roles = read.data.get("roles")
    known_roles = list(roles) if isinstance(roles, Mapping) else []
    for place, test in _tests(read.data):
        name = test.get("check")
        if not isinstance(name, str):
            continue  # the schema has said so
        given = test.get("with")
        spec = checks.get(name)
        if isinstance(given, Mapping):
            yield from _role_problems(read, (*place, "with"), given, known_roles)
            yield from _name_problems(read, (*place, "with"), given, spec)
        if spec is None:
            hint = _nearest(name, list(checks))
            yield Problem(read.value((*place, "check")), f"unknown check {name!r}{hint}")
        elif given is None or isinstance(given, Mapping):
            yield from _parameter_problems(read, (*place, "with"), spec, given or {})


def _tests(data: Mapping[str, Any]) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    """Every mapping that names a check, with its place."""
    criteria = data.get("criteria")
    for position, criterion in enumerate(criteria if isinstance(criteria, list) else []):
        if not isinstance(criterion, Mapping):
            continue
        yield ("criteria", position), criterion
        for way in ("any_of", "all_of"):
            tests = criterion.get(way)
            for number, test in enumerate(tests if isinstance(tests, list) else []):
                if isinstance(test, Mapping):
                    yield ("criteria", position, way, number), test


def _parameter_problems(
    read: LocatedYaml, place: Place, spec: CheckSpec, given: Mapping[str, Any]
) -> Iterator[Problem]:
    present = _has(read.data, place)
    try:
        spec.parameters.model_validate(dict(given))
    except ValidationError as error:
        for detail in _telling(read, place if present else place[:-1], error):
            if present:
                problem = _problem(read, spec.parameters, place, detail)
            else:
                lacking = ".".join(str(part) for part in detail["loc"])
                problem = Problem(read.value((*place[:-1], "check")), f"`with` is missing, and {lacking!r} in it")
            yield Problem(problem.mark, f"check {spec.name!r}: {problem.message}")


def _has(data: Any, place: Place) -> bool:
    inner = _at(data, place[:-1])
    return isinstance(inner.get(place[-1]), Mapping)


def _role_problems(read: LocatedYaml, place: Place, given: Mapping[str, Any], roles: list[str]) -> Iterator[Problem]:
    """Parameters called `model` name a role; the one in a check without such a parameter is an unknown key already."""
    role = given.get("model")
    if isinstance(role, str) and role not in roles:
        hint = _nearest(role, roles) if roles else "; this rubric has no `roles`"
        yield Problem(read.value((*place, "model")), f"unknown role {role!r}{hint}")


def _name_problems(
    read: LocatedYaml, place: Place, given: Mapping[str, Any], spec: CheckSpec | None
) -> Iterator[Problem]:
    """Further parameters that name a role, a task or a data set of the rubric, as their annotation says."""
    for key, info in (spec.parameters.model_fields if spec is not None else {}).items():
        extra = _extra(info)
        kind = extra.get("names")
        value = given.get(key)
        if kind == "measured":
            made_up = read.data.get("stand_in")
            if isinstance(made_up, list) and value in made_up:
                said = f"{value!r} may be stood in for by made-up images (`stand_in`): no network can be judged on it"
                yield Problem(read.value((*place, key)), said)
            elif isinstance(value, str) and value not in _dataset_names(read.data):
                said = f"{value!r} is neither `dataset` nor among `datasets`: no network can be judged on it"
                yield Problem(read.value((*place, key)), said)
            continue
        if key == "model" or kind not in {"roles", "tasks"} or not isinstance(value, str):
            continue
        named = read.data.get(kind)
        known = list(named) if isinstance(named, Mapping) else []
        if value not in known:
            word = str(kind).removesuffix("s")
            hint = _nearest(value, known) if known else f"; this rubric has no `{kind}`"
            yield Problem(read.value((*place, key)), f"unknown {word} {value!r}{hint}")


def _dataset_names(data: Mapping[str, Any]) -> list[Any]:
    further = data.get("datasets")
    return [data.get("dataset"), *(further if isinstance(further, list) else [])]


def _extra(info: FieldInfo) -> Mapping[str, Any]:
    """What a field's annotation adds to its JSON Schema, also inside `X | None`."""
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
