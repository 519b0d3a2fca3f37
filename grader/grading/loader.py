"""Read rubric files: file → text → located data → typed rubric. Each error has its line."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from grader.facts.case import CheckSpec, DiagnosticSpec
from grader.facts.keras_names import unknown_activation
from grader.facts.language import Language, unknown_language
from grader.facts.language import language as language_of
from grader.facts.layers import unknown_layer
from grader.facts.nearest import suggestion
from grader.facts.system_calls import system_call_problem
from grader.grading.course_files import course_files, file_problems
from grader.grading.documents import (
    document_error,
    document_problems,
    field_extra,
    problem_at,
    read_bytes,
    read_located,
    telling,
    value_at,
)
from grader.grading.translations import Translations, text_problems, translations
from grader.grading.yamlnodes import LocatedYaml, Mark, Place, Problem
from grader.schema.course_file import CourseFile
from grader.schema.errors import RubricError
from grader.schema.rubric import Rubric
from grader.schema.submission import TaggedCell

__all__ = [
    "KnowsDataset",
    "LoadedRubric",
    "load_rubric",
    "measured_datasets",
    "parse_rubric",
    "read_rubric",
    "rubric_problems",
]

_TWICE = "two criteria have the id"
"""Start of a message of the schema, which has no line; it is replaced by one with the line."""
_NONE: Mapping[str, DiagnosticSpec] = {}

_NAMES_OF_ROLES: Mapping[str, Callable[[str], str]] = {
    "has_layer": unknown_layer,
    "lacks_layer": unknown_layer,
    "activation": unknown_activation,
}
"""Describes what is wrong with a name in a condition of a role, by the condition's key."""

KnowsDataset = Callable[[str], str]
"""Describes what is wrong with the name of a data set; empty if the data set is known."""


def _any_dataset(_name: str) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class LoadedRubric:
    """A rubric and the identity of its file."""

    rubric: Rubric
    sha256: str
    """SHA-256 of the file's bytes."""
    path: Path
    tagged: tuple[TaggedCell, ...] = ()
    """Tagged cells of the rubric's template."""
    files: tuple[CourseFile, ...] = ()
    """The files of the course that every notebook gets."""
    added: frozenset[str] = frozenset()
    """The `target` of files that the course folder adds to those of the rubric; the reference was made without them."""
    templates: tuple[tuple[str, str], ...] = ()
    """Names and texts of the course's own templates of reports and mail."""
    translations: Translations = field(default_factory=dict)
    """The rubric's texts in other languages."""
    language: str | None = None
    """The language of pages that was chosen instead of the rubric's own."""

    @property
    def page_language(self) -> str:
        """The language of reports, the class page and mails."""
        return self.language or self.rubric.language or "en"

    def writer(self, code: str | None = None) -> Language:
        """Return a language with this rubric's texts.

        Args:
            code: The language; by default that of pages.
        """
        code = code or self.page_language
        return language_of(code).with_texts(self.translations.get(code, {}))


def load_rubric(
    path: Path,
    checks: Mapping[str, CheckSpec],
    diagnostics: Mapping[str, DiagnosticSpec] = _NONE,
    datasets: KnowsDataset = _any_dataset,
) -> LoadedRubric:
    """Read and check a rubric file.

    Args:
        path: A YAML file in UTF-8.
        checks: All checks, by name; each check validates its own parameters.
        diagnostics: All diagnostics that the rubric may name, by id.
        datasets: Describes unknown data sets; by default every name is accepted.

    Returns:
        The rubric, and the SHA-256 of the file's bytes.

    Raises:
        RubricError: The file cannot be read, or is wrong. The error lists all problems, each as
            `file:line:column: problem; did you mean …?`.
    """
    advice = "name a rubric file, or one of the ids that `grader rubric list` shows"
    content = read_bytes(path, noun="the rubric", kind=RubricError, advice=advice)
    return parse_rubric(content, path, checks, diagnostics, datasets)


def parse_rubric(
    content: bytes,
    path: Path,
    checks: Mapping[str, CheckSpec],
    diagnostics: Mapping[str, DiagnosticSpec] = _NONE,
    datasets: KnowsDataset = _any_dataset,
) -> LoadedRubric:
    """Check the bytes of a rubric file, whatever the file itself contains; see `load_rubric`.

    Args:
        content: The bytes.
        path: The file that they are for; other files are searched relative to it.
        checks: All checks, by name.
        diagnostics: All diagnostics that the rubric may name, by id.
        datasets: Describes unknown data sets; by default every name is accepted.

    Raises:
        RubricError: The rubric is wrong.
    """
    rubric, data = _read(content, checks, diagnostics, name=str(path), path=path, datasets=datasets)
    try:
        files = course_files(rubric, path)
    except OSError as error:
        message = f"a file of the course cannot be read: {error.strerror or error}"
        raise RubricError(message, where=str(error.filename or path)) from error
    return LoadedRubric(
        rubric=rubric,
        sha256=hashlib.sha256(content).hexdigest(),
        path=path,
        files=files,
        translations=translations(rubric, data, path),
    )


