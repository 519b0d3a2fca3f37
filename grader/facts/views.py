"""Views of documents that note which of their fields are read."""

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, PrivateAttr

__all__ = ["View", "view_of"]


class View(BaseModel):
    """A document that notes the reads of its fields."""

    watched: ClassVar[frozenset[str]] = frozenset()
    prefix: ClassVar[str] = ""
    renamed: ClassVar[Mapping[str, str]] = {}
    """Field → the name that is noted instead of its own."""
    _read: set[str] | None = PrivateAttr(default=None)

    def __getattribute__(self, name: str) -> Any:
        """Read a field, and note it."""
        if name in type(self).watched:
            private = object.__getattribute__(self, "__pydantic_private__")
            read = private.get("_read") if private else None
            if read is not None:
                read.add(type(self).prefix + type(self).renamed.get(name, name))
        return super().__getattribute__(name)

    def _note_all(self) -> None:
        if self._read is not None:
            names = (type(self).renamed.get(name, name) for name in type(self).watched)
            self._read.update(type(self).prefix + name for name in names)

    @property
    def noted(self) -> set[str] | None:
        """The set that names of read fields are added to."""
        return self._read

    def __iter__(self) -> Any:
        """Iterate over all fields."""
        self._note_all()
        return super().__iter__()

    def model_dump(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Read all fields."""
        self._note_all()
        return super().model_dump(*args, **kwargs)

    def model_dump_json(self, *args: Any, **kwargs: Any) -> str:
        """Read all fields."""
        self._note_all()
        return super().model_dump_json(*args, **kwargs)


V = TypeVar("V", bound=View)


def view_of(cls: type[V], document: BaseModel, read: set[str], **parts: object) -> V:
    """Make a view of a document without copying its fields.

    Args:
        cls: The view's class.
        document: The document.
        read: Set to which the names of read fields are added.
        parts: Values that replace some of the fields.
    """
    view = cls.__new__(cls)
    # Set the attributes directly, as pydantic does in a copy: `model_construct` accepts no field with the name `cls`.
    object.__setattr__(view, "__dict__", {**document.__dict__, **parts})
    object.__setattr__(view, "__pydantic_fields_set__", set(document.model_fields_set))
    object.__setattr__(view, "__pydantic_extra__", None)
    object.__setattr__(view, "__pydantic_private__", {"_read": read})
    return view
