"""Find submitted files by name, for paths that exist only on another machine."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

__all__ = ["SubmittedFiles"]

_MOST = 20_000
"""Maximum number of files and folders to look at."""
_FRESH_SECONDS = 1.0
"""Age up to which a listing is used again."""


class SubmittedFiles:
    """The files and folders below a folder, by their names."""

    def __init__(self, top: Path) -> None:
        """Store the folder; nothing is read yet.

        Args:
            top: The submission's folder.
        """
        self._top = top
        self._read = float("-inf")
        self._by_name: dict[str, list[Path]] = {}

    def find(self, parts: Sequence[str], *, folder: bool | None = None) -> Path | None:
        """Find a file or folder by the last part of a path.

        Args:
            parts: The parts of a path on another machine.
            folder: Whether it must be a folder or must be a file; None for either.

        Returns:
            The path with most of the last parts in common, then the one closest to the submission's folder, then the
            first by name. None if nothing has this name.
        """
        named = self._named(parts[-1]) if parts else []
        fitting = [path for path in named if folder is None or path.is_dir() is folder]
        # Files come before folders.
        order = [(path.is_dir(), -_common(path.parts, parts), len(path.parts), str(path), path) for path in fitting]
        return min(order)[-1] if order else None

    def _named(self, name: str) -> list[Path]:
        now = time.monotonic()
        if now - self._read > _FRESH_SECONDS:
            self._by_name = _listing(self._top)
            self._read = time.monotonic()
        return self._by_name.get(name, [])


def _listing(top: Path) -> dict[str, list[Path]]:
    """Map names to paths below a folder; skip links, hidden files and hidden folders."""
    by_name: dict[str, list[Path]] = {}
    left = _MOST
    waiting = [str(top)]
    while waiting:
        folder = waiting.pop(0)
        try:
            with os.scandir(folder) as entries:
                present = sorted((one.name, one.is_dir(follow_symlinks=False), one.is_symlink()) for one in entries)
        except OSError:
            continue
        for name, is_folder, is_link in present:
            if is_link or name.startswith(".") or name == "__pycache__":
                continue
            left -= 1
            if left < 0:
                return by_name
            by_name.setdefault(name, []).append(Path(folder) / name)
            if is_folder:
                waiting.append(os.path.join(folder, name))  # noqa: PTH118 - a text, as `os.scandir` needs
    return by_name


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Count the equal parts at the end of two paths."""
    count = 0
    for left, right in zip(reversed(one), reversed(other), strict=False):
        if left != right:
            break
        count += 1
    return count