def read_rubric(  # noqa: PLR0913 - all that a rubric may name
    content: bytes,
    checks: Mapping[str, CheckSpec],
    diagnostics: Mapping[str, DiagnosticSpec] = _NONE,
    *,
    name: str = "rubric",
    path: Path | None = None,
    datasets: KnowsDataset = _any_dataset,
) -> Rubric:
    """Turn a rubric file's bytes into a rubric.

    Args:
        content: The bytes.
        checks: All checks, by name.
        diagnostics: All diagnostics that the rubric may name, by id.
        name: Name of the file in errors.
        path: The rubric's file, to search the files of the course next to it; without it they are not checked.
        datasets: Describes unknown data sets; by default every name is accepted.

    Raises:
        RubricError: The rubric is wrong.
    """
    return _read(content, checks, diagnostics, name=name, path=path, datasets=datasets)[0]


def _read(  # noqa: PLR0913 - as `read_rubric`
    content: bytes,
    checks: Mapping[str, CheckSpec],
    diagnostics: Mapping[str, DiagnosticSpec],
    *,
    name: str,
    path: Path | None,
    datasets: KnowsDataset,
) -> tuple[Rubric, Mapping[str, Any]]:
    """Return the rubric, and the same as YAML values."""
    read = read_located(content, name=name, noun="rubric", kind=RubricError)
    problems = _problems(read, checks, diagnostics, path, datasets)
    if problems:
        raise document_error(problems, name=name, kind=RubricError)
    return Rubric.model_validate(read.data), read.data


def rubric_problems(
    content: bytes,
    path: Path,
    checks: Mapping[str, CheckSpec],
    diagnostics: Mapping[str, DiagnosticSpec] = _NONE,
    datasets: KnowsDataset = _any_dataset,
) -> tuple[Problem, ...]:
    """List all problems of a rubric file's bytes with their positions, in the order of lines; see `parse_rubric`.

    Raises:
        RubricError: The bytes cannot be read at all, such as another encoding.
    """
    read = read_located(content, name=str(path), noun="rubric", kind=RubricError)
    return tuple(sorted(set(_problems(read, checks, diagnostics, path, datasets))))


def _problems(
    read: LocatedYaml,
    checks: Mapping[str, CheckSpec],
    diagnostics: Mapping[str, DiagnosticSpec],
    path: Path | None,
    datasets: KnowsDataset,
) -> list[Problem]:
    problems = list(read.problems)
    if isinstance(read.data, Mapping):
        problems += _schema_problems(read)
        problems += _role_name_problems(read)
        problems += _check_problems(read, checks)
        problems += _diagnostic_problems(read, diagnostics)
        problems += _system_call_problems(read)
        problems += file_problems(read, path) if path is not None else ()
        problems += _dataset_problems(read, datasets)
        problems += text_problems(read)
        problems += _language_problems(read)
    elif not problems:
        problems.append(Problem(read.value(()), "a rubric must be a mapping of keys to values (`version: 1`, `id: …`)"))
    return problems


def measured_datasets(rubric: Rubric, checks: Mapping[str, CheckSpec]) -> tuple[str, ...]:
    """List the data sets that models are judged on: first the rubric's `dataset`, then further ones of its criteria.

    Args:
        rubric: The rubric.
        checks: All checks, by name.
    """
    tests = (test for criterion in rubric.criteria for test in criterion.tests if test.check in checks)
    named = (
        test.with_.get(key)
        for test in tests
        for key, info in checks[test.check].parameters.model_fields.items()
        if field_extra(info).get("names") == "measured"
    )
    return tuple(dict.fromkeys(name for name in (rubric.dataset, *named) if isinstance(name, str) and name))


# ---------------------------------------------------------------------------------------------------------------------
# Keys and values of the rubric


