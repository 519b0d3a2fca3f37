"""Serve the course's data sets from a read-only folder, whichever function a notebook loads them with."""

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import wrapt

from ..hooking.imports import StandInFinder, after_import, prefer, replace_everywhere
from ..record.events import Dataset
from ..record.notes import notes_of
from ..record.recorder import Recorder
from . import openml, tfds

__all__ = ["DatasetNotProvidedError", "DownloadRefusedError", "Server", "Split", "install", "known_name"]

Split = tuple[np.ndarray, np.ndarray]
"""Images and labels."""

KERAS_DATASETS = (
    "mnist",
    "fashion_mnist",
    "cifar10",
    "cifar100",
    "boston_housing",
    "california_housing",
    "imdb",
    "reuters",
)
COLUMN_LABELS = frozenset({"cifar10", "cifar100"})
"""Data sets whose labels have the shape (n, 1) in Keras."""


class DatasetNotProvidedError(RuntimeError):
    """Error of loading a data set that the course did not provide."""


class DownloadRefusedError(OSError):
    """Error of downloading a file without a network."""


def known_name(name: str) -> str:
    """Convert the spellings of a data set's name to Keras's, such as `Fashion-MNIST` to `fashion_mnist`."""
    plain = name.lower().replace("-", "_").replace(" ", "_")
    return {"cifar_10": "cifar10", "cifar_100": "cifar100", "fashionmnist": "fashion_mnist"}.get(plain, plain)


class Server:
    """Server that loads data sets and records each request."""

    def __init__(self, recorder: Recorder) -> None:
        """Serve the data sets that the session lists.

        Args:
            recorder: Holds the session's `data` folder and its `datasets`; `dataset` events go to its log.
        """
        self._recorder = recorder
        self._session = recorder.session
        self._writes = False

    def load(self, name: str, via: str) -> tuple[Split, Split]:
        """Load a data set like Keras's `load_data`.

        Args:
            name: The data set, in any spelling that `known_name` accepts.
            via: The student's call, for the record.

        Returns: `(x_train, y_train), (x_test, y_test)`: plain arrays over copy-on-write pages, so they can be changed
        in place and use no memory until then.

        Raises:
            DatasetNotProvidedError: The course did not provide it.
        """
        __tracebackhide__ = True
        dataset = known_name(name)
        if dataset not in self._session.datasets:
            raise self._refused(dataset, via, f"this course provides {self._provided()}")
        folder = self._session.data / dataset
        try:
            splits = self._split(folder, dataset, "train"), self._split(folder, dataset, "test")
        except (OSError, ValueError) as error:
            raise self._refused(dataset, via, f"the grader could not read its copy ({type(error).__name__})") from error
        self._record(dataset, via, served=True)
        return splits

    def _split(self, folder: Path, dataset: str, split: str) -> Split:
        x, y = (
            np.asarray(np.load(folder / f"{part}_{split}.npy", mmap_mode="c", allow_pickle=False))
            for part in ("x", "y")
        )
        return x, y.reshape(-1, 1) if dataset in COLUMN_LABELS else y

    def archive(self, name: str, via: str, place: Path | None = None) -> str:
        """Write a data set as the `.npz` file that Keras would download.

        Args:
            name: The data set.
            via: The student's call, for the record.
            place: The file to write; by default a temporary one.

        Returns:
            The file's path.

        Raises:
            DatasetNotProvidedError: The course did not provide it.
        """
        # The look for the file must not ask `cached` for it.
        self._writes = True
        try:
            (x_train, y_train), (x_test, y_test) = self.load(name, via)
            path = place or Path(tempfile.gettempdir()) / f"served-{os.getpid()}" / f"{known_name(name)}.npz"
            if not path.is_file():
                path.parent.mkdir(parents=True, exist_ok=True)
                np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
        finally:
            self._writes = False
        return str(path)

    def archived(self, file: object) -> str | None:
        """Return the data set whose archive a path or address names, if the course provides it.

        Args:
            file: A path or an address; any other value names no archive.
        """
        if not isinstance(file, (str, os.PathLike)):
            return None
        base = os.fspath(file)
        if not isinstance(base, str) or not base.endswith(".npz"):
            return None
        name = known_name(base.replace("\\", "/").rpartition("/")[2].removesuffix(".npz"))
        return name if name in self._session.datasets else None

    def cached(self, path: object) -> str | None:
        """Write the archive of a data set to Keras's cache, when a notebook opens a missing file there.

        Args:
            path: The path of the file.

        Returns:
            The path; None for a path outside of the cache, or for a data set without an archive.
        """
        name = None if self._writes else self.archived(path)
        place = Path(str(path))
        if name is None or not place.is_relative_to(Path("~/.keras/datasets").expanduser()):
            return None
        try:
            return self.archive(name, "a file in ~/.keras/datasets", place)
        except OSError:
            return None

    def _provided(self) -> str:
        calls = [f"`keras.datasets.{name}.load_data()`" for name in self._session.datasets]
        return " and ".join(filter(None, (", ".join(calls[:-1]), *calls[-1:]))) or "none"

    def _refused(self, dataset: str, via: str, why: str) -> DatasetNotProvidedError:
        self._record(dataset, via, served=False, detail=why)
        return DatasetNotProvidedError(f"the data set {dataset!r} cannot be loaded here: {why}")

    def _record(self, dataset: str, via: str, *, served: bool, detail: str = "") -> None:
        # An error of the recording must not prevent the student's access to the data.
        with suppress(OSError, ValueError):
            event = Dataset(kind="dataset", dataset=dataset, via=via, served=served, detail=detail)
            self._recorder.log.write(event)


