"""Documents whose fields are validated, or computed, when something needs them.

A regrade uses most parts of a stored grade without a look at them. Validating them takes longer than everything else
that is done with them. A lazy document knows some of its fields, and makes the others when they are first read. An
operation on the whole document, such as a comparison or a copy, makes all of them, and from then on it is an ordinary
document.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Final, Literal, TypeVar, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from grader.schema.base import Document

__all__ = ["deferred", "lazily", "lazy_field_is_none"]

_Kind = TypeVar("_Kind", bound=Document)

_SOURCE: Final = "source of a lazy document"
"""Key of the source among the attributes; no name of a field."""
_PLAIN: Final = frozenset({str, int, float, bool})
"""Types with the same values in JSON."""


@dataclass(slots=True)
class _Source:
    """The origin of the fields of a lazy document."""

    known: dict[str, Any]
    """The fields that were made."""
    values: Mapping[str, Any] | None
    """JSON values of the fields, which can be validated one by one; None for a document that is computed."""
    make: Callable[[], Document]
    """Makes the whole document."""


def lazily(kind: type[_Kind], values: Any) -> _Kind:
    """Make a document whose fields are validated when they are read.

    Args:
        kind: Its class.
        values: Its JSON values, which are known to be valid, since the grader wrote them. They must not be changed.
    """

    def make() -> Document:
        try:
            return kind.model_validate(values)
        except ValidationError as error:
            message = f"a stored {kind.__name__} is not valid, although the grader wrote it"
            raise RuntimeError(message) from error

    return _made(kind, _Source({}, values, make))


def deferred(kind: type[_Kind], known: Mapping[str, Any], make: Callable[[], _Kind]) -> _Kind:
    """Make a document that is computed when one of its other fields is read.

    Args:
        kind: Its class.
        known: Some of its fields.
        make: Computes the document, with the same values in these fields.
    """
    return _made(kind, _Source(dict(known), None, make))


def lazy_field_is_none(document: Document, name: str) -> bool:
    """Whether a field is None, without making its value.

    Args:
        document: Any document.
        name: Name of the field, which has no alias.
    """
    source = object.__getattribute__(document, "__dict__").get(_SOURCE)
    if source is None or source.values is None or name not in source.values:
        return getattr(document, name) is None
    return source.values[name] is None


def _made(kind: type[_Kind], source: _Source) -> _Kind:
    lazy: Any = _class_of(kind)
    document: _Kind = lazy.__new__(lazy)
    object.__setattr__(document, "__dict__", {_SOURCE: source})
    object.__setattr__(document, "__pydantic_fields_set__", set())
    object.__setattr__(document, "__pydantic_extra__", None)
    object.__setattr__(document, "__pydantic_private__", None)
    return document


@cache
def _class_of(kind: type[Document]) -> Any:
    """Make the lazy version of a class; a document changes to the class itself when all of it is needed."""
    fields = {name: (field.alias or name, _reader(field), field) for name, field in kind.model_fields.items()}
    own = frozenset(name for one in kind.__mro__[: kind.__mro__.index(Document)] for name in vars(one)) - fields.keys()
    # A method of the document itself reads fields, but a method of pydantic may read all attributes.
    own -= {name for name in own if name.startswith("__")}

    def read(self: Any, name: str) -> Any:
        if name in fields:
            source: _Source = object.__getattribute__(self, "__dict__")[_SOURCE]
            if name in source.known:
                return source.known[name]
            key, reader, field = fields[name]
            if source.values is not None and (key in source.values or not field.is_required()):
                value = source.values[key] if key in source.values else _default(field)
                made = value if value is None or reader is None else reader(value)
                source.known[name] = made
                return made
        elif name == "__class__" or name in own:
            return object.__getattribute__(self, name)
        _complete(self, kind)
        return getattr(self, name)

    def equals(self: Any, other: object) -> Any:
        _complete(self, kind)
        return self == other

    def dispatch(name: str) -> Any:
        """Make a method that Python looks up at the class, such as the one for `repr`."""

        def method(self: Any, *arguments: Any) -> Any:
            _complete(self, kind)
            return getattr(type(self), name)(self, *arguments)

        return method

    looked_up = ("__repr__", "__str__", "__iter__", "__hash__", "__copy__", "__deepcopy__", "__reduce_ex__")
    methods = {"__getattribute__": read, "__eq__": equals, **{name: dispatch(name) for name in looked_up}}
    metaclass: Any = type(kind)
    return metaclass(kind.__name__, (kind,), {"__module__": __name__, "__doc__": kind.__doc__, **methods})


def _complete(document: Any, kind: type[Document]) -> None:
    """Give a lazy document the class and the attributes of an ordinary one; fields that were made stay the same."""
    source: _Source = object.__getattribute__(document, "__dict__")[_SOURCE]
    whole = source.make()
    attributes = {**whole.__dict__, **source.known}
    object.__setattr__(document, "__dict__", attributes)
    object.__setattr__(document, "__pydantic_fields_set__", set(whole.model_fields_set))
    object.__setattr__(document, "__class__", kind)


def _default(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True, validated_data={})


def _reader(field: FieldInfo) -> Callable[[Any], Any] | None:
    """Return what makes the value of a field from its JSON value other than None; None if it stays as it is."""
    if _is_same(field.annotation):
        return None
    annotation: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return TypeAdapter(annotation).validate_python


def _is_same(annotation: Any) -> bool:
    """Whether the values of a field are the same in JSON; None is always the same."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal or annotation in _PLAIN:
        return True
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return arguments == (str, Any)
    return type(None) in arguments and all(one is type(None) or _is_same(one) for one in arguments)