def _schema_problems(read: LocatedYaml) -> Iterator[Problem]:
    try:
        Rubric.model_validate(read.data)
    except ValidationError as error:
        for detail in telling(read, (), error):
            if _TWICE not in detail["msg"]:
                yield problem_at(read, Rubric, (), detail)
    seen: dict[str, Mark] = {}
    criteria = read.data.get("criteria")
    for position, criterion in enumerate(criteria if isinstance(criteria, list) else []):
        name = criterion.get("id") if isinstance(criterion, Mapping) else None
        mark = read.value(("criteria", position, "id"))
        if isinstance(name, str) and name in seen:
            yield Problem(mark, f"two criteria have the id {name!r} (the first in line {seen[name].line})")
        elif isinstance(name, str):
            seen[name] = mark


def _role_name_problems(read: LocatedYaml) -> Iterator[Problem]:
    """Find layers and activations in the conditions of roles that Keras does not have."""
    roles = read.data.get("roles")
    for role, conditions in roles.items() if isinstance(roles, Mapping) else ():
        for key, problem_of in _NAMES_OF_ROLES.items():
            value = conditions.get(key) if isinstance(conditions, Mapping) else None
            names = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
            for position, name in names:
                problem = problem_of(name) if isinstance(name, str) else ""
                if problem:
                    place: Place = ("roles", role, key) if position is None else ("roles", role, key, position)
                    yield Problem(read.value(place), problem)


def _language_problems(read: LocatedYaml) -> Iterator[Problem]:
    code = read.data.get("language")
    problem = unknown_language(code) if isinstance(code, str) else ""
    if problem:
        yield Problem(read.value(("language",)), problem)


# ---------------------------------------------------------------------------------------------------------------------
# The checks that criteria name


def _check_problems(read: LocatedYaml, checks: Mapping[str, CheckSpec]) -> Iterator[Problem]:
    named = read.data.get("roles")
    roles = list(named) if isinstance(named, Mapping) else []
    for place, test in _tests(read.data):
        name = test.get("check")
        if not isinstance(name, str):
            continue  # _schema_problems reports it
        parameters = test.get("with")
        spec = checks.get(name)
        if isinstance(parameters, Mapping):
            yield from _role_problems(read, (*place, "with"), parameters, roles)
            yield from _name_problems(read, (*place, "with"), parameters, spec)
        if spec is None:
            hint = suggestion(name, list(checks))
            yield Problem(read.value((*place, "check")), f"unknown check {name!r}{hint}")
        elif parameters is None or isinstance(parameters, Mapping):
            yield from _parameter_problems(read, (*place, "with"), spec, parameters or {})


def _tests(data: Mapping[str, Any]) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    """Find all mappings that name a check, with their places."""
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
    read: LocatedYaml, place: Place, spec: CheckSpec, parameters: Mapping[str, Any]
) -> Iterator[Problem]:
    present = _has(read.data, place)
    try:
        params = spec.parameters.model_validate(dict(parameters))
        if getattr(params, "needs_dataset", False) and not read.data.get("dataset"):
            message = f"the check {spec.name!r} needs a data set: add `dataset: NAME` to the rubric"
            yield Problem(read.value((*place[:-1], "check")), message)
    except ValidationError as error:
        for detail in telling(read, place if present else place[:-1], error):
            if present:
                problem = problem_at(read, spec.parameters, place, detail)
            else:
                missing = ".".join(str(part) for part in detail["loc"])
                problem = Problem(read.value((*place[:-1], "check")), f"`with` is missing; it must have {missing!r}")
            yield Problem(problem.mark, f"check {spec.name!r}: {problem.message}")


def _has(data: Any, place: Place) -> bool:
    inner = value_at(data, place[:-1])
    return isinstance(inner.get(place[-1]), Mapping)


def _role_problems(
    read: LocatedYaml, place: Place, parameters: Mapping[str, Any], roles: list[str]
) -> Iterator[Problem]:
    """Check parameters named `model`, which name a role; checks without such a parameter report an unknown key."""
    role = parameters.get("model")
    if isinstance(role, str) and role not in roles:
        hint = suggestion(role, roles) if roles else "; this rubric has no `roles`"
        yield Problem(read.value((*place, "model")), f"unknown role {role!r}{hint}")


