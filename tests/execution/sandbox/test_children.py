"""Children are found by the lists of their parents, and on any Linux."""

import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from grader.execution.sandbox import children
from grader.execution.sandbox.children import children_of, with_descendants
from tests.support.waiting import until

_FAMILY = """
import os, threading, time
def child():
    if os.fork() == 0:
        if os.fork() == 0:
            time.sleep(600)
        time.sleep(600)
threading.Thread(target=child).start()
child()
print("made", flush=True)
time.sleep(600)
"""


@pytest.fixture
def family() -> Iterator[psutil.Process]:
    """A process with two children, one of another thread, and two grandchildren."""
    with subprocess.Popen([sys.executable, "-c", _FAMILY], stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        started.stdout.readline()
        root = psutil.Process(started.pid)
        yield root
        for process in [*root.children(recursive=True), root]:
            process.kill()


@pytest.mark.parametrize("listed", [True, False])
def test_the_whole_family_is_found(family: psutil.Process, monkeypatch: pytest.MonkeyPatch, *, listed: bool) -> None:
    if not listed:

        def missing(pid: int) -> list[int]:
            raise FileNotFoundError(pid)

        monkeypatch.setattr(children, "_listed", missing)
    wanted = until_five(family)
    assert set(children_of(family)) == set(family.children())
    assert set(with_descendants(family)) == wanted
    assert with_descendants(family)[0] == family


def until_five(family: psutil.Process) -> set[psutil.Process]:
    """Wait for both grandchildren."""
    until(lambda: len(family.children(recursive=True)) == 4)
    return {family, *family.children(recursive=True)}


def test_an_ended_process_has_none() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as started:
        ended = psutil.Process(started.pid)
    assert with_descendants(ended) == []
    with pytest.raises(psutil.NoSuchProcess):
        children_of(ended)
