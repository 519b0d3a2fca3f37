"""Read a folder of clones, as `gh classroom clone student-repos` and `gh teacher download` make it.

The name of a repository ends with the student: `hw1-alee` in `hw1-submissions`, or `cs1-hw1-alee` in
`cs1-hw1_submissions_2026_11_08_T_18_03_00`. In a folder with another name, the names of all clones tell what is in
front of the students.

A clone may come from a student, with settings and hooks that would run programs. So Git never opens it: the name of the
last commit is read from the files, and Git reads this one object from a repository of its own that borrows the objects.
"""

import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from grader.intake.platforms import Person

__all__ = ["PLATFORM", "is_repository", "last_commit", "owners"]

PLATFORM = "github"
_MARKER = ".classroom50.yaml"
"""File that Classroom 50 adds to each student's repository."""
_FOLDER = re.compile(
    r"(?P<prefix>.+?)(?:-submissions|_submissions_\d{4}_\d\d_\d\d_T_\d\d_\d\d_\d\d)(?: ?\(\d+\)|-\d+)?", re.IGNORECASE
)
"""Name of the folder that the tools of GitHub Classroom and Classroom 50 make."""
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHA1 = 40
"""Length of a hash in a repository of the usual format."""
_REF = re.compile(r"refs/heads/[^\s~^:?*\[\\]{1,200}")
_COMMITTER = re.compile(rb"^committer [^\n]*> (?P<seconds>\d{1,12}) [+-]\d{4}$", re.MULTILINE)
_LONGEST_FILE = 4096
_LONGEST_LIST = 16 << 20
"""Maximum size of `packed-refs`."""
_HEADER = 65_536
"""Maximum size of a commit's header, which comes before its text."""
_PATIENCE = 20.0
"""Seconds until Git is ended."""
_MEMORY = 1 << 30
"""Address space of Git in bytes; a hostile commit could unpack to any size."""


def is_repository(folder: Path) -> bool:
    """Return whether a folder is a clone, or the files of a repository of Classroom 50."""
    return (folder / ".git").exists() or (folder / _MARKER).is_file()


def owners(folder: Path, folders: Sequence[Path]) -> dict[str, Person]:
    """Read the students of a folder of clones; empty for any other folder.

    Args:
        folder: The folder.
        folders: Its subfolders.

    Returns:
        Name of a clone → its student. The id is the name of the repository.
    """
    own = _FOLDER.fullmatch(folder.name)
    clones = [path.name for path in folders if _is_clone(path)]
    if not clones or (own is None and len(clones) == 1) or _is_clone(folder):
        return {}
    prefix = _common_prefix(clones) if own is None else f"{own['prefix']}-"
    return {name: Person(_owner(name, prefix), name, platform=PLATFORM) for name in clones}


def _is_clone(folder: Path) -> bool:
    try:
        return is_repository(folder)
    except OSError:
        return False


def _owner(name: str, prefix: str) -> str:
    if name.casefold().startswith(prefix.casefold()):
        return name[len(prefix) :] or name
    return name


def _common_prefix(names: Sequence[str]) -> str:
    """Return the start that all names share, up to a hyphen; empty if one name would have no rest."""
    # All names start alike as far as the first and the last in alphabetical order do.
    first, last = min(names), max(names)
    alike = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[: first.rfind("-", 0, alike) + 1]


def last_commit(repository: Path, scratch: Path) -> datetime | None:
    """Read the time of the last commit of a clone, as the author's machine wrote it; None if it cannot be read.

    No program of the clone is run, and its settings are not used.

    Args:
        repository: The clone.
        scratch: Folder for a temporary repository.
    """
    place = repository / ".git"
    try:
        commit = _head(place)
        if not commit or _leaves(place / "objects", place):
            return None
        header = _commit_header(place / "objects", commit, scratch)
    except OSError:
        return None
    match = _COMMITTER.search(header.partition(b"\n\n")[0])
    if match is None:
        return None
    try:
        return datetime.fromtimestamp(int(match["seconds"]), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _head(place: Path) -> str:
    """Return the hash of the commit that is checked out; empty if it cannot be read."""
    if place.is_symlink() or not place.is_dir():
        return ""
    head = _read(place / "HEAD", place).strip()
    if not head.startswith("ref:"):
        return head if _HASH.fullmatch(head) else ""
    ref = head.removeprefix("ref:").strip()
    if _REF.fullmatch(ref) is None or ".." in ref:
        return ""
    loose = _read(place / ref, place).strip()
    if loose:
        return loose if _HASH.fullmatch(loose) else ""
    lines = (line.split(" ") for line in _read(place / "packed-refs", place, _LONGEST_LIST).splitlines())
    packed = next((line[0] for line in lines if line[1:] == [ref]), "")
    return packed if _HASH.fullmatch(packed) else ""


def _read(path: Path, place: Path, most: int = _LONGEST_FILE) -> str:
    """Read a file of the clone; empty if it is missing, no plain file, elsewhere or too large."""
    if not path.is_file() or _leaves(path, place) or path.stat().st_size > most:
        return ""
    return path.read_bytes().decode("utf-8", "replace")


def _leaves(path: Path, place: Path) -> bool:
    """Return whether a path leads out of a folder through a link."""
    return path.is_symlink() or not path.resolve().is_relative_to(place.resolve())


def _commit_header(objects: Path, commit: str, scratch: Path) -> bytes:
    """Read the start of a commit with Git, in an empty repository of its own that borrows the objects."""
    program = shutil.which("git")
    if program is None:
        return b""
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch, prefix=".git-") as name:
        own = Path(name)
        for folder in ("objects", "refs"):
            (own / folder).mkdir()
        (own / "HEAD").write_text("ref: refs/heads/none\n")
        if len(commit) > _SHA1:
            (own / "config").write_text(
                "[core]\n\trepositoryformatversion = 1\n[extensions]\n\tobjectformat = sha256\n"
            )
        environment = {
            "PATH": str(Path(program).parent),
            "HOME": name,
            "GIT_DIR": name,
            "GIT_OBJECT_DIRECTORY": str(objects.resolve()),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_TERMINAL_PROMPT": "0",
        }
        limit = shutil.which("prlimit")
        limited = [] if limit is None else [limit, f"--as={_MEMORY}"]
        return _output([*limited, program, "cat-file", "commit", commit], environment)


def _output(command: Sequence[str], environment: dict[str, str]) -> bytes:
    """Return the start of a program's output; empty if it takes too long."""
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        timer = threading.Timer(_PATIENCE, process.kill)
        timer.start()
        try:
            return b"" if process.stdout is None else process.stdout.read(_HEADER)
        finally:
            timer.cancel()
            with suppress(ProcessLookupError):
                process.kill()
