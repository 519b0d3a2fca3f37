"""Several attempts on the disk."""

import errno
import os
from pathlib import Path

import pytest

from grader.schema.errors import StorageError
from grader.schema.evidence import Evidence
from grader.schema.submission import Run
from grader.store.attempts import AttemptsFolder
from grader.store.results import ResultsFolder


def keep(out: ResultsFolder, name: str, seed: int) -> None:
    """Keep a small execution with a model of 1 KiB."""
    run = Run(status="completed", seconds=1, cells_run=1, cells_total=1, isolation="none", seed=seed, dialect="keras3")
    filled = out.new_evidence_folder(name)
    (filled / "models").mkdir()
    (filled / "models" / "m1.keras").write_bytes(bytes([seed]) * 1024)
    out.adopt_evidence(name, filled)
    out.write_evidence(name, Evidence(run=run))
    out.write_executed(name, f"notebook {seed}")


def model(out: ResultsFolder, name: str) -> Path:
    return out.evidence_folder(name) / "models" / "m1.keras"


@pytest.fixture
def out(tmp_path: Path) -> ResultsFolder:
    """A results folder in which ann was executed once, with seed 1."""
    results = ResultsFolder(tmp_path)
    keep(results, "ann", 1)
    return results


def test_what_a_single_execution_left_becomes_attempt_one_and_stays_in_its_place(out: ResultsFolder) -> None:
    folder = AttemptsFolder(out, "ann")
    assert not folder.exists()
    folder.begin()
    folder.begin()
    assert folder.numbers() == (1,)
    assert folder.each.executed_path("1").read_text(encoding="utf-8") == "notebook 1"
    assert model(out, "ann").samefile(model(folder.each, "1"))
    assert sorted(path.name for path in out.folder("ann").iterdir()) == ["attempts", "evidence", "executed.ipynb"]


def test_the_attempt_taken_is_the_submission_s_and_nothing_is_kept_twice(out: ResultsFolder) -> None:
    folder = AttemptsFolder(out, "ann")
    folder.begin()
    keep(folder.each, "2", 2)
    for number in (2, 1, 2, 2):
        folder.take(number)
        evidence = out.read_evidence("ann")
        assert evidence is not None
        assert evidence.run.seed == number
        assert out.executed_path("ann").read_text(encoding="utf-8") == f"notebook {number}"
        assert model(out, "ann").samefile(model(folder.each, str(number)))
    assert folder.numbers() == (1, 2)
    assert sorted(path.name for path in out.folder("ann").iterdir()) == ["attempts", "evidence", "executed.ipynb"]


def test_a_file_system_without_second_names_gets_copies(out: ResultsFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    folder = AttemptsFolder(out, "ann")
    folder.begin()
    keep(folder.each, "2", 2)
    folder.take(2)
    assert model(out, "ann").read_bytes() == model(folder.each, "2").read_bytes()
    assert not model(out, "ann").samefile(model(folder.each, "2"))


def test_a_full_disk_leaves_the_attempt_taken_before(out: ResultsFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = AttemptsFolder(out, "ann")
    folder.begin()
    keep(folder.each, "2", 2)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "link", full)
        with pytest.raises(StorageError, match="the disk is full"):
            folder.take(2)
    evidence = out.read_evidence("ann")
    assert evidence is not None
    assert evidence.run.seed == 1
    assert sorted(path.name for path in out.folder("ann").iterdir()) == ["attempts", "evidence", "executed.ipynb"]


def test_a_folder_that_was_never_finished_is_no_attempt(out: ResultsFolder) -> None:
    (out.folder("ann") / ".attempts-left" / "1").mkdir(parents=True)
    folder = AttemptsFolder(out, "ann")
    assert not folder.exists()
    folder.begin()
    assert not (out.folder("ann") / ".attempts-left").exists()


def test_a_submission_of_which_only_attempts_are_kept_is_listed_and_forgotten_whole(out: ResultsFolder) -> None:
    folder = AttemptsFolder(out, "bob")
    folder.begin()
    keep(folder.each, "1", 3)
    assert out.submissions() == ("ann", "bob")
    out.forget_evidence("bob")
    assert not folder.exists()
    assert out.submissions() == ("ann",)
