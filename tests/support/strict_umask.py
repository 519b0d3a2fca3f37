"""A umask that closes new files to all other users."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["strict_umask"]


@contextmanager
def strict_umask() -> Iterator[None]:
    """Set the umask 077 during a `with` block."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