def install(recorder: Recorder) -> Server:
    """Serve every usual way to load a data set, starting with the import of its module.

    Args:
        recorder: Holds the session; receives the `dataset` events.

    Returns:
        The server.
    """
    server = Server(recorder)
    for name in KERAS_DATASETS:
        for package in ("keras", "tf_keras"):
            _serve_keras(server, package, name)
    for module in ("keras.src.utils.file_utils", "tf_keras.src.utils.data_utils"):
        _serve_get_file(server, recorder, module)
    _serve_numpy(server)
    prefer(StandInFinder(tfds.modules(server.load, recorder.session.datasets, notes_of(recorder))))
    openml.install(server.load, frames=recorder.session.openml_frames)
    return server


def _serve_keras(server: Server, package: str, name: str) -> None:
    via = f"keras.datasets.{name}.load_data"

    def load_data(*args: Any, **kwargs: Any) -> tuple[Split, Split]:
        __tracebackhide__ = True  # IPython omits this frame from the student's traceback
        # `path`, `cache_dir` and `label_mode` control the download; here there is only one copy.
        del args, kwargs
        return server.load(name, via)

    def hook(module: ModuleType) -> None:
        original = module.load_data
        load_data.__doc__ = original.__doc__
        module.load_data = load_data  # type: ignore[attr-defined]
        replace_everywhere(original, load_data, "load_data", ("keras", "tf_keras", "tensorflow"))

    # Every public path re-exports the function of this one module.
    wrapt.register_post_import_hook(hook, f"{package}.src.datasets.{name}")


def _serve_get_file(server: Server, recorder: Recorder, module_name: str) -> None:
    def get_file(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        del instance
        names = ("fname", "origin", "untar", "md5_hash", "file_hash", "cache_subdir")
        arguments = dict(zip(names, args, strict=False)) | kwargs
        fname, origin = arguments.get("fname"), arguments.get("origin")
        name = server.archived(fname) or server.archived(origin)
        if name:
            return server.archive(name, "keras.utils.get_file", _cached(arguments))
        try:
            return wrapped(*args, **kwargs)
        except Exception as error:
            if not str(origin).startswith(("http://", "https://", "ftp://")):
                raise
            message = (
                f"{origin} cannot be downloaded: there is no network during grading. "
                "Submit the file together with the notebook and open it by its name."
            )
            notes_of(recorder).tell("download", message)
            raise DownloadRefusedError(message) from error

    def hook(module: ModuleType) -> None:
        original = module.get_file
        wrapt.wrap_function_wrapper(module, "get_file", get_file)
        replace_everywhere(original, module.get_file, "get_file", ("keras", "tf_keras", "tensorflow"))

    after_import(module_name, hook)


def _cached(arguments: Mapping[str, Any]) -> Path | None:
    """Return the place of a downloaded file in the cache of `get_file`; None if it cannot be written."""
    name = str(arguments.get("fname") or arguments.get("origin")).replace("\\", "/").rpartition("/")[2]
    cache = Path(str(arguments.get("cache_dir") or "~/.keras")).expanduser()
    place = cache / str(arguments.get("cache_subdir") or "datasets") / name
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return place


def _serve_numpy(server: Server) -> None:
    def load(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        __tracebackhide__ = True  # IPython omits this frame from the student's traceback
        del instance
        try:
            return wrapped(*args, **kwargs)
        except FileNotFoundError:
            name = server.archived(args[0] if args else kwargs.get("file"))
            if name is None:
                raise
            path = server.archive(name, "numpy.load")
        return wrapped(path, *args[1:], **{key: value for key, value in kwargs.items() if key != "file"})

    wrapt.wrap_function_wrapper(np, "load", load)
