"""Parts of a page that were rendered before, found by a digest of everything they were rendered from.

A regrade changes few parts of a page. The executed notebook, the charts of the evidence and most criteria stay as they
were, and rendering them takes most of the time. A part is used again only if each of its inputs is equal: the code of
the grader, the language, the files of the evidence, the reference, and the fields of the grade that it shows.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from markupsafe import Markup
from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, from_json, to_json

__all__ = ["Fragments"]

_T = TypeVar("_T")
_DIGEST_BYTES: Final = 16


@dataclass(slots=True)
class Fragments:
    """The parts of one submission's pages; for use in one thread."""

    renderer: str = ""
    """Digest of all inputs that the submissions of a class share; if empty, nothing is used again."""
    evidence: str = ""
    """Digest of the evidence."""
    notebook: str = ""
    """Digest of the executed notebook."""
    stored: Callable[[str], bytes | None] = lambda _key: None
    """Returns a part that was stored; None if there is none, or if it is damaged."""
    used: dict[str, None] = field(default_factory=dict)
    """The keys of the parts of the pages that were rendered."""
    new: dict[str, bytes] = field(default_factory=dict)
    """The parts that were not stored yet."""
    _serialized: dict[int, tuple[BaseModel, bytes]] = field(default_factory=dict)
    """Inputs and their JSON, by identity; the input is kept so that its identity stays unique."""

    def key(self, name: str, *inputs: object) -> str | None:
        """Make the key of a part; None if it cannot be used again.

        Args:
            name: Name of the part.
            inputs: All inputs that submissions or parts do not share: documents and JSON values.
        """
        if not self.renderer:
            return None
        try:
            plain = b"\n".join(map(self._json, inputs))
        except PydanticSerializationError:  # lone surrogates
            return None
        digest = hashlib.blake2b(f"{self.renderer}\n{name}\n".encode(), digest_size=_DIGEST_BYTES)
        digest.update(plain)
        return digest.hexdigest()

    def _json(self, value: object) -> bytes:
        """Serialize an input; a criterion or a model that both editions of a page show is serialized once."""
        if not isinstance(value, BaseModel):
            return to_json(_plain(value), inf_nan_mode="constants")
        known = self._serialized.get(id(value))
        if known is None or known[0] is not value:
            known = self._serialized[id(value)] = (value, to_json(_plain(value), inf_nan_mode="constants"))
        return known[1]

    def markup(self, key: str | None, make: Callable[[], str]) -> Markup:
        """Return a rendered part.

        Args:
            key: Its key.
            make: Renders it.
        """
        kept = None if key is None else self._kept(key)
        if kept is not None:
            return Markup(kept.decode("utf-8", "surrogatepass"))  # noqa: S704 - was rendered as markup
        made = make()
        if key is not None:
            self.new[key] = made.encode("utf-8", "surrogatepass")
        return Markup(made)  # noqa: S704 - as above

    def data(self, key: str | None, make: Callable[[], _T]) -> _T:
        """Return JSON values that a part is made from.

        Args:
            key: Their key.
            make: Computes them, with lists instead of tuples.
        """
        kept = None if key is None else self._kept(key)
        if kept is not None:
            values: _T = from_json(kept)
            return values
        made = make()
        if key is not None:
            self.new[key] = json.dumps(made).encode()
        return made

    def forget(self) -> None:
        """Store nothing of the pages that were rendered, because a part of them failed."""
        self.used.clear()
        self.new.clear()

    def _kept(self, key: str) -> bytes | None:
        self.used[key] = None
        return self.new.get(key) or self.stored(key)


def _plain(value: object) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="python")
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(inner) for inner in value]
    return value
