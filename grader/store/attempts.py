"""Several executions of one submission on the disk.

`DIR/<submission>/attempts/<n>/` holds the evidence and the executed notebook of attempt n; `evidence/` and
`executed.ipynb` of the submission itself are those of the attempt that was taken. Nothing is kept twice: they are the
same files under a second name (hard links), and copies only where the file system has no such names.
"""

import errno
import filecmp
import os
import shutil
import tempfile
from pathlib import Path

from grader.schema.errors import StorageError
from grader.store.files import WRITING
from grader.store.results import STAGING, ResultsFolder

__all__ = ["AttemptsFolder"]

_WITHOUT_LINKS = {errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
"""What a file system says that has no second names for a file, or no more of them."""


class AttemptsFolder:
    """The attempts of one submission. One thread at a time."""

    def __init__(self, out: ResultsFolder, submission: str) -> None:
        """Name the folder; nothing is made yet.

        Args:
            out: The class's results folder.
            submission: Whose attempts.
        """
        self._out = out
        self._submission = submission
        self.each = ResultsFolder(out.attempts_folder(submission))
        """Holds the attempts as a results folder holds submissions: `str(n)` is the name of attempt n."""

    def exists(self) -> bool:
        """Whether several attempts were ever asked for."""
        return self.each.root.is_dir()

    def numbers(self) -> tuple[int, ...]:
        """Attempts whose evidence is kept, in order."""
        return tuple(sorted(int(name) for name in self.each.submissions() if name.isdecimal()))

    def begin(self) -> None:
        """Make the folder; what a single execution left before becomes attempt 1.

        Raises:
            StorageError: It cannot be made.
        """
        if self.exists():
            return
        own = self._out.folder(self._submission)
        try:
            own.mkdir(parents=True, exist_ok=True)
            for left_over in own.glob(f"{STAGING}*"):
                shutil.rmtree(left_over, ignore_errors=True)
            staged = Path(tempfile.mkdtemp(dir=own, prefix=STAGING))
            staged.chmod(0o755)
            first = ResultsFolder(staged)
            if self._out.evidence_folder(self._submission).is_dir():
                _link_tree(self._out.evidence_folder(self._submission), first.evidence_folder("1"))
                if self._out.executed_path(self._submission).is_file():
                    _link(self._out.executed_path(self._submission), first.executed_path("1"))
            # Whole or not at all: half a folder would be taken for an attempt without evidence.
            staged.rename(self.each.root)
        except OSError as error:
            raise _storage_error(error, self.each.root) from error

    def take(self, number: int) -> None:
        """Make an attempt's evidence and executed notebook those of the submission.

        Args:
            number: An attempt whose evidence is kept.

        Raises:
            StorageError: They cannot be put there.
        """
        name = str(number)
        if not _same(self.each.evidence_folder(name), self._out.evidence_folder(self._submission)):
            filled = self._out.new_evidence_folder(self._submission)
            try:
                _link_tree(self.each.evidence_folder(name), filled)
                self._out.adopt_evidence(self._submission, filled)
            except OSError as error:
                raise _storage_error(error, filled) from error
            finally:
                shutil.rmtree(filled, ignore_errors=True)
        self._take_notebook(self.each.executed_path(name), self._out.executed_path(self._submission))

    def _take_notebook(self, source: Path, target: Path) -> None:
        if _same_file(source, target):
            return
        staged = target.with_name(f"{WRITING}{target.name}")
        try:
            staged.unlink(missing_ok=True)
            if not source.is_file():
                target.unlink(missing_ok=True)
                return
            _link(source, staged)
            staged.replace(target)
        except OSError as error:
            raise _storage_error(error, target) from error
        finally:
            # Renaming one name of a file to another of the same does nothing at all.
            staged.unlink(missing_ok=True)


def _storage_error(error: OSError, place: Path) -> StorageError:
    reason = "the disk is full" if error.errno in {errno.ENOSPC, errno.EDQUOT} else (error.strerror or str(error))
    msg = f"cannot write: {reason}"
    return StorageError(msg, where=str(place))


def _link_tree(source: Path, target: Path) -> None:
    """Give every file of a folder a second name in another folder, which is made; links and pipes are left out."""
    for folder, _, names in os.walk(source):
        here = target / Path(folder).relative_to(source)
        here.mkdir(parents=True, exist_ok=True)
        for name in names:
            file = Path(folder) / name
            if file.is_file() and not file.is_symlink():
                _link(file, here / name)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _WITHOUT_LINKS:
            raise
        shutil.copy2(source, target)


def _same(one: Path, other: Path) -> bool:
    """Whether two evidence folders are of the same execution: the same document, or one of the same bytes."""
    return _same_file(one / "evidence.json", other / "evidence.json")


def _same_file(one: Path, other: Path) -> bool:
    if not (one.is_file() and other.is_file()):
        return False
    return one.samefile(other) or filecmp.cmp(one, other, shallow=False)
