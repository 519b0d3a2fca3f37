"""Run a command as an ordinary user, who owns nothing and may read what every user may read."""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["USER_ID", "as_ordinary_user", "give_to"]

USER_ID = 47_611
"""An id that no account of a usual machine has, and that the grader gives to no sandbox."""


@contextmanager
def as_ordinary_user() -> Iterator[tuple[str, ...]]:
    """Find the words before a command that run it as an ordinary user, even if this Python is in root's folder.

    Yields:
        The words; none if this process is an ordinary user itself.

    Raises:
        OSError: This machine does not let root become another user.
    """
    if os.geteuid() != 0:
        yield ()
        return
    programs = {name: shutil.which(name) for name in ("setpriv", "unshare", "mount", "sh")}
    if None in programs.values():
        message = f"programs are missing: {sorted(name for name, path in programs.items() if path is None)}"
        raise OSError(message)
    step_down = (str(programs["setpriv"]), f"--reuid={USER_ID}", f"--regid={USER_ID}", "--clear-groups", "--")
    with tempfile.TemporaryDirectory() as folder:
        opening = list(_opened(Path(folder)))
        own = (str(programs["unshare"]), "--mount", "--propagation=private", "--", str(programs["sh"]), "-c")
        script = "\n".join(["set -e", *opening, f'exec {shlex.join(step_down)} "$@"'])
        prefix = (*own, script, "sh") if opening else step_down
        tried = subprocess.run(
            [*prefix, sys.executable, "-c", "import grader, os; print(os.getuid())"],
            capture_output=True,
            text=True,
            check=False,
        )
        if tried.stdout.strip() != str(USER_ID):
            raise OSError(tried.stderr.strip() or "the command did not run")
        yield prefix


def give_to(folder: Path, prefix: tuple[str, ...]) -> None:
    """Give a folder with its content to the user that a prefix runs commands as."""
    if not prefix:
        return
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(os.path.join(place, name), USER_ID, USER_ID, follow_symlinks=False)  # noqa: PTH118
    os.chown(folder, USER_ID, USER_ID)


def _opened(spare: Path) -> Iterator[str]:
    """Lines of a shell that make closed folders show the parts that this Python needs, and nothing else.

    They run in a mount namespace of their own.
    """
    needed = {Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve(), Path(__file__).resolve().parents[2]}
    closed = {path: top for path in sorted(needed) if (top := _closed(path)) is not None}
    for number, path in enumerate(closed):
        yield f"mkdir -p {_quoted(spare / str(number))}; mount --bind {_quoted(path)} {_quoted(spare / str(number))}"
    for top in sorted(set(closed.values())):
        yield f"mount -t tmpfs -o mode=755 none {_quoted(top)}"
    for number, path in enumerate(closed):
        yield f"mkdir -p {_quoted(path)}; mount --bind {_quoted(spare / str(number))} {_quoted(path)}"


def _closed(path: Path) -> Path | None:
    """Find the first folder on the way to a path that other users may not enter."""
    tops = [folder for folder in reversed(path.parents) if not folder.stat().st_mode & 0o001]
    return tops[0] if tops else None


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
