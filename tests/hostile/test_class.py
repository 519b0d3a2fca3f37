"""The corpus as one class, graded for real: everybody gets what the header says, and nobody harms another."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.execution.sandbox.scratch import remove_tree
from tests.hostile.corpus import Written, all_samples
from tests.hostile.expected import Combination
from tests.hostile.judging import class_faults, faults
from tests.hostile.running import ClassRun, as_user, graded_class
from tests.support.command import needs_bubblewrap

pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.bubblewrap,
    pytest.mark.tensorflow,
    pytest.mark.timeout(1800),
]

CORPUS = all_samples()
COMBINATIONS: list[Combination] = ["warm-root", "cold-user"] if os.geteuid() == 0 else ["warm-user", "cold-user"]
"""`python -m tests.hostile --all` runs all four; these two have each start and each user once."""
OF_THE_SANDBOX = {"honest", "kernel", "machine", "record", "resources"}
"""Topics that depend on how the kernel starts, or on its user; the second class has only these, to save time."""


@pytest.fixture(scope="module", params=COMBINATIONS)
def run(request: pytest.FixtureRequest) -> Iterator[ClassRun]:
    """The class after it was graded with two jobs."""
    needs_bubblewrap()
    try:
        with as_user(request.param.partition("-")[2]):
            pass
    except OSError as error:
        pytest.skip(f"root cannot become another user here: {error}")
    folder = Path(tempfile.mkdtemp(prefix="hostile-"))
    folder.chmod(0o755)
    samples = [written for written in CORPUS.values() if _takes_part(written, request.param)]
    try:
        with graded_class(samples, folder, request.param) as graded:
            yield graded
    finally:
        remove_tree(folder)


def _takes_part(written: Written, combination: Combination) -> bool:
    whole = combination == COMBINATIONS[0] or written.sample.topic in OF_THE_SANDBOX
    return whole and written.takes_part(combination)


def test_without_a_sandbox_the_same_samples_do_harm(tmp_path: Path) -> None:
    samples = [CORPUS[name] for name in ("host-files", "network", "variables")]
    with graded_class(samples, tmp_path / "class", "cold-root", isolation="none") as run:
        harm = " ".join(class_faults(run))
        found = {written.sample.name: " ".join(faults(run, written.sample)) for written in samples}
    assert "files were made in a folder of the machine: ['inner.sock', 'mark-host-files', 'secret.txt']" in harm
    assert "something connected to" in harm
    assert "the secret of the variable is in executed.ipynb" in found["variables"]
    assert "the secret of the file is in executed.ipynb" in found["host-files"]
    assert "the outputs do not match 'loopback" in found["network"]


def test_the_machine_and_the_class_are_unharmed(run: ClassRun) -> None:
    assert class_faults(run) == []


@pytest.mark.parametrize("written", [pytest.param(written, id=name) for name, written in CORPUS.items()])
def test_a_sample_gets_what_it_must(run: ClassRun, written: Written) -> None:
    if not _takes_part(written, run.combination):
        pytest.skip(f"it is not in the class {run.combination}")
    assert faults(run, written.sample) == []
