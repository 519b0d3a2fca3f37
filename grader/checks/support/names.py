"""Lists of names in messages."""

from collections.abc import Sequence

from grader.schema.message import Message, say, say_count

__all__ = ["first_names"]

_MOST_NAMES = 3


def first_names(names: Sequence[str]) -> Message:
    """List the first names as code, and count the others.

    Args:
        names: Names of layers, models or variables; at least one.
    """
    if len(names) <= _MOST_NAMES:
        return say("{names:code}", names=names)
    return say_count(
        "{names:code list} and {count:number} more",
        "{names:code list} and {count:number} more",
        len(names) - _MOST_NAMES,
        names=names[:_MOST_NAMES],
    )
