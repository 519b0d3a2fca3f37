"""Store several executions of one submission.

`DIR/<submission>/attempts/<n>/` holds the evidence and the executed notebook of attempt n. The submission's own
`evidence/` and `executed.ipynb` belong to the selected attempt. They are hard links to the attempt's files, and copies
only on file systems without hard links.
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
"""Error numbers of file systems that do not support a hard link, or no more of them."""


class AttemptsFolder:
    """Attempts of one submission; for use in one thread at a time."""

    def __init__(self, out: ResultsFolder, submission: str) -> None:
        """Set the folder; nothing is created yet.

        Args:
            out: The class's results folder.
            submission: Id of the submission.
        """
        self._out = out
        self._submission = submission
        self.each = out.nested(out.attempts_folder(submission))
        """Results folder of the attempts, with `str(n)` as the submission name of attempt n."""

    def exists(self) -> bool:
        """Return whether several attempts were ever requested."""
        return self.each.root.is_dir()

    def numbers(self) -> tuple[int, ...]:
        """List the numbers of the attempts with stored evidence, in order."""
        return tuple(sorted(int(name) for name in self.each.submissions() if name.isdecimal()))

    def begin(self) -> None:
        """Create the folder; the files of an earlier single execution become attempt 1.

        Raises:
            StorageError: The folder cannot be created.
        """
        if self.exists():
            return
        submission_folder = self._out.folder(self._submission)
        try:
            submission_folder.mkdir(parents=True, exist_ok=True)
            for leftover in submission_folder.glob(f"{STAGING}*"):
                shutil.rmtree(leftover, ignore_errors=True)
            staged = Path(tempfile.mkdtemp(dir=submission_folder, prefix=STAGING))
            staged.chmod(0o755)
            first = ResultsFolder(staged)
            if self._out.evidence_folder(self._submission).is_dir():
                _link_tree(self._out.evidence_folder(self._submission), first.evidence_folder("1"))
                if self._out.executed_path(self._submission).is_file():
                    _link(self._out.executed_path(self._submission), first.executed_path("1"))
            # Rename the complete folder: half a folder would count as an attempt without evidence.
            staged.rename(self.each.root)
        except OSError as error:
            raise _storage_error(error, self.each.root) from error

    def take(self, number: int) -> None:
        """Use an attempt's evidence and executed notebook as the submission's.

        Args:
            number: Number of an attempt with stored evidence.

        Raises:
            StorageError: The files cannot be written.
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
            # Renaming a file onto a hard link of the same file does nothing, so the staged name may remain.
            staged.unlink(missing_ok=True)


def _storage_error(error: OSError, place: Path) -> StorageError:
    reason = "the disk is full" if error.errno in {errno.ENOSPC, errno.EDQUOT} else (error.strerror or str(error))
    msg = f"cannot write: {reason}"
    return StorageError(msg, where=str(place))


def _link_tree(source: Path, target: Path) -> None:
    """Link every file of a folder into a new folder; skip symbolic links and pipes."""
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
    """Return whether two evidence folders come from the same execution: the same file, or equal bytes."""
    return _same_file(one / "evidence.json", other / "evidence.json")


def _same_file(one: Path, other: Path) -> bool:
    if not (one.is_file() and other.is_file()):
        return False
    return one.samefile(other) or filecmp.cmp(one, other, shallow=False)
