"""Parts of a page that were rendered before, found by a digest of everything they were rendered from.

A regrade changes few parts of a page. The executed notebook, the charts of the evidence and most criteria stay as they
were, and rendering them takes most of the time. A part is used again only if each of its inputs is equal: the code of
the grader, the language, the files of the evidence, the reference, and the fields of the grade that it shows.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from contextlib import suppress
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
    _inner: dict[str, None] = field(default_factory=dict)
    """The keys of the parts inside of the part that is being rendered."""
    _values: dict[str, Any] = field(default_factory=dict)
    """JSON values that were read, by key."""
    _sections: dict[str, tuple[Markup, dict[str, None]]] = field(default_factory=dict)
    """Sections of pages and the keys of the parts in them, by key; most are the same in both editions."""
    _documents: dict[int, tuple[BaseModel, bytes]] = field(default_factory=dict)
    """Documents among the inputs and their digests, by identity; kept so that the identity stays unique."""

    def key(self, name: str, *inputs: object) -> str | None:
        """Make the key of a part; None if it cannot be used again.

        Args:
            name: Name of the part.
            inputs: All inputs that submissions or parts do not share: documents and JSON values.
        """
        if not self.renderer:
            return None
        try:
            plain = b"\n".join(map(self._written, inputs))
        except PydanticSerializationError:  # lone surrogates
            return None
        return _digest(f"{self.renderer}\n{name}\n".encode() + plain)

    def know(self, documents: Iterable[tuple[BaseModel, Any]]) -> None:
        """Note the JSON values of documents, so that their digests need no conversion.

        Args:
            documents: Documents with their JSON values.
        """
        for document, values in documents:
            if id(document) in self._documents:
                continue
            with suppress(PydanticSerializationError):
                self._documents[id(document)] = (document, _digest(to_json(values)).encode())

    def digest(self, document: BaseModel) -> str:
        """Return the digest of a document; empty if it has lone surrogates."""
        try:
            return self._digest_of(document).decode("ascii")
        except PydanticSerializationError:
            return ""

    def know_digest(self, document: BaseModel, digest: str) -> None:
        """Note the digest of a document that `digest` returned before."""
        if digest:
            self._documents[id(document)] = (document, digest.encode("ascii"))

    def derive(self, document: BaseModel, origin: BaseModel, *inputs: object) -> None:
        """Note that a document is computed from another one, so that its digest needs no conversion.

        Args:
            document: The document.
            origin: The document that it is computed from.
            inputs: All other inputs: documents and JSON values.
        """
        with suppress(PydanticSerializationError):
            plain = b"\n".join(map(self._written, (origin, *inputs)))
            self._documents[id(document)] = (document, _digest(b"derived\n" + plain).encode())

    def _written(self, value: object) -> bytes:
        """Serialize an input, with digests for the documents in it."""
        kind = type(value)
        if kind is str or kind is int or value is None:
            return to_json(value)
        if isinstance(value, tuple | list):
            return b"[" + b",".join(map(self._written, value)) + b"]"
        # Last, since it takes as long as all the rest.
        if isinstance(value, BaseModel):
            return self._digest_of(value)
        return to_json(value, inf_nan_mode="constants")

    def _digest_of(self, document: BaseModel) -> bytes:
        known = self._documents.get(id(document))
        if known is None:
            values = to_json(document.model_dump(mode="python", by_alias=True), inf_nan_mode="constants")
            known = self._documents[id(document)] = (document, _digest(values).encode())
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

    def section(self, key: str | None, make: Callable[[], str]) -> Markup:
        """Return a rendered part with other parts in it, which are stored once, outside of it.

        Args:
            key: Its key.
            make: Renders it.
        """
        if key is not None and key in self._sections:
            made, inner = self._sections[key]
        else:
            outer, self._inner = self._inner, {}
            try:
                made, inner = self._section(key, make), self._inner
            finally:
                self._inner = outer
            if key is not None:
                self._sections[key] = made, inner
        self._inner.update(inner)
        return made

    def _section(self, key: str | None, make: Callable[[], str]) -> Markup:
        kept = None if key is None else self._joined(key)
        if kept is not None:
            return Markup(kept.decode("utf-8", "surrogatepass"))  # noqa: S704 - was rendered as markup
        self._inner.clear()
        made = make()
        if key is not None:
            self.new[key] = self._split(made.encode("utf-8", "surrogatepass"), self._inner)
            self._inner[key] = None
        return Markup(made)  # noqa: S704 - as above

    def _split(self, section: bytes, inner: Iterable[str]) -> bytes:
        """Replace the parts in a section by their keys, each with the length of the text before it.

        Parts that do not appear in it, such as values that it was made from, are listed by their keys alone.
        """
        head, own, at = list[str](), list[bytes](), 0
        for key in inner:
            part = self.new.get(key) or self.stored(key)
            start = section.find(part, at) if part else -1
            if part and start >= 0:
                head.append(f"{key}:{start - at}")
                own.append(section[at:start])
                at = start + len(part)
            elif part:
                head.append(key)
        return " ".join(head).encode("ascii") + b"\n" + b"".join([*own, section[at:]])

    def _joined(self, key: str) -> bytes | None:
        """Return a section with its parts; None if one of them is missing."""
        kept = self._kept(key)
        if kept is None:
            return None
        head, _, own = kept.partition(b"\n")
        pieces, at = list[bytes](), 0
        for word in head.decode("ascii").split():
            inner, _, length = word.partition(":")
            if not length:
                self.used[inner] = self._inner[inner] = None
                continue
            part = self._kept(inner)
            if part is None:
                return None
            pieces += (own[at : at + int(length)], part)
            at += int(length)
        return b"".join([*pieces, own[at:]])

    def content(self, key: str | None, make: Callable[[], bytes]) -> bytes:
        """Return bytes that do not appear on a page.

        Args:
            key: Their key.
            make: Computes them.
        """
        kept = None if key is None else self._kept(key)
        made = kept or make()
        if key is not None and kept is None:
            self.new[key] = made
        return made

    def data(self, key: str | None, make: Callable[[], _T]) -> _T:
        """Return JSON values that a part is made from; they must not be changed.

        Args:
            key: Their key.
            make: Computes them, with lists instead of tuples.
        """
        if key is not None and key in self._values:
            self.used[key] = self._inner[key] = None
            known: _T = self._values[key]
            return known
        kept = None if key is None else self._kept(key)
        made: _T = make() if kept is None else from_json(kept)
        if key is not None:
            self._values[key] = made
            if kept is None:
                self.new[key] = json.dumps(made).encode()
        return made

    def forget(self) -> None:
        """Store nothing of the pages that were rendered, because a part of them failed."""
        self.used.clear()
        self.new.clear()
        self._values.clear()
        self._sections.clear()

    def _kept(self, key: str) -> bytes | None:
        self.used[key] = self._inner[key] = None
        return self.new.get(key) or self.stored(key)


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES).hexdigest()
