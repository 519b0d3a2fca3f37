"""Events, honest and hostile, become evidence."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import nbformat
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from grader.evidence.artefacts import ArtefactFolder
from grader.evidence.build import build_evidence
from grader.evidence.provenance import DatasetIndex
from grader.facts.language import english
from grader.schema.evidence import Evidence, FitFact
from grader.schema.message import say
from grader.schema.submission import CellError, Run
from tests.support.says import says, values

Event = dict[str, Any]
Make = Callable[..., list[Event]]

LAYER = {
    "name": "dense",
    "cls": "Dense",
    "output_shape": [10],
    "parameters": 7850,
    "trainable": True,
    "config": {"units": 10},
}
MODEL = {
    "id": "m1",
    "name": "model",
    "cls": "Sequential",
    "dialect": "keras3",
    "input_shape": [784],
    "output_shape": [10],
    "parameters": 7850,
    "trainable_parameters": 7850,
    "layers": [LAYER],
}
FIT = {"kind": "fit_start", "fit": 1, "model": "m1", "type": "fit", "epochs": 3}


class Record(Protocol):
    root: Path

    def array(self, images: NDArray[Any], **more: Any) -> Event: ...
    def labels(self, labels: NDArray[Any]) -> Event: ...


def notebook() -> Any:
    new = nbformat.v4
    return new.new_notebook(
        cells=[new.new_markdown_cell("# Title"), *(new.new_code_cell(f"x = {n}") for n in range(4))]
    )


def build(run: Run, events: list[Event], root: Path = Path("/nonexistent"), **more: Any) -> Evidence:
    given: dict[str, Any] = {"notebook": notebook(), "submitted": None, "indexes": {}} | more
    return build_evidence(run=run, events=events, arrays=ArtefactFolder(root), **given)


def test_a_record_becomes_models_compiles_and_fits_in_their_cells(run: Run, events: Make) -> None:
    evidence = build(
        run,
        events(
            {"kind": "start", "versions": {"keras": "3.15.1"}, "cell": 0},
            {"kind": "model", "model": MODEL, "cell": 1},
            {
                "kind": "compile",
                "model": "m1",
                "optimizer": {"cls": "Adam", "learning_rate": 0.001, "config": {}},
                "loss": {
                    "name": "sparse_categorical_crossentropy",
                    "from_logits": False,
                    "custom": False,
                    "config": {},
                },
                "metrics": ["accuracy"],
                "trainable": {"dense": True},
            },
            {**FIT, "compiled": 3, "digests": {"dense": "aa"}, "trainable": {"dense": True}, "cell": 3},
            {"kind": "epoch", "fit": 1, "epoch": 1, "logs": {"loss": 0.5}, "rate": 0.001, "seconds": 2.0},
            {
                "kind": "fit_end",
                "fit": 1,
                "status": "completed",
                "epochs": 1,
                "steps": 60,
                "seconds": 2.5,
                "history": {"loss": [0.5]},
                "rates": [0.001],
                "step_rates": [],
                "digests": {"dense": "bb"},
                "error": None,
            },
            {"kind": "end"},
        ),
    )
    assert evidence.problems == ()
    assert evidence.versions == {"keras": "3.15.1"}
    model, fit = evidence.models[0], evidence.fits[0]
    assert (model.cell, model.event, model.flat_layers()[0].config) == (1, 2, {"units": 10})
    assert (fit.cell, fit.event, fit.status, fit.epochs_done, fit.total_steps) == (4, 4, "completed", 1, 60)
    assert fit.changed_layers == ("dense",)
    compiled = evidence.compile_of(fit)
    assert compiled is not None
    assert compiled.cell == 2
    assert compiled.optimizer is not None
    assert (compiled.optimizer.learning_rate, compiled.metrics) == (0.001, ("accuracy",))


@pytest.mark.parametrize("cell", [0, -1, 4, 99, None, "2", 1.5, True])
def test_a_cell_that_was_not_executed_is_unknown(run: Run, cell: object) -> None:
    evidence = build(run, [{"n": 1, "cell": cell, "kind": "emulated", "form": "f", "message": "m"}])
    assert evidence.emulations[0].cell is None


def test_a_training_that_never_ended_has_the_history_of_its_epochs(run: Run, events: Make) -> None:
    killed = run.model_copy(update={"status": "died", "reason": "the kernel ended"})
    evidence = build(
        killed,
        events(
            FIT,
            {
                "kind": "epoch",
                "fit": 1,
                "epoch": 1,
                "logs": {"loss": 0.5, "accuracy": 0.8},
                "rate": 0.1,
                "seconds": 2.0,
            },
            {
                "kind": "epoch",
                "fit": 1,
                "epoch": 2,
                "logs": {"loss": None, "accuracy": 0.9},
                "rate": 0.1,
                "seconds": 3.0,
            },
        ),
    )
    fit = evidence.fits[0]
    assert (fit.status, fit.epochs_asked, fit.epochs_done, fit.seconds) == ("unfinished", 3, 2, 5.0)
    assert fit.history["accuracy"] == (0.8, 0.9)
    assert math.isnan(fit.history["loss"][1])
    assert fit.learning_rates == (0.1, 0.1)


def test_evidence_with_a_diverged_loss_is_stored_and_read_again(run: Run, events: Make) -> None:
    evidence = build(run, events(FIT, {"kind": "epoch", "fit": 1, "epoch": 1, "logs": {"loss": None}}))
    again = Evidence.model_validate_json(evidence.model_dump_json())
    assert math.isnan(again.fits[0].history["loss"][0])


def test_the_last_structure_of_a_model_counts_and_the_first_place(run: Run, events: Make) -> None:
    frozen = MODEL | {"trainable_parameters": 0}
    evidence = build(
        run, events({"kind": "model", "model": MODEL, "cell": 1}, {"kind": "model", "model": frozen, "cell": 3})
    )
    assert [(m.cell, m.event, m.trainable_parameters) for m in evidence.models] == [(1, 1, 0)]


def test_batch_normalization_over_several_devices_is_batch_normalization(run: Run, events: Make) -> None:
    layers = [LAYER | {"cls": cls} for cls in ("SyncBatchNormalization", "BatchNormalizationV1", "Dense")]
    evidence = build(run, events({"kind": "model", "model": MODEL | {"layers": layers}, "cell": 1}))
    assert [layer.cls for layer in evidence.models[0].layers] == ["BatchNormalization", "BatchNormalization", "Dense"]


def kept(**more: Any) -> Event:
    return {
        "kind": "kept",
        "model": "m1",
        "format": "keras",
        "path": "models/m1.keras",
        "after": 1,
        "custom": False,
    } | more


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ([kept(), kept(path="models/m1b.keras")], "models/m1b.keras"),
        ([kept(format="predictions", path="predictions/m1.npy"), kept()], "models/m1.keras"),
        ([kept(), kept(format="predictions", path="predictions/m1.npy")], "models/m1.keras"),
        ([kept(), kept(format="saved_model", path="models/m1", after=2)], "models/m1"),
        ([kept(custom=True), kept(format="saved_model", path="models/m1", custom=True)], "models/m1"),
        ([kept(path="../../etc/passwd")], None),
        ([kept(path="/etc/passwd")], None),
        ([kept(format="pickle")], None),
        ([kept(format=["keras"])], None),
    ],
)
def test_the_newest_and_most_trustworthy_artefact_counts(
    run: Run, events: Make, given: list[Event], path: str | None
) -> None:
    evidence = build(run, events({"kind": "model", "model": MODEL}, *given))
    assert evidence.models[0].artefact == path


def test_other_forms_of_the_same_weights_are_fallbacks(run: Run, events: Make) -> None:
    forms = [kept(custom=True), kept(format="predictions", path="predictions/m1.npy", custom=True)]
    old = kept(format="saved_model", path="models/m1.saved_model", after=0)
    model = build(run, events({"kind": "model", "model": MODEL}, old, *forms)).models[0]
    assert (model.artefact_format, dict(model.fallbacks)) == ("predictions", {"keras": "models/m1.keras"})


def test_what_could_not_be_watched_is_said(run: Run, events: Make) -> None:
    evidence = build(run, events({"kind": "unhooked", "package": "keras", "reason": "KeyError: x"}, {"kind": "end"}))
    assert [english(problem) for problem in evidence.problems] == ["the recorder could not watch `keras`: KeyError: x"]
    assert says(evidence.problems[0], "the recorder could not watch {package}: {reason}")


def test_why_a_model_was_not_kept_is_said(run: Run, events: Make) -> None:
    evidence = build(
        run, events({"kind": "model", "model": MODEL}, {"kind": "unkept", "model": "m1", "reason": "too large"})
    )
    assert evidence.models[0].unkept_reason == "too large"


UNREADABLE = "{count:number} event of the record could not be read ({kinds:list})"


@pytest.mark.parametrize(
    "bad",
    [
        {"kind": "fit_start", "fit": 1, "model": "m1"},
        {"kind": "fit_start", "fit": "1", "model": "m1"},
        {"kind": "fit_end", "fit": 9, "status": "completed"},
        {"kind": "fit_end", "fit": 1, "status": "wonderful"},
        {"kind": "epoch", "fit": 1, "epoch": 0},
        {"kind": "model", "model": {"id": "../m", "layers": "many"}},
        {"kind": "model", "model": 5},
        {"kind": "compile", "model": None},
        {"kind": "compile"},
        {"kind": "trainable", "layer": "a", "before": 1, "after": 0},
        {"kind": "save", "action": "burn"},
        {"kind": "dataset", "dataset": {}},
        {"kind": "figure", "n": 1, "figure": {}},
        {"kind": "figure", "n": "x"},
        {"kind": "figure", "n": 10**400},
    ],
)
def test_a_malformed_event_is_counted_and_the_rest_is_read(run: Run, events: Make, bad: Event) -> None:
    evidence = build(run, events({"kind": "model", "model": MODEL}, FIT, bad, {"kind": "end"}))
    assert [m.id for m in evidence.models] == ["m1"]
    assert len(evidence.fits) == 1
    (problem,) = evidence.problems
    assert says(problem, UNREADABLE, count=1)
    assert values(problem, "{kind}: {number:number}") == {"kind": bad["kind"], "number": 1}


def test_a_second_end_of_a_training_is_not_believed(run: Run, events: Make) -> None:
    end = {"kind": "fit_end", "fit": 1, "status": "completed", "epochs": 1}
    evidence = build(run, events(FIT, end, end | {"epochs": 300}, {"kind": "end"}))
    assert evidence.fits[0].epochs_done == 1
    assert values(evidence.problems[0], "{kind}: {number:number}") == {"kind": "fit_end", "number": 1}


def test_a_newer_recorders_kinds_are_passed_over(run: Run, events: Make) -> None:
    assert (
        build(run, events({"kind": "telepathy", "x": 1}, {"kind": "start", "versions": {}}, {"kind": "end"})).problems
        == ()
    )


def test_a_record_that_stops_early_or_is_missing_is_said(run: Run, events: Make) -> None:
    assert build(run, events(FIT)).problems == (say("the record ends before the notebook"),)
    assert build(run, []).problems == (say("the recorder wrote no events"),)


KILLED = "the kernel ended before the recorder could write everything down"
UNSAVED = "the kernel ended before the grader could save the trained model"


@pytest.mark.parametrize("status", ["died", "memory", "timeout"])
def test_what_a_killed_kernel_could_not_write_is_a_gap(run: Run, events: Make, status: str) -> None:
    killed = run.model_copy(update={"status": status})
    model = {"kind": "model", "model": MODEL}
    end = {"kind": "fit_end", "fit": 1, "status": "completed", "epochs": 3}
    in_a_training = build(killed, events(model, FIT))
    assert in_a_training.problems == (say(KILLED),)
    assert [set(gap.lost) for gap in in_a_training.gaps] == [{"calls", "arrays", "fit_end"}]
    assert in_a_training.models[0].unkept_reason == say(UNSAVED)
    after_it = build(killed, events(model, FIT, end, kept(after=3)))
    assert [set(gap.lost) for gap in after_it.gaps] == [{"calls", "arrays"}]
    assert (after_it.models[0].artefact, after_it.models[0].unkept_reason) == ("models/m1.keras", None)
    without_training = build(killed, events(model))
    assert without_training.models[0].unkept_reason is None


def test_a_loop_in_a_killed_kernel_has_the_facts_of_its_last_note(run: Run, events: Make) -> None:
    loop = FIT | {"type": "custom_loop", "epochs": None, "digests": {"dense": "a"}}
    note = {"kind": "progress", "fit": 1, "steps": 40, "seconds": 9.5, "digests": {"dense": "b"}, "batch_size": 32}
    later = note | {"steps": 90, "seconds": 40.0, "digests": {"dense": "c"}, "batch_size": None}
    killed = run.model_copy(update={"status": "timeout"})
    (fit,) = build(killed, events(loop, note, later)).fits
    assert (fit.status, fit.total_steps, fit.seconds, fit.batch_size) == ("unfinished", 90, 40.0, 32)
    assert fit.changed_layers == ("dense",)
    end = {
        "kind": "fit_end",
        "fit": 1,
        "status": "stopped_by_budget",
        "epochs": 0,
        "steps": 95,
        "digests": {"dense": "d"},
    }
    (ended,) = build(run, events(loop, note, end, {"kind": "end"})).fits
    assert (ended.status, ended.total_steps, ended.batch_size) == ("stopped_by_budget", 95, 32)


def test_a_notebook_that_was_interrupted_in_time_has_no_gap(run: Run, events: Make) -> None:
    late = run.model_copy(update={"status": "timeout"})
    assert build(late, events(FIT, {"kind": "end"})).gaps == ()


def test_a_model_that_was_not_copied_is_an_unkept_one(run: Run, events: Make) -> None:
    large = say("{path:code} is too large ({size:size})", path="models/m1.keras", size=1 << 30)
    given = events({"kind": "model", "model": MODEL}, kept(), {"kind": "end"})
    (model,) = build(run, given, left_out={"models/m1.keras": large}).models
    assert (model.artefact, model.unkept_reason) == (None, large)
    forms = events({"kind": "model", "model": MODEL}, kept(), kept(format="predictions", path="predictions/m1.npy"))
    (other,) = build(run, forms, left_out={"models/m1.keras": large}).models
    assert (other.artefact, other.unkept_reason) == ("predictions/m1.npy", None)


def test_a_folder_without_one_of_its_files_is_not_used(run: Run, events: Make) -> None:
    part = say("{path:code} was left out, because the record is too large", path="models/m1.saved_model/variables")
    saved = kept(format="saved_model", path="models/m1.saved_model", custom=True)
    given = events({"kind": "model", "model": MODEL}, saved, {"kind": "end"})
    (model,) = build(run, given, left_out={"models/m1.saved_model/variables/x.data": part}).models
    assert (model.artefact, model.unkept_reason) == (None, part)
    (whole,) = build(run, given, left_out={"models/m10.keras": part}).models
    assert whole.artefact == "models/m1.saved_model"


KINDS = (
    *(
        "start",
        "versions",
        "dataset",
        "model",
        "compile",
        "fit_start",
        "epoch",
        "fit_end",
        "evaluate",
        "predict",
        "calls",
    ),
    *("trainable", "save", "kept", "unkept", "figure", "arrays", "emulated", "stopped", "end", "cell_start"),
)
KEYS = (
    *(
        "model",
        "fit",
        "x",
        "y",
        "val_x",
        "val_y",
        "layers",
        "shape",
        "file",
        "id",
        "name",
        "cls",
        "config",
        "figure",
        "axes",
    ),
    *(
        "arrays",
        "epochs",
        "epoch",
        "logs",
        "history",
        "status",
        "optimizer",
        "loss",
        "digests",
        "path",
        "format",
        "versions",
    ),
    *("lines", "count", "before", "after", "layer", "action", "dataset", "form", "callbacks", "validation", "classes"),
    *(
        "validation_split",
        "results",
        "trainable",
        "rates",
        "n",
        "cell",
        "metrics",
        "images",
        "learning_rate",
        "parameters",
    ),
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=8)
    | st.sampled_from(["m1", "fit", "completed", "keras", "arrays/a1.npz", "../x", "data", "\ud800", "\x00", 10**400])
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=20,
)
CLAIMS = st.one_of(
    VALUES,
    st.builds(
        lambda kind, n, more: {
            **more,
            "kind": kind,
            "n": n,
            "model": more.get("model", "m1"),
            "fit": more.get("fit", 1),
        },
        st.sampled_from(KINDS),
        st.integers(0, 9) | VALUES,
        st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8),
    ),
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(claims=st.lists(CLAIMS, max_size=10))
def test_arbitrary_json_never_raises_and_gives_valid_evidence(run: Run, claims: list[Any]) -> None:
    evidence = build(run, [json.loads(json.dumps(claim)) for claim in claims])
    assert Evidence.model_validate_json(evidence.model_dump_json()).run == run


def test_a_fits_arrays_name_their_rows_their_transform_and_their_overlap(
    run: Run, events: Make, record: Record, mnist: SimpleNamespace, indexes: dict[str, DatasetIndex]
) -> None:
    x, val = mnist.x_train[:1200] / np.float32(255), np.concatenate([mnist.x_train[1100:1200], mnist.x_test[:50]]) / 255
    fit = FIT | {
        "x": record.array(x),
        "y": record.labels(mnist.y_train[:1200]),
        "validation": "data",
        "val_x": record.array(val),
        "val_y": record.labels(np.zeros(150)),
    }
    keeper = ArtefactFolder(record.root)
    evidence = build(run, events(fit), record.root, indexes=indexes, keep=keeper.keep)
    found = evidence.fits[0]
    assert found.x is not None
    assert found.x.rows is not None
    assert found.x.transform is not None
    assert (found.x.names, found.x.rows.stop, found.x.transform.scale) == (("x",), 1200, 1 / 255)
    assert found.x.rows.file is not None
    assert keeper(found.x.rows.file)["array"].tolist() == list(range(1200))
    assert found.val_x is not None
    assert found.val_x.rows is not None
    assert found.val_x.rows.counts == {"train": 100, "test": 50}
    assert found.overlap == 100
    assert found.y is not None
    assert sum(found.y.classes.values()) == 1200


def test_rows_that_a_pipeline_draws_are_counted_and_not_named(
    run: Run, events: Make, record: Record, mnist: SimpleNamespace, indexes: dict[str, DatasetIndex]
) -> None:
    def drawn(images: NDArray[Any], count: int) -> dict[str, Any]:
        return record.array(images) | {"drawn": count}

    def fit_of(x: dict[str, Any], val_x: dict[str, Any]) -> FitFact:
        fit = FIT | {"x": x, "validation": "data", "val_x": val_x}
        return build(run, events(fit), record.root, indexes=indexes).fits[0]

    both = mnist.x_train[:500]
    found = fit_of(drawn(both, 400), drawn(both, 100))
    assert found.x is not None
    assert found.x.rows is not None
    assert found.val_x is not None
    assert (found.x.shape[0], found.val_x.shape[0], found.overlap) == (400, 100, None)
    assert (found.x.rows.counts, found.x.rows.file, found.x.rows.stop) == ({"train": 400}, None, None)
    assert fit_of(drawn(both, 400), record.array(mnist.x_train[600:700])).overlap == 0
    mixed = fit_of(drawn(np.concatenate([both, mnist.x_test[:500]]), 500), record.array(mnist.x_train[600:700]))
    assert mixed.x is not None
    assert mixed.x.rows is None


def test_a_validation_split_of_distinct_rows_does_not_overlap(
    run: Run, events: Make, record: Record, mnist: SimpleNamespace, indexes: dict[str, DatasetIndex]
) -> None:
    twice = np.concatenate([mnist.x_train[:90], mnist.x_train[:10]])
    for images, shared in ((mnist.x_train[:100], 0), (twice, 10)):
        fit = FIT | {"x": record.array(images), "validation": "split", "validation_split": 0.1}
        assert build(run, events(fit), record.root, indexes=indexes).fits[0].overlap == shared


def test_a_standardisation_of_each_pixel_is_kept_beside_the_evidence(
    run: Run, events: Make, record: Record, mnist: SimpleNamespace, indexes: dict[str, DatasetIndex]
) -> None:
    images = mnist.x_train[:2000].astype(np.float32)
    std = images.std(0)
    x = (images - images.mean(0)) / np.where(std == 0, 1, std)
    keeper = ArtefactFolder(record.root)
    fit = FIT | {"x": record.array(x), "y": record.labels(mnist.y_train[:2000])}
    found = build(run, events(fit), record.root, indexes=indexes, keep=keeper.keep).fits[0].x
    assert found is not None
    assert found.transform is not None
    assert (found.transform.kind, found.rows and found.rows.method) == ("per_pixel", "labels")
    assert found.transform.file is not None
    assert keeper(found.transform.file)["scale"].shape == (28, 28)


def test_an_array_that_cannot_be_read_costs_only_its_rows(
    run: Run, events: Make, record: Record, mnist: SimpleNamespace, indexes: dict[str, DatasetIndex]
) -> None:
    good = record.array(mnist.x_train[:50])
    fits = [
        FIT | {"fit": 1, "x": good | {"file": "arrays/none.npz"}},
        FIT | {"fit": 2, "x": good | {"shape": [51, 28, 28]}},
        FIT | {"fit": 3, "x": good | {"file": "../outside.npz"}},
        FIT | {"fit": 4, "x": good},
    ]
    evidence = build(run, events(*fits, {"kind": "end"}), record.root, indexes=indexes)
    assert [f.x is not None and f.x.rows is not None for f in evidence.fits] == [False, False, False, True]
    assert len(evidence.problems) == 3


def test_cells_carry_text_without_colours_and_markup(run: Run) -> None:
    new = nbformat.v4
    executed = notebook()
    executed.cells[1].outputs = [
        new.new_output("stream", name="stdout", text="\x1b[31mred\x1b[0m\n"),
        new.new_output("execute_result", data={"text/html": "<b>1 &lt; 2</b><script>alert(1)</script>"}),
        new.new_output("display_data", data={"image/png": "AAAA", "text/plain": "<Figure>"}),
        new.new_output("error", ename="ValueError", evalue="no", traceback=[]),
    ]
    executed.cells[2].source = "y" * 30_000
    executed.cells[2].outputs = [new.new_output("stream", name="stdout", text="z" * 9_000)]
    submitted = notebook()
    submitted.cells[1].execution_count = 7
    failed = run.model_copy(update={"errors": (CellError(cell=2, name="KeyError", message="k"),)})
    cells = build(failed, [], notebook=executed, submitted=submitted).cells
    assert cells[1].output == "red\n1 < 2\n<Figure>\nValueError: no"
    assert (cells[1].images, cells[1].error, cells[1].submitted_count) == (1, "ValueError", 7)
    assert (len(cells[2].source), len(cells[2].output), cells[2].error) == (20_000, 4_000, "KeyError")
    assert [c.executed for c in cells] == [False, True, True, False, True]
    assert [c.kind for c in cells][:2] == ["markdown", "code"]


def test_other_facts_are_typed(run: Run, events: Make) -> None:
    evidence = build(
        run,
        events(
            {
                "kind": "dataset",
                "dataset": "mnist",
                "via": "keras.datasets.mnist.load_data",
                "served": True,
                "detail": "",
            },
            {"kind": "evaluate", "model": "m1", "x": None, "results": {"loss": None, "accuracy": 0.9}},
            {"kind": "predict", "model": "m1", "x": {"shape": [5, 28, 28], "dtype": "uint8"}, "output_shape": [5, 10]},
            {"kind": "calls", "model": "m1", "training": None, "count": 3, "x": None, "outputs_differ": None},
            {"kind": "trainable", "layer": "dense", "model": None, "before": True, "after": False},
            {"kind": "save", "action": "clone", "model": "m2", "other": "m1", "path": None},
            {
                "kind": "figure",
                "figure": {
                    "title": "t",
                    "axes": [{"xlabel": "epoch", "lines": [{"label": "loss", "y": [1, None, 3]}], "images": 2}],
                },
            },
            {
                "kind": "arrays",
                "arrays": [{"name": "x_train", "shape": [5, 28, 28], "dtype": "uint8", "used": True}, {"name": ""}],
            },
            {
                "kind": "fit_start",
                "fit": 1,
                "model": "m1",
                "callbacks": [{"cls": "EarlyStopping", "config": {"patience": 3}}, 5],
            },
        ),
    )
    assert evidence.datasets[0].dataset == "mnist"
    assert evidence.evaluations[0].results["accuracy"] == 0.9
    assert evidence.predictions[0].output_shape == (5, 10)
    assert (evidence.calls[0].training, evidence.calls[0].count) == (None, 3)
    assert (evidence.trainable_changes[0].before, evidence.trainable_changes[0].after) == (True, False)
    assert (evidence.saves[0].action, evidence.saves[0].other) == ("clone", "m1")
    axes = evidence.figures[0].axes[0]
    assert (axes.xlabel, axes.images, axes.lines[0].y[::2]) == ("epoch", 2, (1.0, 3.0))
    assert [(a.name, a.used) for a in evidence.arrays] == [("x_train", True)]
    assert [c.config for c in evidence.fits[0].callbacks] == [{"patience": 3}]


def test_the_same_arrays_given_to_several_trainings_are_told_apart_each_time(
    run: Run, events: Make, record: Record, mnist: SimpleNamespace, indexes: dict[str, DatasetIndex]
) -> None:
    x, y = record.array(mnist.x_train / np.float32(255)), record.labels(mnist.y_train)
    test = record.array(mnist.x_test / np.float32(255))
    trainings = [
        event
        for fit in range(1, 6)
        for event in (
            FIT | {"fit": fit, "x": x, "y": y, "validation": "data", "val_x": test, "val_y": y | {"shape": [10000]}},
            *({"kind": "epoch", "fit": fit, "epoch": e, "logs": {"loss": 0.1}} for e in range(1, 21)),
            {"kind": "fit_end", "fit": fit, "status": "completed", "epochs": 20, "history": {"loss": [0.1] * 20}},
        )
    ]
    evidence = build(run, events({"kind": "model", "model": MODEL}, *trainings), record.root, indexes=indexes)
    assert [fit.overlap for fit in evidence.fits] == [0] * 5


@pytest.mark.parametrize(
    ("end", "digests", "trainings"),
    [
        pytest.param({"status": "error", "steps": 1}, {"l": "0"}, 0, id="in its first step"),
        pytest.param({"status": "error", "steps": 0}, {}, 0, id="before it was built"),
        pytest.param({"status": "error", "steps": 2}, {"l": "0"}, 1, id="in its second step"),
        pytest.param({"status": "error", "steps": 1}, {"l": "1"}, 1, id="in the validation after one step"),
        pytest.param({"status": "interrupted", "steps": 1}, {"l": "0"}, 1, id="interrupted"),
        pytest.param({"status": "completed", "steps": 1, "epochs": 1}, {"l": "0"}, 1, id="with frozen layers"),
    ],
)
def test_a_fit_that_raised_at_its_start_is_no_training(
    run: Run, events: Make, end: Event, digests: Event, trainings: int
) -> None:
    start = {"kind": "fit_start", "fit": 1, "model": "m1", "epochs": 3, "digests": {"l": "0"} if digests else {}}
    evidence = build(run, events(start, {"kind": "fit_end", "fit": 1, "epochs": 0, "digests": digests, **end}))
    assert (len(evidence.fits), len(evidence.failed_fits)) == (trainings, 1 - trainings)
