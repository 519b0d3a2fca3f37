"""Registry of checks and diagnostics."""

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import TypeVar, get_type_hints

from pydantic import BaseModel

from grader.facts.case import Case, CheckSpec, DiagnosticSpec
from grader.schema.errors import HarnessError
from grader.schema.grade import Diagnostic, Finding, MeasureLabel

__all__ = ["ENTRY_POINT_GROUP", "all_checks", "all_diagnostics", "built_in_modules", "check", "diagnostic"]

ENTRY_POINT_GROUP = "grader.checks"
"""Entry point group in which third-party packages name their modules; importing one registers its checks."""

_BUILT_IN = ("grader.checks", "grader.checks.diagnostics")
"""Packages whose modules each contain a check or diagnostics; importing a module registers them."""

_CHECKS: dict[str, CheckSpec] = {}
_DIAGNOSTICS: dict[str, DiagnosticSpec] = {}

P = TypeVar("P", bound=BaseModel)
_CheckFunction = Callable[[Case, P], Finding]
D = TypeVar("D", bound=Callable[..., tuple[Diagnostic, ...]])


def check(
    name: str, *, measures: Mapping[str, MeasureLabel] | None = None
) -> Callable[[_CheckFunction[P]], _CheckFunction[P]]:
    """Register a check under the name that rubrics use.

    The check's second argument is annotated with a frozen pydantic model. Its fields are the settings that a rubric
    gives under the criterion's key `with`. The check's docstring has the headings What it does, Why it matters and
    Example.

    Args:
        name: Unique among all checks.
        measures: Labels of the measured values that people need to see, in their order.

    Returns:
        A decorator that returns the function unchanged.

    Raises:
        ValueError: The name is taken by another function.
        TypeError: The second parameter is not annotated with a pydantic model.
    """

    def register(function: _CheckFunction[P]) -> _CheckFunction[P]:
        parameters = _second_parameter(function)
        _claim(name, function, _CHECKS)
        doc = inspect.getdoc(function) or ""
        _CHECKS[name] = CheckSpec(name=name, parameters=parameters, run=function, doc=doc, measures=measures or {})
        all_checks.cache_clear()
        return function

    return register


def diagnostic(name: str) -> Callable[[D], D]:
    """Register a diagnostic under a stable id.

    A rubric can tune a diagnostic whose function has a second parameter. Its annotation is a frozen pydantic document
    of the settings; every field has a default.

    Args:
        name: Unique among all diagnostics, such as `softmax-with-from-logits`.

    Returns:
        A decorator that returns the function unchanged.

    Raises:
        ValueError: The id is taken by another function.
        TypeError: The second parameter is not annotated with a pydantic model, or the model has a required field.
    """

    def register(function: D) -> D:
        parameters = _tuned_by(function)
        _claim(name, function, _DIAGNOSTICS)
        _DIAGNOSTICS[name] = DiagnosticSpec(
            id=name,
            run=function if parameters is None else _with_default(function, parameters()),
            doc=inspect.getdoc(function) or "",
            parameters=parameters,
        )
        all_diagnostics.cache_clear()
        return function

    return register


@functools.cache
def all_checks() -> Mapping[str, CheckSpec]:
    """Return all checks, built in or installed, by name in alphabetical order.

    Modules are imported at the first call, so that importing this package is fast.

    Raises:
        HarnessError: An installed package's checks could not be loaded.
    """
    _load_everything()
    return MappingProxyType(dict(sorted(_CHECKS.items())))


@functools.cache
def all_diagnostics() -> Mapping[str, DiagnosticSpec]:
    """Return all diagnostics, built in or installed, by id in alphabetical order.

    Raises:
        HarnessError: An installed package's diagnostics could not be loaded.
    """
    _load_everything()
    return MappingProxyType(dict(sorted(_DIAGNOSTICS.items())))


def built_in_modules() -> tuple[str, ...]:
    """List the modules of the built-in checks and diagnostics, from a scan of their packages."""
    return tuple(
        f"{package}.{module.name}"
        for package in _BUILT_IN
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__)
        if not module.ispkg
    )


def _load_everything() -> None:
    for name in built_in_modules():
        importlib.import_module(name)
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        _load(entry)


def _load(entry: EntryPoint) -> None:
    try:
        entry.load()
    except Exception as error:  # a third-party module may raise anything; the error must name it
        message = f"the installed checks {entry.name!r} ({entry.value}) could not be loaded: {error}"
        raise HarnessError(message, advice="fix or uninstall the package that provides them") from error


def _claim(name: str, function: Callable[..., object], taken: Mapping[str, CheckSpec | DiagnosticSpec]) -> None:
    holder = taken.get(name)
    if holder is not None and holder.run.__module__ != function.__module__:
        message = f"{name!r} is already registered by {holder.run.__module__}"
        raise ValueError(message)


def _tuned_by(function: Callable[..., object]) -> type[BaseModel] | None:
    """Find the document of a diagnostic's parameters; None if it has no parameters."""
    if len(inspect.signature(function).parameters) == 1:
        return None
    document = _second_parameter(function)
    if any(field.is_required() for field in document.model_fields.values()):
        message = f"{function.__module__}: every parameter of a diagnostic must have a default"
        raise TypeError(message)
    return document


def _with_default(
    function: Callable[..., tuple[Diagnostic, ...]], default: BaseModel
) -> Callable[..., tuple[Diagnostic, ...]]:
    @functools.wraps(function)
    def run(case: Case, parameters: BaseModel = default) -> tuple[Diagnostic, ...]:
        return function(case, parameters)

    return run


def _second_parameter(function: Callable[..., object]) -> type[BaseModel]:
    names = list(inspect.signature(function).parameters)
    hint = get_type_hints(function).get(names[1]) if len(names) > 1 else None
    if not (isinstance(hint, type) and issubclass(hint, BaseModel)):
        message = f"{function.__module__}: the second parameter must be annotated with a pydantic model"
        raise TypeError(message)
    return hint
