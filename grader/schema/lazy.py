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

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from grader.schema.base import Document

__all__ = ["deferred", "lazily", "lazy_field_is_none"]

_Kind = TypeVar("_Kind", bound=Document)

_SOURCE: Final = "source of a lazy document"
"""Key of the source among the attributes; no name of a field."""
_PLAIN: Final = frozenset({str, int, float, bool})
"""Types with the same values in JSON."""
_LOOKED_UP: Final = ("__repr__", "__str__", "__iter__", "__hash__", "__copy__", "__deepcopy__", "__reduce_ex__")
"""Methods of a document that Python looks up at its class."""
_OF_THE_WHOLE: Final = (
    *("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__"),
    *("model_copy", "model_dump", "model_dump_json", "model_extra", "model_fields_set"),
)
"""Attributes and methods of documents that need all fields."""


@dataclass(slots=True)
class _Source:
    """The origin of the fields of a lazy document."""

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

    return _made(kind, {_SOURCE: _Source(values, make)})


def deferred(kind: type[_Kind], known: Mapping[str, Any], make: Callable[[], _Kind]) -> _Kind:
    """Make a document that is computed when one of its other fields is read.

    Args:
        kind: Its class.
        known: Some of its fields.
        make: Computes the document, with the same values in these fields.
    """
    return _made(kind, {**known, _SOURCE: _Source(None, make)})


def lazy_field_is_none(document: Document, name: str) -> bool:
    """Whether a field is None, without making its value.

    Args:
        document: Any document.
        name: Name of the field, which has no alias.
    """
    source = _attributes(document).get(_SOURCE)
    if source is None or source.values is None or name not in source.values:
        return getattr(document, name) is None
    return source.values[name] is None


def _made(kind: type[_Kind], attributes: dict[str, Any]) -> _Kind:
    document = kind.__new__(kind)
    object.__setattr__(document, "__dict__", attributes)
    object.__setattr__(document, "__pydantic_fields_set__", set())
    object.__setattr__(document, "__pydantic_extra__", None)
    object.__setattr__(document, "__pydantic_private__", None)
    object.__setattr__(document, "__class__", _class_of(kind))
    return document


_attributes: Final[Callable[[Any], dict[str, Any]]] = vars(BaseModel)["__dict__"].__get__
"""Returns the attributes that a document has now, and does not complete it."""


@cache
def _class_of(kind: type[Document]) -> Any:
    """Make the lazy version of a class; a document changes to the class itself when all of it is needed.

    Fields that were made are ordinary attributes. Whatever reads attributes without their names, such as a method of
    pydantic, goes through one of the names below.
    """
    fields = {name: (field.alias or name, _reader(field), field) for name, field in kind.model_fields.items()}

    def read_missing(self: Any, name: str) -> Any:
        if name in fields:
            attributes = _attributes(self)
            source: _Source = attributes[_SOURCE]
            key, reader, field = fields[name]
            if source.values is not None and (key in source.values or not field.is_required()):
                value = source.values[key] if key in source.values else _default(field)
                made = attributes[name] = value if value is None or reader is None else reader(value)
                return made
        _complete(self, kind)
        return getattr(self, name)

    def equals(self: Any, other: object) -> Any:
        _complete(self, kind)
        return self == other

    def whole(name: str) -> Any:
        """Make an attribute, or a method, that is looked up again at the whole document."""

        def attribute(self: Any) -> Any:
            _complete(self, kind)
            return getattr(self, name)

        return property(attribute)

    def dispatch(name: str) -> Any:
        """Make a method that Python looks up at the class, such as the one for `repr`."""

        def method(self: Any, *arguments: Any) -> Any:
            _complete(self, kind)
            return getattr(type(self), name)(self, *arguments)

        return method

    methods = {
        **{name: whole(name) for name in _OF_THE_WHOLE},
        **{name: dispatch(name) for name in _LOOKED_UP},
        "__getattr__": read_missing,
        "__eq__": equals,
    }
    metaclass: Any = type(kind)
    return metaclass(kind.__name__, (kind,), {"__module__": __name__, "__doc__": kind.__doc__, **methods})


def _complete(document: Any, kind: type[Document]) -> None:
    """Give a lazy document the class and the attributes of an ordinary one; fields that were made stay the same."""
    made = _attributes(document)
    source: _Source = made[_SOURCE]
    whole = source.make()
    attributes = {**whole.__dict__, **{name: value for name, value in made.items() if name != _SOURCE}}
    object.__setattr__(document, "__class__", kind)
    object.__setattr__(document, "__dict__", attributes)
    object.__setattr__(document, "__pydantic_fields_set__", set(whole.model_fields_set))


def _default(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True, validated_data={})


def _reader(field: FieldInfo) -> Callable[[Any], Any] | None:
    """Return what makes the value of a field from its JSON value other than None; None if it stays as it is."""
    if _is_same(field.annotation):
        return None
    listed = _listed(field.annotation)
    if listed is not None and not field.metadata and _has_lists(listed):
        return lambda values: tuple([lazily(listed, one) for one in values])
    annotation: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return TypeAdapter(annotation).validate_python


def _listed(annotation: Any) -> type[Document] | None:
    """Return the class of the documents that a field lists; None if it lists none."""
    arguments = get_args(annotation)
    lists = get_origin(annotation) is tuple and arguments[1:] == (...,)
    return arguments[0] if lists and isinstance(arguments[0], type) and issubclass(arguments[0], Document) else None


def _has_lists(kind: type[Document]) -> bool:
    """Whether a document may be large, so that it is worth making lazy."""
    return any(get_origin(field.annotation) is tuple for field in kind.model_fields.values())


def _is_same(annotation: Any) -> bool:
    """Whether the values of a field are the same in JSON; None is always the same."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal or annotation in _PLAIN:
        return True
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return arguments == (str, Any)
    return type(None) in arguments and all(one is type(None) or _is_same(one) for one in arguments)
