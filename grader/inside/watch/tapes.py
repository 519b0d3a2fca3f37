"""Sees the images that layers and functions use while a `GradientTape` of the student's code records."""

import sys
import weakref
from typing import Any

from .image_search import ImageSearch
from .ration import Ration
from .seen_images import SeenImages

__all__ = ["OpenTapes", "is_taped"]


class OpenTapes:
    """The tapes that record at the moment, outside of `fit`, and what was used under each tape that still exists."""

    def __init__(self, images: ImageSearch, ration: Ration) -> None:
        """Start without tapes.

        Args:
            images: Searches known images.
            ration: Limits the time for looks.
        """
        self._images = images
        self._ration = ration
        self._open: list[Any] = []
        self._looking = False
        self._seen: weakref.WeakKeyDictionary[Any, SeenImages] = weakref.WeakKeyDictionary()

    @property
    def recording(self) -> bool:
        """Whether a tape records."""
        return bool(self._open)

    def opened(self, tape: Any) -> None:
        """Note that a tape starts to record."""
        self._open.append(tape)
        self.may_look()

    def closed(self, tape: Any) -> None:
        """Note that a tape stops to record."""
        if self._open:
            self._open = [other for other in self._open if other is not tape]
            self._looking = self._looking and bool(self._open)

    def may_look(self) -> bool:
        """Decide for the open tapes whether the images under them are looked at, from the first call of a layer on."""
        self._looking = self._looking or self._ration.allows()
        return self._looking

    def used_under(self, tape: Any) -> SeenImages | None:
        """Return what was used under a tape; None for nothing."""
        return self._seen.get(tape)

    def users(self, graph: Any) -> list[SeenImages]:
        """Note a function that is called under tapes, and return what was used under them.

        Args:
            graph: The graph of the function.
        """
        users = self._of_open_tapes() if self._open and is_taped() else []
        for user in users:
            user.note_graph(graph)
        return users

    def see(self, x: Any) -> None:
        """Note the images in the argument of a layer."""
        fixed = hasattr(x, "_numpy")
        unseen = [seen for seen in self._of_open_tapes() if not (fixed and seen.has(x))]
        for images in self._images.in_argument(x, self._ration.rows) if unseen else ():
            self._images.add(images, unseen)
            for seen in unseen if fixed else ():
                seen.note(x)

    def _of_open_tapes(self) -> list[SeenImages]:
        return [self._seen.setdefault(tape, SeenImages()) for tape in self._open]


def is_taped() -> bool:
    """Return whether a `GradientTape` is active."""
    tapes: Any = sys.modules.get("tensorflow.python.pywrap_tfe")
    return tapes is not None and not tapes.TFE_Py_TapeSetIsEmpty()
