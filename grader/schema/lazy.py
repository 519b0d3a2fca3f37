"""Documents that are validated when something needs more of them than a few plain values.

A regrade uses most parts of a stored grade without a look at them. Validating them takes longer than everything else
that is done with them. A lazy document has the values of its fields as JSON; the first use of anything that is not the
same in JSON validates it, and from then on it is an ordinary document.
"""

from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any, Final, Literal, TypeVar, get_args, get_origin

from pydantic import ValidationError

from grader.schema.base import Document

__all__ = ["lazily"]

_Kind = TypeVar("_Kind", bound=Document)

_VALUES: Final = "values of a lazy document"
"""Key of the JSON values among the attributes; no name of a field."""
_PLAIN: Final = frozenset({str, int, float, bool})
"""Types with the same values in JSON."""


def lazily(kind: type[_Kind], values: Any) -> _Kind:
    """Make a document that is validated when that is necessary.

    Args:
        kind: Its class.
        values: Its JSON values, which are known to be valid, since the grader wrote them. They must not be changed.
    """
    document = _class_of(kind).__new__(_class_of(kind))
    object.__setattr__(document, "__dict__", {_VALUES: values})
    object.__setattr__(document, "__pydantic_fields_set__", set())
    object.__setattr__(document, "__pydantic_extra__", None)
    object.__setattr__(document, "__pydantic_private__", None)
    return document


@cache
def _class_of(kind: type[_Kind]) -> type[_Kind]:
    """Make the lazy version of a class; a document changes to the class itself when it is validated."""
    same = frozenset(name for name, field in kind.model_fields.items() if _is_same(field.annotation))
    in_tuples = frozenset(name for name, field in kind.model_fields.items() if get_origin(field.annotation) is tuple)
    enums = {name: enum for name, field in kind.model_fields.items() if (enum := _enum(field.annotation)) is not None}
    keys = {name: field.alias or name for name, field in kind.model_fields.items()}

    def read(self: Any, name: str) -> Any:
        if name == "__class__":
            return object.__getattribute__(self, name)
        values = object.__getattribute__(self, "__dict__")[_VALUES]
        if name in keys:
            value = values.get(keys[name], ...)
            if value is None or (name in same and value is not ...):
                return value
            if name in in_tuples and value == []:
                return ()
            if name in enums and value is not ...:
                return enums[name](value)
        _validate(self, kind, values)
        return getattr(self, name)

    def equals(self: Any, other: object) -> Any:
        _validate(self, kind, object.__getattribute__(self, "__dict__")[_VALUES])
        return self == other

    def dispatch(name: str) -> Any:
        """Make a method that Python looks up at the class, such as the one for `repr`."""

        def method(self: Any, *arguments: Any) -> Any:
            _validate(self, kind, object.__getattribute__(self, "__dict__")[_VALUES])
            return getattr(type(self), name)(self, *arguments)

        return method

    looked_up = ("__repr__", "__str__", "__iter__", "__hash__", "__copy__", "__deepcopy__", "__reduce_ex__")
    methods = {"__getattribute__": read, "__eq__": equals, **{name: dispatch(name) for name in looked_up}}
    return type(kind)(kind.__name__, (kind,), {"__module__": __name__, "__doc__": kind.__doc__, **methods})


def _validate(document: Any, kind: type[Document], values: Mapping[str, Any]) -> None:
    """Give a lazy document the class and the attributes of a validated one."""
    try:
        whole = kind.model_validate(values)
    except ValidationError as error:
        message = f"a stored {kind.__name__} is not valid, although the grader wrote it"
        raise RuntimeError(message) from error
    for name in ("__dict__", "__pydantic_fields_set__"):
        object.__setattr__(document, name, getattr(whole, name))
    object.__setattr__(document, "__class__", kind)


def _enum(annotation: Any) -> type[Enum] | None:
    """Return the class of a field that holds a member of an enumeration, or None."""
    kinds = [one for one in get_args(annotation) or (annotation,) if one is not type(None)]
    return kinds[0] if len(kinds) == 1 and isinstance(kinds[0], type) and issubclass(kinds[0], Enum) else None


def _is_same(annotation: Any) -> bool:
    """Whether the values of a field are the same in JSON; None is always the same."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal or annotation in _PLAIN:
        return True
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return arguments == (str, Any)
    return type(None) in arguments and all(one is type(None) or _is_same(one) for one in arguments)
