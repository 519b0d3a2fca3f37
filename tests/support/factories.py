"""Small makers of evidence: each makes one document that is plausible as it is, and takes what a test is about."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grader.facts.case import Case
from grader.schema.base import Assurance
from grader.schema.evidence import (
    AccuracyFact,
    ArrayFact,
    AxesFact,
    CallbackFact,
    CellFact,
    CompileFact,
    Evidence,
    FigureFact,
    FitFact,
    LabelFact,
    LayerFact,
    LineFact,
    LossFact,
    ModelFact,
    NamedArrayFact,
    OptimizerFact,
    RepeatedPassesFact,
    RowsFact,
)
from grader.schema.grade import RoleMatch, RubricStamp
from grader.schema.rubric import Rubric
from grader.schema.submission import CellError, Run, Submission

__all__ = [
    "a_case",
    "a_cell",
    "a_compile",
    "a_figure",
    "a_fit",
    "a_model",
    "a_named_array",
    "a_rubric",
    "a_run",
    "a_stamp",
    "a_submission",
    "activation",
    "an_accuracy",
    "an_array",
    "an_error",
    "an_evidence",
    "callback",
    "conv",
    "dense",
    "dropout",
    "good_cnn",
    "layer",
    "operation",
    "rows",
    "some_passes",
]

HISTORY: Mapping[str, tuple[float, ...]] = {
    "loss": (0.42, 0.12, 0.08, 0.061),
    "accuracy": (0.871, 0.962, 0.975, 0.981),
    "val_loss": (0.11, 0.07, 0.05, 0.045),
    "val_accuracy": (0.968, 0.979, 0.985, 0.9851),
}


def layer(cls: str, name: str = "", *, parameters: int = 0, **keys: Any) -> LayerFact:
    """A layer; `config` and the other fields by name."""
    return LayerFact(name=name or cls.lower(), cls=cls, parameters=parameters, trainable=True, **keys)


def conv(
    filters: int = 8,
    kernel: int = 3,
    *,
    over: tuple[int, int, int] = (28, 28, 1),
    name: str = "conv2d",
    **config: Any,
) -> LayerFact:
    """A `Conv2D` over maps of a height, width and number of channels."""
    padding = config.get("padding", "valid")
    side = over[0] if padding == "same" else over[0] - kernel + 1
    settings = {
        "filters": filters,
        "kernel_size": [kernel, kernel],
        "strides": [1, 1],
        "padding": padding,
        "data_format": "channels_last",
        "activation": "relu",
        "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}},
        "bias_initializer": {"class_name": "Zeros", "config": {}},
    }
    return layer(
        "Conv2D",
        name,
        parameters=(kernel * kernel * over[2] + 1) * filters,
        input_shape=over,
        output_shape=(side, side, filters),
        config={**settings, **config},
    )


def dense(
    units: int = 10, activation: Any = "linear", *, inputs: int = 64, name: str = "dense", **config: Any
) -> LayerFact:
    """A `Dense` layer."""
    settings = {
        "units": units,
        "activation": activation,
        "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}},
        "bias_initializer": {"class_name": "Zeros", "config": {}},
    }
    return layer(
        "Dense",
        name,
        parameters=(inputs + 1) * units,
        input_shape=(inputs,),
        output_shape=(units,),
        config={**settings, **config},
    )


def dropout(rate: float = 0.25, name: str = "dropout") -> LayerFact:
    """A `Dropout` layer."""
    return layer("Dropout", name, config={"rate": rate, "seed": None})


def activation(function: str, name: str = "activation", units: int = 64) -> LayerFact:
    """An `Activation` layer."""
    return layer("Activation", name, output_shape=(units,), config={"activation": function})


def operation(function: str, *operands: float | None, name: str = "", cls: str = "Operation") -> LayerFact:
    """An operation on tensors; with two operands where one is a number."""
    config: dict[str, Any] = {"function": function} | ({"operands": list(operands)} if operands else {})
    return layer(cls, name or function.lower(), config=config)


def good_cnn() -> tuple[LayerFact, ...]:
    """The layers of a sensible network for MNIST."""
    return (
        conv(16, name="conv2d"),
        layer("BatchNormalization", parameters=64),
        layer("MaxPooling2D", config={"pool_size": [2, 2]}),
        conv(32, over=(13, 13, 16), name="conv2d_1"),
        layer("Flatten", output_shape=(3872,)),
        dense(64, "relu", inputs=3872, name="dense"),
        dropout(0.4),
        dense(10, "softmax", name="dense_1"),
    )


def a_model(*layers: LayerFact, model_id: str = "m1", **keys: Any) -> ModelFact:
    """A `Sequential` model; the good network when no layers are given."""
    given = layers or good_cnn()
    outputs = next((x.output_shape for x in reversed(given) if x.output_shape is not None), (10,))
    values: dict[str, Any] = {
        "id": model_id,
        "name": "model",
        "cls": "Sequential",
        "cell": 2,
        "event": 4,
        "dialect": "keras3",
        "input_shape": given[0].input_shape or (28, 28, 1),
        "output_shape": outputs,
        "parameters": sum(x.parameters for x in given),
        "trainable_parameters": sum(x.parameters for x in given),
        "layers": given,
        "assurance": Assurance.VERIFIED,
        "artefact": f"models/{model_id}.keras",
        "artefact_format": "keras",
    }
    return ModelFact(**(values | keys))


def rows(train: int = 0, test: int = 0, *, dataset: str = "mnist", **keys: Any) -> RowsFact:
    """Which rows an array holds."""
    return RowsFact(
        dataset=dataset, counts={"train": train, "test": test}, **({"matched": 1.0, "method": "fingerprint"} | keys)
    )


def an_array(count: int = 60_000, *, of: RowsFact | None = None, **keys: Any) -> ArrayFact:
    """An array of images, scaled to 0 to 1."""
    values: dict[str, Any] = {"shape": (count, 28, 28, 1), "dtype": "float32", "low": 0.0, "high": 1.0, "rows": of}
    return ArrayFact(**(values | keys))


def a_compile(
    loss: str | LossFact | None = "sparse_categorical_crossentropy", *, from_logits: bool | None = False, **keys: Any
) -> CompileFact:
    """A compile with Adam."""
    fact = LossFact(name=loss, from_logits=from_logits) if isinstance(loss, str) else loss
    values: dict[str, Any] = {
        "event": 5,
        "cell": 3,
        "model": "m1",
        "optimizer": OptimizerFact(cls="Adam", learning_rate=0.001),
        "loss": fact,
        "metrics": ("accuracy",),
    }
    return CompileFact(**(values | keys))


def a_fit(**keys: Any) -> FitFact:
    """A training of four epochs on 54,000 training images, validated on the other 6,000."""
    values: dict[str, Any] = {
        "event": 6,
        "cell": 4,
        "model": "m1",
        "status": "completed",
        "epochs_asked": 4,
        "epochs_done": 4,
        "batch_size": 128,
        "steps": 422,
        "seconds": 12.5,
        "history": HISTORY,
        "x": an_array(54_000, of=rows(train=54_000), names=("x_train",)),
        "y": LabelFact(shape=(54_000,), dtype="uint8", one_hot=False, classes={str(k): 5_400 for k in range(10)}),
        "validation": "data",
        "val_x": an_array(6_000, of=rows(train=6_000)),
        "overlap": 0,
        "compiled": 5,
    }
    return FitFact(**(values | keys))


def callback(cls: str, **config: Any) -> CallbackFact:
    """A callback with its settings."""
    return CallbackFact(cls=cls, config=config)


def an_accuracy(correct: int = 9_910, total: int = 10_000, **keys: Any) -> AccuracyFact:
    """A verified accuracy on the MNIST test images, with a rough interval of two standard errors."""
    value = correct / total
    margin = 1.96 * (value * (1 - value) / total) ** 0.5
    values: dict[str, Any] = {
        "model": "m1",
        "dataset": "mnist",
        "split": "test",
        "correct": correct,
        "total": total,
        "value": value,
        "low": max(0.0, value - margin),
        "high": min(1.0, value + margin),
        "assurance": Assurance.VERIFIED,
        "how": "keras",
        "preprocessing": "divided by 255",
    }
    return AccuracyFact(**(values | keys))


def a_figure(
    *lines: tuple[float, ...], xlabel: str = "epoch", ylabel: str = "accuracy", cell: int = 5, **axes: Any
) -> FigureFact:
    """A figure with one pair of axes and these lines."""
    drawn = tuple(LineFact(label=f"line {place}", y=y) for place, y in enumerate(lines))
    return FigureFact(event=9, cell=cell, axes=(AxesFact(xlabel=xlabel, ylabel=ylabel, lines=drawn, **axes),))


def a_named_array(name: str, of: str | None = "mnist/train", **keys: Any) -> NamedArrayFact:
    """An array bound to a variable, scaled to 0 to 1."""
    values: dict[str, Any] = {"shape": (60_000, 28, 28, 1), "dtype": "float64", "low": 0.0, "high": 1.0}
    return NamedArrayFact(name=name, rows_of=of, **(values | keys))


def a_cell(index: int, source: str = "x = 1", kind: str = "code", **keys: Any) -> CellFact:
    """A cell; code was executed."""
    return CellFact.model_validate({"index": index, "kind": kind, "source": source, "executed": kind == "code", **keys})


def an_error(cell: int | None = 3, name: str = "NameError", message: str = "name 'x' is not defined") -> CellError:
    """A cell's error."""
    return CellError(cell=cell, name=name, message=message)


