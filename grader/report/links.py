"""Links within the page: cells, criteria and notes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grader.facts.language import Language
from grader.report.notebook import cell_anchor
from grader.schema.base import Pointer
from grader.schema.message import Message, MessageLike

__all__ = ["Link", "Target"]


@dataclass(frozen=True, slots=True)
class Link:
    """Name of a cell, with a link if the cell is on the page."""

    label: str
    href: str | None


@dataclass(frozen=True, slots=True)
class Target:
    """The page that links lead to.

    Attributes:
        sources: The code of its code cells, and an empty text for its other cells, by index.
        models: Names of the notebook's models.
        language: Its language.
    """

    sources: Mapping[int, str]
    models: frozenset[str]
    language: Language

    def text(self, english: str, says: Message | None) -> MessageLike:
        """Choose the form of a text of the grade; English is already rendered.

        Args:
            english: The English text.
            says: The text as data; None in grades of earlier versions.
        """
        return english if says is None or self.language.code == "en" else says

    def link(self, cell: int | None, *, upper: bool = False) -> Link:
        """Link one cell.

        Args:
            cell: Its index; None if unknown.
            upper: Whether its name starts a sentence.
        """
        href = f"#{cell_anchor(cell)}" if cell is not None and cell in self.sources else None
        return Link(self.language.upper_cell(cell) if upper else self.language.cell(cell), href)

    def links(self, pointers: Sequence[Pointer]) -> tuple[Link, ...]:
        """Link each cell once, in order."""
        cells = dict.fromkeys(pointer.cell for pointer in pointers if pointer.cell is not None)
        return tuple(self.link(cell) for cell in cells)
