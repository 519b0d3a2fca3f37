"""Let a missing picture be a remark: a cell that only shows one has not failed because the picture is not here."""

import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

import wrapt

from ..hooking.imports import after_import
from ..record.notes import Notes

__all__ = ["install"]

_MISSING = "_grader_missing"
_LONGEST_NAME = 1000
_EMPTY_SVG = '<svg xmlns="http://www.w3.org/2000/svg"/>'


def install(notes: Notes) -> None:
    """Patch IPython's classes of pictures.

    Args:
        notes: Receives a note for each picture that cannot be shown.
    """
    after_import("IPython.core.display", lambda module: _patch(module, notes))


def _patch(module: ModuleType, notes: Notes) -> None:
    placeholders: dict[str, dict[str, Any]] = {
        "Image": {"data": b"", "format": "png"},
        "SVG": {"data": _EMPTY_SVG},
        "Video": {"url": "missing.mp4"},
    }
    for name, placeholder in placeholders.items():
        cls = getattr(module, name)
        wrapt.wrap_function_wrapper(module, f"{name}.__init__", _opening(cls, notes, placeholder))
        for method in ("_repr_mimebundle_", "_repr_png_", "_repr_jpeg_", "_repr_svg_", "_repr_html_"):
            if hasattr(cls, method):
                wrapt.wrap_function_wrapper(module, f"{name}.{method}", _hiding({} if "bundle" in method else None))


def _opening(cls: type, notes: Notes, placeholder: dict[str, Any]) -> Callable[..., None]:
    def construct(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> None:
        if type(instance) is not cls:
            wrapped(*args, **kwargs)
            return
        place = _place(args, kwargs)
        try:
            content = None if place is None else _content(place)
            if content is None:
                wrapped(*args, **kwargs)
            else:
                # IPython looks for the file only by its name.
                wrapped(content, **{key: value for key, value in kwargs.items() if key not in {"data", "filename"}})
        except OSError as error:
            notes.tell(
                "picture.missing",
                f"The picture {place or kwargs.get('url', '')!r} cannot be shown ({type(error).__name__}). "
                "Submit it together with the notebook.",
                show=True,
            )
            wrapped(**placeholder)
            setattr(instance, _MISSING, True)

    return construct


def _place(args: Any, kwargs: Any) -> str | None:
    """Return the name of a picture's file; None if the picture is given in another form."""
    given = kwargs.get("filename") or (args[0] if args else kwargs.get("data"))
    if kwargs.get("filename") is None and (kwargs.get("url") is not None or len(args) > 1):
        return None
    if isinstance(given, os.PathLike):
        given = os.fspath(given)
    if not isinstance(given, str) or len(given) > _LONGEST_NAME or "\n" in given or given.lstrip().startswith("<"):
        return None
    return None if given.startswith(("http:", "https:")) else given


def _content(place: str) -> bytes | None:
    """Return a picture that can be opened, although no file has its name; None if IPython finds it itself.

    Raises:
        OSError: There is no such file.
    """
    if os.path.exists(place):  # noqa: PTH110 - as IPython asks
        return None
    with open(place, "rb") as file:  # noqa: PTH123 - as the student's code would open it
        return file.read()


def _hiding(nothing: Any) -> Callable[..., Any]:
    def show(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        return nothing if getattr(instance, _MISSING, False) else wrapped(*args, **kwargs)

    return show