def a_run(**keys: Any) -> Run:
    """An execution in which all eight cells ran."""
    values: dict[str, Any] = {
        "status": "completed",
        "seconds": 30.0,
        "cells_run": 8,
        "cells_total": 8,
        "isolation": "bubblewrap",
        "seed": 7,
        "dialect": "keras3",
    }
    return Run(**(values | keys))


def some_passes(**keys: Any) -> RepeatedPassesFact:
    """Twenty passes over 5,000 images that differ, and an array that is their mean."""
    values = {
        "event": 10,
        "cell": 0,
        "model": "m1",
        "way": "call",
        "training": True,
        "passes": 20,
        "images": 5_000,
        "differ": True,
        "average": "mean",
        "averaged": 20,
        "average_cell": 0,
    }
    return RepeatedPassesFact.model_validate(values | keys)


def an_evidence(**keys: Any) -> Evidence:
    """A notebook with one good network, trained, tested and plotted; each field by name instead."""
    values: dict[str, Any] = {
        "run": a_run(),
        "versions": {"keras": "3.15.1"},
        "cells": (a_cell(0, "import keras"), a_cell(1, "# About\nMy network.", "markdown")),
        "models": (a_model(),),
        "compiles": (a_compile(),),
        "fits": (a_fit(),),
        "figures": (
            a_figure(HISTORY["accuracy"], HISTORY["val_accuracy"]),
            a_figure(HISTORY["loss"], ylabel="loss", cell=6),
        ),
        "accuracies": (an_accuracy(),),
    }
    return Evidence(**(values | keys))


def a_rubric(*criteria: Mapping[str, Any], **keys: Any) -> Rubric:
    """A rubric for MNIST; one criterion on `runs` when none are given."""
    values: dict[str, Any] = {
        "version": 1,
        "id": "sample",
        "title": "A sample",
        "dataset": "mnist",
        "criteria": list(criteria) or [{"id": "runs", "points": 10, "check": "runs"}],
    }
    return Rubric.model_validate(values | keys)


def a_case(evidence: Evidence | None = None, rubric: Rubric | None = None, **roles: RoleMatch) -> Case:
    """A case; without arguments, the case of the good notebook."""
    return Case(evidence=evidence or an_evidence(), rubric=rubric or a_rubric(), roles=roles)


def a_submission(name: str = "amara") -> Submission:
    """A submission with one notebook."""
    return Submission(id=name, student=name, notebook=Path(f"{name}.ipynb"), files=(f"{name}.ipynb",), sha256="0" * 64)


def a_stamp() -> RubricStamp:
    """The stamp of a rubric."""
    return RubricStamp(id="sample", sha256="1" * 64, title="A sample")
