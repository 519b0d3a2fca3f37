"""Real documents that the targets damage."""

import json
import lzma
import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from grader.datasets.store import DatasetStore
from grader.pipeline.course import Course, load_course
from grader.pipeline.rubrics import find_rubric
from grader.resources import share
from tests.support.layouts import LAYOUTS, packed

__all__ = ["chosen", "course", "grades", "layouts", "notebooks", "records", "sources", "texts_of_files", "zips"]

_HERE = Path(__file__).parent
_NOTEBOOKS = _HERE.parent / "notebooks"
_SAMPLES = _HERE.parent / "delivery" / "sample_results.json.xz"


def notebooks() -> Sequence[bytes]:
    """Notebooks of the examples and of the tests, in several versions of the format."""
    shipped = [path.read_bytes() for path in sorted(share("examples").rglob("*.ipynb"))[:6]]
    return [*shipped, *(path.read_bytes() for path in sorted(_NOTEBOOKS.glob("*.ipynb")))]


def sources() -> Sequence[bytes]:
    """Code and texts of cells."""
    found: list[bytes] = []
    for content in notebooks():
        try:
            cells = json.loads(content).get("cells", [])
        except ValueError:
            continue
        found += ["".join(cell["source"]).encode() for cell in cells]
    return [
        *found,
        b"%matplotlib inline\n!pip install x\nfiles = !ls\nx?\n%%time\nfit()",
        b"x = 1\nif x:\n    y = 'a'\n",
    ]


def records() -> Sequence[bytes]:
    """Records that executions wrote: `events.jsonl`."""
    return [lzma.decompress(path.read_bytes()) for path in sorted((_HERE / "seeds").glob("record-*.jsonl.xz"))]


@cache
def _samples() -> dict[str, dict[str, dict[str, object]]]:
    samples: dict[str, dict[str, dict[str, object]]] = json.loads(lzma.decompress(_SAMPLES.read_bytes()))
    return samples


def grades(document: str = "grade") -> Sequence[bytes]:
    """Stored documents of the sample submissions.

    Args:
        document: `grade` or `evidence`.
    """
    every = [json.dumps(one[document]).encode() for works in _samples().values() for one in works.values()]
    return sorted(every, key=len)[:6]


def layouts() -> Sequence[bytes]:
    """Classes as platforms pack them: JSON objects of path and content."""
    return [json.dumps({"top": one.top, "files": one.files}).encode() for one in LAYOUTS.values()]


def zips() -> Sequence[bytes]:
    """The same classes as zips, with names in several encodings."""
    with TemporaryDirectory() as folder:
        return [packed(Path(folder, "class.zip"), one.files).read_bytes() for one in LAYOUTS.values()]


def texts_of_files(*patterns: str) -> Sequence[bytes]:
    """Contents of files of this project, such as its documentation."""
    root = _HERE.parents[1]
    return [path.read_bytes()[:20_000] for pattern in patterns for path in sorted(root.glob(pattern))[:8]]


@cache
def course(rubric: str = "parameter-golf") -> Course:
    """A course with its data, loaded once."""
    return load_course(find_rubric(rubric), DatasetStore())


def chosen(document: bytes, most: int) -> int:
    """Choose a number below `most` that depends only on the document."""
    return random.Random(document).randrange(most)  # noqa: S311 - not for secrets
