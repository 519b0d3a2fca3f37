"""A folder from which `inside` can be imported, and nothing else of the grader."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

import grader

__all__ = ["inside_alone"]


@functools.cache
def inside_alone() -> Path:
    """Make the folder once; it goes when the tests end.

    Returns:
        A folder for `PYTHONPATH` that holds a link to `grader/inside`, as a sandbox sees a copy of it.
    """
    folder = Path(tempfile.mkdtemp(prefix="inside-alone-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "inside").symlink_to(Path(grader.__file__).parent / "inside")
    return folder
