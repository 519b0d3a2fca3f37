"""Join the problems of a document for one error."""

from collections.abc import Sequence

__all__ = ["joined_problems"]


def joined_problems(problems: Sequence[str], most: int = 20) -> str:
    """Join problems, and count those after the first ones.

    Args:
        problems: All problems of a file, each with its line.
        most: Number of problems to list.
    """
    more = len(problems) - most
    return "; ".join([*problems[:most], *([f"and {more} more"] if more > 0 else [])])
