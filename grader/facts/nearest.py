"""Find the valid name nearest to an unknown one, for messages."""

import difflib
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["did_you_mean", "near_path", "nearest", "suggestion"]

_CUTOFF, _PATH_CUTOFF = 0.5, 0.65
"""Least similarity of two names, 0 to 1; folders contain many names, most of which are no choices."""
_MOST_NAMES = 10_000
"""Maximum number of names to search."""


def nearest(name: str, choices: Iterable[str], *, cutoff: float = _CUTOFF) -> str | None:
    """Return the choice most similar to a name, whatever its case; None if none is similar.

    Args:
        name: The unknown name.
        choices: The valid names.
        cutoff: Least similarity, 0 to 1.
    """
    by_folded: dict[str, str] = {}
    for choice, _ in zip(choices, range(_MOST_NAMES), strict=False):
        by_folded.setdefault(choice.casefold(), choice)
    near = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=cutoff)
    return by_folded[near[0]] if near else None


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """Suggest the nearest choice: a text to append to a message, empty if no choice is similar."""
    near = nearest(name, choices)
    return f"; did you mean {near!r}?" if near is not None else ""


def suggestion(name: str, choices: Iterable[str]) -> str:
    """Suggest the nearest choice, or list all choices: a text to append to a message.

    Args:
        name: The unknown name.
        choices: The valid names.
    """
    choices = list(choices)
    listed = f"; the choices are {', '.join(sorted(set(choices)))}" if choices else ""
    return did_you_mean(name, choices) or listed


def near_path(path: Path) -> str:
    """Suggest an existing file or folder next to a path that does not exist: a text to append to a message."""
    folder = path.parent
    near = nearest(path.name, _names(folder), cutoff=_PATH_CUTOFF)
    return f"; did you mean {str(folder / near)!r}?" if near is not None else ""


def _names(folder: Path) -> Iterator[str]:
    """List the names in a folder; hidden files and unreadable folders have none."""
    try:
        yield from sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:
        return
