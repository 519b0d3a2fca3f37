"""Progress of a training, read from the record of a running notebook."""

import json
import os
from pathlib import Path
from typing import Any

from grader.execution.training_watch import TrainingWatch


def add(path: Path, *events: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)


def test_the_epoch_that_runs_is_told_with_the_number_asked_for(tmp_path: Path) -> None:
    record = tmp_path / "events.jsonl"
    watch = TrainingWatch(record)
    assert watch.look() is None
    add(record, {"kind": "start"}, {"kind": "fit_start", "fit": 1, "epochs": 5})
    assert watch.look() == (1, 5)
    add(record, {"kind": "epoch", "fit": 1, "epoch": 1}, {"kind": "epoch", "fit": 1, "epoch": 2})
    assert watch.look() == (3, 5)
    assert watch.look() == (3, 5)
    add(record, *({"kind": "epoch", "fit": 1, "epoch": epoch} for epoch in (3, 4, 5)))
    assert watch.look() == (5, 5)
    add(record, {"kind": "fit_end", "fit": 1})
    assert watch.look() is None


def test_a_half_written_line_waits_for_its_end(tmp_path: Path) -> None:
    record = tmp_path / "events.jsonl"
    line = json.dumps({"kind": "fit_start", "fit": 1, "epochs": 5})
    watch = TrainingWatch(record)
    record.write_text(line[:20])
    assert watch.look() is None
    record.write_text(line + "\n")
    assert watch.look() == (1, 5)


def test_nonsense_in_the_record_is_passed_over(tmp_path: Path) -> None:
    record = tmp_path / "events.jsonl"
    record.write_bytes(
        b'"epoch"\n{"kind": "epoch"}\n{"kind": "epoch", "fit": [], "epoch": 1}\n{"epoch": \n\xff"epoch"\n'
        b'{"kind": "epoch", "fit": 1, "epoch": "x"}\n' + b"[" * 100_000 + b'"epoch"\n' + b"y" * (600 << 10) + b"\n"
    )
    watch = TrainingWatch(record)
    for _ in range(5):
        assert watch.look() is None
    add(record, {"kind": "fit_start", "fit": 2, "epochs": None})
    assert watch.look() == (1, None)


def test_what_is_no_plain_file_is_not_opened(tmp_path: Path) -> None:
    real = tmp_path / "real.jsonl"
    add(real, {"kind": "fit_start", "fit": 1, "epochs": 5})
    link, pipe = tmp_path / "link.jsonl", tmp_path / "pipe.jsonl"
    link.symlink_to(real)
    os.mkfifo(pipe)
    assert TrainingWatch(link).look() is None
    assert TrainingWatch(pipe).look() is None
    assert TrainingWatch(tmp_path).look() is None
