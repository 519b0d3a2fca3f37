"""Whether it is known which rows of which data set an array holds."""

from grader.schema.evidence import ArrayFact, RowsFact

__all__ = ["known_rows", "recognized"]

_RECOGNIZED = 0.5
"""Part of an array's rows that must be recognized before it is known which data set the array holds."""


def recognized(rows: RowsFact | None) -> RowsFact | None:
    """Return the rows if enough of them are recognized, else None.

    Args:
        rows: Which rows an array holds; None where none were recognized.
    """
    return rows if rows is not None and rows.matched >= _RECOGNIZED else None


def known_rows(array: ArrayFact | None) -> RowsFact | None:
    """Return which rows an array holds, or None where too few of them are recognized.

    Args:
        array: The array; None where it was not seen.
    """
    return recognized(array.rows) if array is not None else None
