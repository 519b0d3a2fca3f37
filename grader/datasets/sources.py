"""List the copies of a data set on this machine, most trusted first."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grader.datasets.formats import Arrays, read_any
from grader.datasets.registry import KNOWN, DatasetInfo

__all__ = ["PACKAGED", "Source", "keras_cache", "local_sources"]

PACKAGED = Path(__file__).parent / "files"
"""Data files included in the grader's package."""
DEBIAN = Path("/usr/share/datasets")
"""Folder of Debian's `dataset-*` packages."""
_DEBIAN_NAMES = {"fashion_mnist": "fashion-mnist"}


@dataclass(frozen=True, slots=True)
class Source:
    """A copy of a data set on this machine."""

    kind: str
    """`package`, `downloaded`, `imported`, `keras` or `debian`."""
    path: Path
    """Path of a file, or of a folder of files."""
    info: DatasetInfo | None

    def read(self) -> Arrays:
        """Read the four arrays.

        Raises:
            DatasetMissingError: The copy is damaged.
        """
        return read_any(self.path, self.info)

    def state(self) -> list[list[str | int]]:
        """Return a value that changes when the copy changes: names, sizes and times of its files.

        For a packaged file, use the hash of its content instead of its time. Two installations that share prepared data
        have the same file with different times. They must not prepare it again under each other's notebooks.
        """
        files = sorted(self.path.iterdir()) if self.path.is_dir() else [self.path]
        stats = [(file, file.stat()) for file in files if file.is_file()]
        state: list[list[str | int]] = [[self.kind, len(stats)]]
        packaged = self.kind == "package"
        for file, stat in stats:
            state.append([file.name, stat.st_size, _sha256(file) if packaged else stat.st_mtime_ns])
        return state


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def keras_cache() -> Path:
    """Return the folder where Keras stores its downloads."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "datasets"


def local_sources(
    name: str,
    kept: Path,
    *,
    cache: Path | None = None,
    system: Path = DEBIAN,
    packaged: Path = PACKAGED,
) -> tuple[Source, ...]:
    """List the copies of a data set on this machine.

    The grader's own download precedes an imported file, since its hash was checked.

    Args:
        name: The data set.
        kept: Folder of the grader's downloads and imported files.
        cache: Keras's `datasets` folder; by default the user's.
        system: Debian's folder of data sets.
        packaged: Folder of the files included in the grader's package.
    """
    info = KNOWN.get(name)
    cache = keras_cache() if cache is None else cache

    def places() -> Iterator[tuple[str, Path]]:
        yield "package", packaged / f"{name}.npz"
        if info:
            complete = all((kept / name / file.name).is_file() for file in info.files)
            if complete:
                yield "downloaded", kept / name if len(info.files) > 1 else kept / name / info.files[0].name
        yield "imported", kept / name / "imported.npz"
        if info:
            yield from (("keras", cache / place) for place in info.caches)
            if name in _DEBIAN_NAMES:
                yield "debian", system / _DEBIAN_NAMES[name]

    return tuple(Source(kind=kind, path=path, info=info) for kind, path in places() if path.exists())
