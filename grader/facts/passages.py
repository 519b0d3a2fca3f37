"""Find the similar passages of two notebooks, on both sides."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grader.facts.code_prints import Prints, Scheme, Words
from grader.schema.similarity import Lines, Passage

__all__ = ["Alignment", "align", "known_lines"]

_MOST_PASSAGES = 30


@dataclass(frozen=True, slots=True)
class Alignment:
    """The similar passages of two notebooks."""

    passages: tuple[Passage, ...]
    """The longest first."""
    tokens: int
    """Tokens in all passages."""
    literals: int
    """Numbers and strings among them."""
    equal_literals: int
    """Those that are equal on both sides."""


@dataclass(slots=True)
class _Run:
    """Equal tokens from one position in each notebook."""

    first: int
    second: int
    size: int


def align(first: Prints, second: Prints, scheme: Scheme, ignored: NDArray[np.uint64]) -> Alignment:
    """Find the similar passages of two notebooks.

    Args:
        first: Fingerprints of one notebook.
        second: Fingerprints of the other.
        scheme: Size of the fingerprints.
        ignored: Hashes of the starter and of passages that many notebooks have.
    """
    runs = sorted(_runs(first, second, scheme, ignored), key=lambda run: (-run.size, run.first))
    pieces = [piece for run in runs for piece in _pieces(run, first.words, second.words)]
    pairs = [(run.first + at, run.second + at) for run in runs for at in range(run.size)]
    literals = [(a, b) for a, b in pairs if first.words.tokens[a] in {"0", "''"}]
    return Alignment(
        passages=tuple(sorted(pieces, key=lambda piece: -piece.tokens)[:_MOST_PASSAGES]),
        tokens=len(pairs),
        literals=len(literals),
        equal_literals=sum(first.words.raw[a] == second.words.raw[b] for a, b in literals),
    )


def _runs(first: Prints, second: Prints, scheme: Scheme, ignored: NDArray[np.uint64]) -> Iterator[_Run]:
    """Join equal fingerprints that follow each other in both notebooks. A token belongs to one run at most."""
    places: dict[int, list[int]] = {}
    for place, mark in enumerate(second.hashes.tolist()):
        places.setdefault(mark, []).append(place)
    own = np.isin(first.hashes, ignored, invert=True).tolist()
    run: _Run | None = None
    for place, mark in enumerate(first.hashes.tolist()):
        options = places.get(mark, []) if own[place] else []
        if run is not None and place - run.first + run.second in options:
            run.size = place - run.first + scheme.size
            continue
        if run is not None and place < run.first + run.size:
            continue
        if run is not None:
            yield run
        run = _Run(place, options[0], scheme.size) if options else None
    if run is not None:
        yield run


def _pieces(run: _Run, first: Words, second: Words) -> Iterator[Passage]:
    """Split a run where a cell ends on either side."""
    start = 0
    for at in range(1, run.size + 1):
        a, b = run.first + at, run.second + at
        ends = at == run.size or first.cells[a] != first.cells[a - 1] or second.cells[b] != second.cells[b - 1]
        if ends:
            sides = (_lines(words, origin + start, origin + at - 1) for words, origin in _sides(run, first, second))
            one, other = sides
            yield Passage(first=one, second=other, tokens=at - start)
            start = at


def _sides(run: _Run, first: Words, second: Words) -> tuple[tuple[Words, int], tuple[Words, int]]:
    return (first, run.first), (second, run.second)


def _lines(words: Words, start: int, end: int) -> Lines:
    return Lines(cell=words.cells[start], first=words.lines[start], last=words.lines[end])


def known_lines(prints: Prints, scheme: Scheme, ignored: NDArray[np.uint64]) -> frozenset[tuple[int, int]]:
    """List the lines whose tokens all belong to ignored fingerprints, as pairs of cell and line.

    Args:
        prints: Fingerprints of one notebook.
        scheme: Size of the fingerprints.
        ignored: Hashes of the starter and of passages that many notebooks have.
    """
    covered = np.zeros(len(prints.words.tokens), bool)
    for place in np.flatnonzero(np.isin(prints.hashes, ignored)):
        covered[place : place + scheme.size] = True
    lines = list(zip(prints.words.cells, prints.words.lines, strict=True))
    own = {line for line, known in zip(lines, covered.tolist(), strict=True) if not known}
    return frozenset(lines) - own
