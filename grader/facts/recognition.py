"""Decide whether enough rows of an array are recognized."""

from grader.schema.evidence import ArrayFact, RowsFact

__all__ = ["known_rows", "recognized"]

_RECOGNIZED = 0.5
"""Part of an array's rows that must be recognized."""


def recognized(rows: RowsFact | None) -> RowsFact | None:
    """Return the rows if enough of them are recognized, else None.

    Args:
        rows: The recognized rows of an array; None if there are none.
    """
    return rows if rows is not None and rows.matched >= _RECOGNIZED else None


def known_rows(array: ArrayFact | None) -> RowsFact | None:
    """Return the rows of an array, or None if too few of them are recognized.

    Args:
        array: The array; None if it is unknown.
    """
    return recognized(array.rows) if array is not None else None
