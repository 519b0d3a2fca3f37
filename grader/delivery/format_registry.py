"""Find the formats of `grader export`: each module of `grader.delivery.formats` defines one as `FORMAT`."""

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from grader.delivery import formats
from grader.delivery.export import Format
from grader.facts.nearest import suggestion
from grader.schema.errors import UsageError

__all__ = ["all_formats", "find_format"]


@cache
def all_formats() -> Mapping[str, Format]:
    """Return the formats by name."""
    modules = (
        importlib.import_module(f"{formats.__name__}.{found.name}") for found in pkgutil.iter_modules(formats.__path__)
    )
    found = (getattr(module, "FORMAT", None) for module in modules)
    every: list[Format] = sorted((one for one in found if isinstance(one, Format)), key=lambda one: one.name)
    return MappingProxyType({one.name: one for one in every})


def find_format(name: str) -> Format:
    """Find a format by name.

    Raises:
        UsageError: There is no such format.
    """
    if name not in all_formats():
        msg = f"there is no format {name!r}{suggestion(name, all_formats())}"
        raise UsageError(msg, where="--to")
    return all_formats()[name]