def _name_problems(
    read: LocatedYaml, place: Place, parameters: Mapping[str, Any], spec: CheckSpec | None
) -> Iterator[Problem]:
    """Check other parameters whose annotation says that they name a role, a task or a data set of the rubric."""
    for key, info in (spec.parameters.model_fields if spec is not None else {}).items():
        extra = field_extra(info)
        kind = extra.get("names")
        value = parameters.get(key)
        if kind == "measured":
            made_up = read.data.get("stand_in")
            if isinstance(made_up, list) and value in made_up:
                message = f"no model can be judged on {value!r}: `stand_in` allows made-up images in its place"
                yield Problem(read.value((*place, key)), message)
            elif isinstance(value, str) and value not in _dataset_names(read.data):
                message = f"no model can be judged on {value!r}: it is neither `dataset` nor one of `datasets`"
                yield Problem(read.value((*place, key)), message)
            continue
        if key == "model" or kind not in {"roles", "tasks"} or not isinstance(value, str):
            continue
        named = read.data.get(kind)
        names = list(named) if isinstance(named, Mapping) else []
        if value not in names:
            word = str(kind).removesuffix("s")
            hint = suggestion(value, names) if names else f"; this rubric has no `{kind}`"
            yield Problem(read.value((*place, key)), f"unknown {word} {value!r}{hint}")


def _dataset_problems(read: LocatedYaml, datasets: KnowsDataset) -> Iterator[Problem]:
    """Find data sets that the grader does not know."""
    others = read.data.get("datasets")
    places: list[Place] = [("dataset",)]
    places += [("datasets", position) for position, _ in enumerate(others if isinstance(others, list) else [])]
    for place in places:
        name = value_at(read.data, place) if len(place) > 1 else read.data.get("dataset")
        problem = datasets(name) if isinstance(name, str) and name else ""
        if problem:
            yield Problem(read.value(place), problem)


def _dataset_names(data: Mapping[str, Any]) -> list[Any]:
    others = data.get("datasets")
    return [data.get("dataset"), *(others if isinstance(others, list) else [])]


# ---------------------------------------------------------------------------------------------------------------------
# The diagnostics that the rubric selects and tunes


def _diagnostic_problems(read: LocatedYaml, diagnostics: Mapping[str, DiagnosticSpec]) -> Iterator[Problem]:
    """Find unknown names of diagnostics and roles, and wrong parameters of diagnostics."""
    settings = read.data.get("diagnostics")
    if not isinstance(settings, Mapping):
        return  # absent, or reported by _schema_problems
    yield from _selection_problems(read, ("diagnostics",), settings, diagnostics)
    students = settings.get("students")
    if isinstance(students, Mapping):
        yield from _selection_problems(read, ("diagnostics", "students"), students, diagnostics)
    tune = settings.get("tune")
    for name in tune if isinstance(tune, Mapping) else ():
        yield from _tuning_problems(read, str(name), diagnostics)


def _system_call_problems(read: LocatedYaml) -> Iterator[Problem]:
    """Find system calls that a rubric cannot allow."""
    run = read.data.get("run")
    listed = dict(_listed(run, "allow_system_calls")) if isinstance(run, Mapping) else {}
    for position, name in listed.items():
        if problem := system_call_problem(name):
            yield Problem(read.value(("run", "allow_system_calls", position)), problem)


def _selection_problems(
    read: LocatedYaml, place: Place, settings: Mapping[str, Any], diagnostics: Mapping[str, DiagnosticSpec]
) -> Iterator[Problem]:
    """Find unknown names in the lists that select notes."""
    for key in ("leave_out", "only"):
        for position, name in _listed(settings, key):
            if name not in diagnostics:
                mark = read.value((*place, key, position))
                yield Problem(mark, f"unknown diagnostic {name!r}{suggestion(name, diagnostics)}")
    roles = read.data.get("roles")
    names = list(roles) if isinstance(roles, Mapping) else []
    for position, name in _listed(settings, "models"):
        if name not in names:
            hint = suggestion(name, names) if names else "; this rubric has no `roles`"
            yield Problem(read.value((*place, "models", position)), f"unknown role {name!r}{hint}")


def _listed(settings: Mapping[str, Any], key: str) -> Iterator[tuple[int, str]]:
    names = settings.get(key)
    for position, name in enumerate(names if isinstance(names, list) else []):
        if isinstance(name, str):
            yield position, name


def _tuning_problems(read: LocatedYaml, name: str, diagnostics: Mapping[str, DiagnosticSpec]) -> Iterator[Problem]:
    place: Place = ("diagnostics", "tune", name)
    spec = diagnostics.get(name)
    if spec is None:
        yield Problem(read.key(place), f"unknown diagnostic {name!r}{suggestion(name, diagnostics)}")
    elif spec.parameters is None:
        yield Problem(read.key(place), f"the diagnostic {name!r} has no parameters")
    elif isinstance(value_at(read.data, place), Mapping):
        for problem in document_problems(read, spec.parameters, place):
            yield Problem(problem.mark, f"diagnostic {name!r}: {problem.message}")
