"""The samples: percent-format notebooks in `samples/TOPIC/NAME.py`, and submissions that a function writes."""

import importlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.hostile.expected import Combination, Must, Sample

__all__ = [
    "SAMPLES",
    "Traps",
    "Written",
    "all_samples",
    "built",
    "notebook_of",
    "read_sample",
    "snippet",
    "write_notebook",
]

SAMPLES = Path(__file__).parent / "samples"
_FENCE = "# ---"
_CELL = "# %%"
_INCLUDE = "# include "
_MODULES = ("files", "model_files", "notebook_files")
"""Modules of this folder that declare samples with `built`."""

Traps = Mapping[str, str]
"""Names of things of the host that a sample tries to reach (`@folder@`, `@port@` …) → where they are."""
Write = Callable[[Path, Traps], None]


@dataclass(frozen=True)
class Written:
    """A sample and the function that writes its files into an empty folder."""

    sample: Sample
    write: Write

    def takes_part(self, combination: Combination) -> bool:
        """Whether the sample can be judged in this combination."""
        return not self.sample.only or combination in self.sample.only


_BUILT: dict[str, Written] = {}


def built(topic: str, tries: str, must: Must, *, source: str = "", name: str = "") -> Callable[[Write], Write]:
    """Declare a function that writes the files of a sample; the sample has the function's name.

    Args:
        topic: Its heading in the list of samples.
        tries: What the student tries.
        must: What must happen.
        source: A CVE, or another public name.
        name: By default the function's name.
    """

    def declare(write: Write) -> Write:
        own = name or write.__name__.replace("_", "-")
        sample = Sample(name=own, topic=topic, tries=tries, must=must, source=source)
        if own in _BUILT:
            message = f"two samples are named {own}"
            raise ValueError(message)
        _BUILT[own] = Written(sample, write)
        return write

    return declare


def all_samples() -> dict[str, Written]:
    """Read the whole corpus.

    Returns:
        Each sample by its name, in the order of names.

    Raises:
        ValueError: A header is missing or wrong, or two samples have the same name.
    """
    for module in _MODULES:
        importlib.import_module(f"tests.hostile.{module}")
    found = dict(_BUILT)
    for path in sorted(SAMPLES.glob("*/*.py")):
        written = read_sample(path)
        if written.sample.name in found:
            message = f"{path}: two samples have this name"
            raise ValueError(message)
        found[written.sample.name] = written
    return dict(sorted(found.items()))


def read_sample(path: Path) -> Written:
    """Read a notebook in percent format with its header.

    Args:
        path: The file; its name and the name of its folder are the sample's name and topic.

    Raises:
        ValueError: The header is missing or wrong.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    if lines[:1] != [_FENCE] or _FENCE not in lines[1:]:
        message = f"{path}: the file must begin with a header between two lines `{_FENCE}`"
        raise ValueError(message)
    end = lines.index(_FENCE, 1)
    header = yaml.safe_load("\n".join(line.removeprefix("#").removeprefix(" ") for line in lines[1:end]))
    sample = Sample.model_validate({"name": path.stem, "topic": path.parent.name, **header})
    cells = tuple(_cells([whole for line in lines[end + 1 :] for whole in _included(line)]))

    def write(folder: Path, traps: Traps) -> None:
        write_notebook(folder / "work.ipynb", *(_with(traps, text) for text in cells))

    return Written(sample, write)


def snippet(name: str, traps: Traps) -> str:
    """Return the code of a snippet, for a sample that a function writes."""
    return _with(traps, "\n".join(_included(f"{_INCLUDE}{name}")))


def _included(line: str) -> list[str]:
    """Replace a line `# include NAME` by the file `snippets/NAME.py`."""
    if not line.startswith(_INCLUDE):
        return [line]
    path = SAMPLES.parent / "snippets" / f"{line.removeprefix(_INCLUDE).strip()}.py"
    return path.read_text(encoding="utf-8").splitlines()


def _cells(lines: list[str]) -> Iterator[str]:
    """Split at the lines `# %%`."""
    cell: list[str] = []
    for line in lines:
        if line.startswith(_CELL):
            if any(map(str.strip, cell)):
                yield "\n".join(cell).strip("\n")
            cell = [line] if "[markdown]" in line else []
        else:
            cell.append(line)
    if any(map(str.strip, cell)):
        yield "\n".join(cell).strip("\n")


def _with(traps: Traps, text: str) -> str:
    for name, place in traps.items():
        text = text.replace(f"@{name}@", place)
    return text


def notebook_of(*cells: str) -> dict[str, object]:
    """Make the JSON of a notebook; a cell that begins with `# %% [markdown]` is text."""
    made: list[dict[str, object]] = []
    for number, text in enumerate(cells):
        cell: dict[str, object] = {"id": f"c{number}", "metadata": {}}
        if text.startswith(f"{_CELL} [markdown]"):
            words = [line.removeprefix("#").removeprefix(" ") for line in text.splitlines()[1:]]
            cell |= {"cell_type": "markdown", "source": "\n".join(words)}
        else:
            cell |= {"cell_type": "code", "source": text, "outputs": [], "execution_count": None}
        made.append(cell)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": made}


def write_notebook(path: Path, *cells: str) -> None:
    """Write a notebook with the cells."""
    path.write_text(json.dumps(notebook_of(*cells), indent=1), encoding="utf-8")
