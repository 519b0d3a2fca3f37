"""The course of the corpus: a small data set, a rubric, and traps on the machine that no sample may reach."""

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from grader.datasets.store import DatasetStore

__all__ = ["DATASET", "RUBRIC", "Course", "make_course"]

DATASET = "tiny"
RUBRIC = """\
version: 1
id: hostile
title: A class among which some are hostile
dataset: tiny
run: {{dialect: keras3, seed: 7, time: 40 s, fit_time: 20 s, memory: 1536 MiB, disk: 256 MiB, processes: 120,
      kept_models: 64 MiB, predictor_time: 60 s, predictor_memory: 2 GiB}}
roles:
  network: {{pick: last_trained}}
criteria:
  - {{id: runs, title: The notebook runs, points: 1, check: runs}}
  - {{id: input, title: The input has the shape of the images, points: 1, check: input_shape,
     with: {{model: network, shape: [28, 28, 1]}}}}
  - {{id: convolution, title: There is a convolution, points: 1, check: has_layer,
     with: {{model: network, layer: any_convolution}}}}
  - {{id: dropout, title: There is dropout, points: 1, check: has_layer, with: {{model: network, layer: any_dropout}}}}
  - {{id: trained, title: It is trained on the training images, points: 1, check: trained,
     with: {{model: network, epochs_at_least: 2, only_split: train, rows_at_least: 300, loss_falls: true}}}}
  - {{id: accuracy, title: It recognizes the test images, points: 10, check: accuracy,
     with: {{model: network, split: test, at_least: 0.9, require_verified: true}}}}
  - {{id: curve, title: The loss is plotted, points: 1, check: plots, with: {{model: network, metric: loss}}}}
  - {{id: words, title: {secret}, points: 1, check: text, hidden: true, with: {{any: [{secret}]}}}}
"""
_TRAIN, _TEST = 400, 200


@dataclass(frozen=True)
class Course:
    """The files of a course in a folder, with everything that a notebook must not reach.

    Attributes:
        folder: Contains all of it.
        traps: Place of each trap, by the name that samples use.
        secrets: Random words in files, variables and the rubric.
    """

    folder: Path
    traps: dict[str, str]
    secrets: dict[str, str]
    sockets: tuple[socket.socket, ...]

    @property
    def rubric(self) -> Path:
        """Return the rubric."""
        return self.folder / "rubric.yaml"

    @property
    def home(self) -> Path:
        """Return the home folder of the person who grades."""
        return self.folder / "home"

    def environment(self) -> dict[str, str]:
        """Return the variables for the command."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GRADER_", "PYTEST", "COV"))}
        own = {"HOME": str(self.home), "GRADER_DATA": str(self.folder / "data"), "COLUMNS": "200", "LANG": "C.UTF-8"}
        return {**kept, **own, "COURSE_PASSWORD": self.secrets["variable"]}

    def harm(self) -> Iterator[str]:
        """Describe what was reached or changed on this machine."""
        marks = sorted(path.name for path in (self.folder / "host").iterdir())
        if marks != ["inner.sock", "secret.txt"]:
            yield f"files were made in a folder of the machine: {marks}"
        if (self.folder / "host" / "secret.txt").read_text(encoding="utf-8") != self.secrets["file"]:
            yield "a file of the machine was changed"
        names = sorted(str(path.relative_to(self.home)) for path in self.home.rglob("*") if path.is_file())
        strange = [name for name in names if name != ".ssh/id_ed25519" and not name.startswith((".cache/", ".config/"))]
        if strange:
            yield f"files were made in the home folder: {strange}"
        for listener in self.sockets:
            try:
                listener.accept()[0].close()
                yield f"something connected to {listener.getsockname()!r}"
            except BlockingIOError:
                continue


def small_images(path: Path) -> Path:
    """Write a data set that a small network learns quickly: a pattern for each class, with noise."""
    rng = np.random.default_rng(7)
    patterns = rng.integers(0, 256, (10, 7, 7)).repeat(4, axis=1).repeat(4, axis=2)
    parts: dict[str, npt.NDArray[np.uint8]] = {}
    for split, rows in (("train", _TRAIN), ("test", _TEST)):
        labels = rng.permutation(np.arange(rows) % 10)
        images = np.clip(patterns[labels] * 0.7 + rng.normal(20, 40, (rows, 28, 28)), 0, 255)
        parts |= {f"x_{split}": images.astype(np.uint8), f"y_{split}": labels.astype(np.uint8)}
    np.savez(path, allow_pickle=False, **parts)
    return path


@contextmanager
def make_course(folder: Path) -> Iterator[Course]:
    """Make the course, and listen to the sockets of the machine while it is used."""
    words = {name: f"secret{secrets.token_hex(8)}" for name in ("file", "variable", "rubric", "key")}
    folder.mkdir(parents=True, exist_ok=True)
    host, home = folder / "host", folder / "home"
    host.mkdir(mode=0o777)
    host.chmod(0o777)
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id_ed25519").write_text(words["key"], encoding="utf-8")
    (host / "secret.txt").write_text(words["file"], encoding="utf-8")
    (host / "secret.txt").chmod(0o666)
    (folder / "rubric.yaml").write_text(RUBRIC.format(secret=words["rubric"]), encoding="utf-8")
    DatasetStore(folder / "data").import_file(DATASET, small_images(folder / "tiny.npz"))
    (folder / "tiny.npz").unlink()
    with ExitStack() as stack:
        internet = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
        abstract.bind(f"\0grader-hostile-{secrets.token_hex(4)}")
        named = stack.enter_context(socket.socket(socket.AF_UNIX))
        _bind(named, host, "inner.sock")
        for listener in (abstract, named):
            listener.listen()
        for listener in (internet, abstract, named):
            listener.settimeout(0)
        traps = {
            "folder": str(host),
            "home": str(home),
            "course": str(folder),
            "port": str(internet.getsockname()[1]),
            "abstract": abstract.getsockname().decode().removeprefix("\0"),
            "parent": str(os.getpid()),
            "token": f"hostile-{secrets.token_hex(6)}",
        }
        yield Course(folder, traps, words, (internet, abstract, named))


def _bind(listener: socket.socket, folder: Path, name: str) -> None:
    """Bind to a name in a folder whose path may be too long for a socket."""
    descriptor = os.open(folder, os.O_PATH)
    try:
        listener.bind(f"/proc/self/fd/{descriptor}/{name}")
    finally:
        os.close(descriptor)
    (folder / name).chmod(0o777)
