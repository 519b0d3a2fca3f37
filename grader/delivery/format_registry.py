"""Find the formats of `grader export`: each module of `grader.delivery.formats` defines one as `FORMAT`."""

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from grader.delivery import formats
from grader.delivery.export import Format
from grader.delivery.grade_export import GradeFormat
from grader.facts.nearest import suggestion
from grader.schema.errors import UsageError

__all__ = ["all_formats", "find_any_format", "find_format", "grade_formats"]


@cache
def _found() -> Mapping[str, Format | GradeFormat]:
    """Find the formats of all modules by name."""
    modules = (
        importlib.import_module(f"{formats.__name__}.{found.name}") for found in pkgutil.iter_modules(formats.__path__)
    )
    every: list[Format | GradeFormat] = sorted((module.FORMAT for module in modules), key=lambda one: one.name)
    return MappingProxyType({one.name: one for one in every})


@cache
def all_formats() -> Mapping[str, Format]:
    """Return the formats with tables of data by name."""
    return MappingProxyType({name: one for name, one in _found().items() if isinstance(one, Format)})


@cache
def grade_formats() -> Mapping[str, GradeFormat]:
    """Return the formats with grades for other tools by name."""
    return MappingProxyType({name: one for name, one in _found().items() if isinstance(one, GradeFormat)})


def find_format(name: str) -> Format:
    """Find a format with tables of data by name.

    Raises:
        UsageError: There is no such format.
    """
    if name not in all_formats():
        msg = f"there is no format {name!r}{suggestion(name, all_formats())}"
        raise UsageError(msg, where="--to")
    return all_formats()[name]


def find_any_format(name: str) -> Format | GradeFormat:
    """Find a format of any kind by name.

    Raises:
        UsageError: There is no such format.
    """
    if name not in _found():
        msg = f"there is no format {name!r}{suggestion(name, _found())}"
        raise UsageError(msg, where="--to")
    return _found()[name]
