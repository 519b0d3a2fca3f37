"""Count finished items on a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["counted"]


@contextmanager
def counted(console: "Console", items: str = "") -> Iterator[Callable[[int, int], None]]:
    """Show a counter of finished items on a terminal, and remove it afterwards.

    Args:
        console: Where to show it; nothing is shown if it is not a terminal.
        items: What is counted, such as "messages".
    """

    def count(done: int, total: int) -> None:
        if console.is_terminal:
            console.file.write(f"\r{done} of {total} {items}".rstrip() + "\x1b[K")
            console.file.flush()

    try:
        yield count
    finally:
        if console.is_terminal:
            console.file.write("\r\x1b[K")
