"""A command that grades for hours stays small: freed arrays go back to the machine, and garbage is collected."""

import gc
import json
import subprocess
import sys
import weakref
from collections.abc import Iterator

import pytest

from grader.cli.memory import collecting
from grader.schema.progress import Step

_CODE = """
import json, numpy as np, psutil
from grader.cli.memory import give_memory_back
give_memory_back()
own = psutil.Process()
held = [np.ones(24 << 20, np.uint8) for _ in range(2)]
del held
small = []
before = own.memory_info().rss
for _ in range(8):
    held = [np.ones(24 << 20, np.uint8) for _ in range(4)]
    small.append(np.ones(1 << 18, np.uint8))
    del held
print(json.dumps(own.memory_info().rss - before))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux's C library")
def test_freed_arrays_are_not_kept() -> None:
    done = subprocess.run([sys.executable, "-c", _CODE], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) < 24 << 20


class Page:
    """A page that is part of a reference cycle."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _only_when_asked() -> Iterator[None]:
    """Let nothing else collect garbage."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize(
    ("kind", "mib", "kept"),
    [("done", 133, False), ("done", 131, True), ("working", 133, True)],
    ids=["has grown", "has not grown", "is at work"],
)
def test_garbage_is_collected_if_the_process_has_grown(kind: str, mib: int, *, kept: bool) -> None:
    sizes, heard = iter([100, mib, 100]), list[Step]()
    listener = collecting(heard.append, lambda: next(sizes) << 20)
    page = weakref.ref(Page())
    step = Step("ada", kind)  # type: ignore[arg-type]  # one of its kinds
    listener(step)
    assert heard == [step]
    assert (page() is not None) == kept


def test_the_next_collection_waits_for_further_growth() -> None:
    sizes = iter([100, 133, 120, 150, 153, 120])
    listener = collecting(lambda _: None, lambda: next(sizes) << 20)
    alive = []
    for _ in range(3):
        page = weakref.ref(Page())
        listener(Step("ada", "done"))
        alive.append(page() is not None)
    assert alive == [False, True, False]
