"""Images that only the steps of a training use are found, and honest steps of the student's own raise no doubt."""

import gc
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from grader.evidence.arraybook import ArrayBook
from grader.evidence.artefacts import ArtefactFolder
from grader.evidence.claims import Moment, claim
from grader.evidence.provenance import make_index
from grader.evidence.trainings import TrainingLog
from grader.facts.step_data import step_doubts
from grader.inside.hooking.guard import Guard
from grader.inside.record.events import FitEnd, FitStart
from grader.inside.watch.seen_images import SeenImages
from grader.inside.watch.step_data import StepWatch

SCRIPT = Path(__file__).parents[2] / "notebooks" / "cells" / "steps.py"


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize("dialect", ["keras3", "keras2"])
def test_only_test_images_and_unknown_data_of_steps_are_doubtful(
    dialect: str, tmp_path: Path, small_mnist: Path, kernel_tools: Any
) -> None:
    # AutoGraph reads the text of functions, so the script runs as a file.
    script = f"import runpy; runpy.run_path({str(SCRIPT)!r})"
    events = kernel_tools.run_script(script, kernel_tools.write_session(tmp_path, small_mnist, dialect))
    assert [event for event in events if event["kind"] == "gap"] == []
    names, problems = json.loads((tmp_path / "names.json").read_text(encoding="utf-8"))
    assert problems == {}
    doubts = _doubts(events, tmp_path / "out", small_mnist / "mnist")
    found = {name: doubts[cell] for cell, name in enumerate(names, 1)}
    honest = {name: not any(each) for name, each in found.items() if name.startswith("honest")}
    others = {name: all(each) for name, each in found.items() if not name.startswith("honest")}
    wrong = {name: found[name] for name, right in (honest | others).items() if not right or not found[name]}
    assert wrong == {}


def test_what_was_passed_to_a_function_counts_until_the_end_of_the_cell_after_its_graph_is_gone() -> None:
    known = SimpleNamespace(shapes=[(28, 28)])
    rows = SimpleNamespace(known_images=known, describe_rows=lambda prints, *_: prints.tolist())
    book: Any = SimpleNamespace(alive=list, weights=list)
    watch = StepWatch(book, cast("Any", rows), Guard())
    handle = _Handle()
    model = _Model(handle)
    graph = _Graph(handle)
    watch._graphs._given[graph] = SeenImages(seen={5, 9})
    watch._graphs._read(graph, None)
    del graph
    gc.collect()
    assert len(watch._graphs._given) == 0
    described: Any = watch.describe_loop(model)
    assert described["rows"] == [5, 9]
    watch.cell_ended()
    assert watch.describe_loop(model) is None


class _Handle:
    """The handle of a small variable."""

    dtype = SimpleNamespace(name="resource")
    _handle_data = SimpleNamespace(shape_and_type=[SimpleNamespace(shape=SimpleNamespace(dim=[]), dtype=1)])

    def __str__(self) -> str:
        return 'type="tensorflow::Var"'


class _Model:
    """A model with one weight."""

    def __init__(self, handle: _Handle) -> None:
        self.weights = [SimpleNamespace(handle=handle)]


class _Graph:
    """A traced graph that only captures a variable."""

    def __init__(self, handle: _Handle) -> None:
        self.captures = [(handle, None)]

    def as_graph_def(self) -> Any:
        return SimpleNamespace(node=[], library=SimpleNamespace(function=[]))


def _doubts(events: list[dict[str, Any]], out: Path, data: Path) -> dict[int, list[str]]:
    """Return the ids of the doubts about each training, by cell."""
    parts = {name: np.load(data / f"{name}.npy") for name in ("x_train", "y_train", "x_test", "y_test")}
    index = make_index("mnist", **parts, fingerprints=np.load(data / "fingerprints.npy"))
    log = TrainingLog(ArrayBook(ArtefactFolder(out), {"mnist": index}))
    for event in events:
        if event["kind"] in {"fit_start", "fit_end"}:
            at = Moment(event["n"], event["cell"])
            if event["kind"] == "fit_start":
                log.start(claim(FitStart, event), at)
            else:
                log.end(claim(FitEnd, event), at)
    found: dict[int, list[str]] = {}
    for fit in log.facts():
        told = [str(doubt.id) for doubt in step_doubts([fit], "mnist", lambda split: split == "test")]
        rows = fit.x.rows if fit.x is not None else None
        told += ["trained on test images"] if rows is not None and rows.counts.get("test") else []
        found.setdefault(fit.cell or 0, []).append(told[0] if told else "")
    return found
