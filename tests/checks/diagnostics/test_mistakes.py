"""Every diagnostic, on a notebook that makes the mistake and on notebooks that only look like it."""

from collections.abc import Mapping
from typing import Any

import pytest

from grader.checks import all_diagnostics
from grader.schema.evidence import (
    ArrayFact,
    CallbackFact,
    CallFact,
    CellFact,
    Evidence,
    IgnoredFact,
    LayerFact,
    LossFact,
    ModelFact,
    OptimizerFact,
    PredictFact,
    SaveFact,
)
from grader.schema.grade import Diagnostic
from tests.support import transfer_cases as transfer
from tests.support.factories import (
    HISTORY,
    a_case,
    a_cell,
    a_compile,
    a_figure,
    a_fit,
    a_model,
    a_named_array,
    a_run,
    activation,
    an_accuracy,
    an_array,
    an_error,
    an_evidence,
    callback,
    conv,
    dense,
    dropout,
    layer,
    operation,
    rows,
)

ZEROS = {"class_name": "Zeros", "config": {}}
RAW = an_array(54_000, of=rows(train=54_000), low=0.0, high=255.0, dtype="uint8", names=("X_train",))
STANDARDISED = an_array(of=rows(60_000), low=-2.1, high=2.4, mean=0.0, std=1.0)
RISING = {"accuracy": (0.5, 0.6, 0.7, 0.8), "val_accuracy": (0.6, 0.7, 0.8, 0.9)}
STOPPED = {"loss": (1.0, 0.5, 0.4, 0.3), "val_loss": (0.9, 0.4, 0.6, 0.7)}


UNREAD = IgnoredFact(event=5, cell=4, form="optimizer.lr", optimizer="Adam", value=0.0001)
UNHEEDED = IgnoredFact(event=3, cell=2, form="optimizer.decay", optimizer="SGD", value=1e-06)


def net(*layers: LayerFact, compiled: object = "sparse_categorical_crossentropy", logits: bool = False) -> Evidence:
    loss = compiled if isinstance(compiled, (str, LossFact)) else None
    compiles = (a_compile(loss, from_logits=logits),) if compiled is not None else ()
    return an_evidence(models=(a_model(*layers),), compiles=compiles)


def looped(*layers: LayerFact, logits: bool) -> Evidence:
    """A network that two loops of the student's own trained."""
    loss = LossFact(name="sparse_categorical_crossentropy", from_logits=logits)
    fits = tuple(a_fit(kind="custom_loop", event=event, loss=loss, compiled=None) for event in (5, 9))
    return an_evidence(models=(a_model(*layers),), compiles=(), fits=fits)


def built(*layers: LayerFact, **keys: Any) -> Evidence:
    """A network that was neither compiled nor trained."""
    return an_evidence(models=(a_model(*layers, **keys),), compiles=(), fits=(), accuracies=())


def said(printed: str, **keys: object) -> Evidence:
    return an_evidence(cells=(a_cell(0, "print(…)", output=printed),), **keys)


def predicting(source: str, printed: str, *before: str, **keys: object) -> Evidence:
    """A notebook that asks its network for predictions, and whose last cell prints something."""
    cells = (*(a_cell(place, text) for place, text in enumerate(before)), a_cell(len(before), source, output=printed))
    facts: dict[str, object] = {"predictions": (PredictFact(event=9, cell=0, model="m1"),), **keys}
    return an_evidence(cells=cells, **facts)


def gated() -> ModelFact:
    """Attention: softmax whose output multiplies something."""
    layers = (
        layer("InputLayer", "in"),
        dense(8, "softmax", name="gate").model_copy(update={"inbound": ("in",)}),
        layer("Multiply", "mix", inbound=("in", "gate")),
        dense(10, "softmax", name="out").model_copy(update={"inbound": ("mix",)}),
    )
    return a_model(*layers, cls="Functional")


def selu(*behind: LayerFact, initialiser: str = "LecunNormal", x: ArrayFact | None = STANDARDISED) -> Evidence:
    """A trained network with one hidden SELU layer."""
    hidden = dense(100, "selu", name="hidden", kernel_initializer={"class_name": initialiser, "config": {}})
    return an_evidence(models=(a_model(hidden, *behind, dense(10, "softmax", name="out")),), fits=(a_fit(x=x),))


def optimised(*ids: tuple[str, str]) -> Evidence:
    """Compiles of (model, optimizer)."""
    models = tuple(a_model(model_id=model, name=model) for model in dict.fromkeys(model for model, _ in ids))
    compiles = tuple(
        a_compile(event=place, model=model, optimizer=OptimizerFact(cls="Nadam", id=optimizer))
        for place, (model, optimizer) in enumerate(ids, start=5)
    )
    return an_evidence(models=models, compiles=compiles)


def repeated(source: str, *, differ: bool | None = False, passes: int = 10, **keys: Any) -> Evidence:
    """A cell that predicts the same images again and again."""
    predictions = tuple(
        PredictFact(event=20 + n, cell=0, model="m1", pass_number=n, outputs_differ=None if n == 1 else differ)
        for n in range(1, passes + 1)
    )
    return an_evidence(cells=(a_cell(0, source),), predictions=predictions, **keys)


def lacking(name: str, *cells: CellFact, at: int = 0) -> Evidence:
    """A notebook in which a cell raised because a name was not there."""
    error = an_error(at, "NameError", f"name '{name}' is not defined")
    return an_evidence(cells=cells, run=a_run(errors=(error,)))


MISTAKES: Mapping[str, tuple[Evidence, ...]] = {
    "frozen-layers-changed": (transfer.changed(head={"digests_after": transfer.ALL_MOVED}),),
    "unfrozen-layers-unchanged": (transfer.changed(tail={"digests_after": transfer.HEAD_ONLY}),),
    "shared-layers-changed": (
        transfer.evidence(saves=()),
        transfer.evidence(evaluations=(transfer.evaluated(transfer.FIRST, 60, 6),)),
    ),
    "selu-without-lecun": (selu(initialiser="GlorotUniform"), selu(initialiser="HeNormal")),
    "selu-inputs-not-standardised": (
        selu(x=an_array(of=rows(60_000), mean=0.13, std=0.31)),
        selu(x=an_array(of=rows(60_000), high=255.0, mean=33.3, std=78.6)),
    ),
    "selu-with-plain-dropout": (selu(dropout()), selu(layer("GaussianDropout", config={"rate": 0.1}))),
    "optimizer-reused": (optimised(("m1", "o1"), ("m2", "o1")), optimised(("m1", "o1"), ("m1", "o1"), ("m2", "o1"))),
    "mc-dropout-off": (
        repeated("np.mean([model.predict(x) for _ in range(10)], axis=0)"),
        repeated("ps = []\nfor _ in range(10):\n    ps.append(model.predict(x))\np = np.stack(ps).mean(axis=0)"),
        repeated("ps = []\nfor _ in range(10):\n    p = model.predict(x)\n    ps += [p]\nmean = sum(ps) / 10"),
        repeated("ps = np.zeros((10, 9, 10))\nfor i in range(10):\n    ps[i] = model.predict(x)\nps.mean(0).argmax(1)"),
        repeated("y = 0\nfor _ in range(10):\n    y += model.predict(x)\ny_mc = y / 10"),
        repeated(
            "def passes(net, n):\n    return np.stack([net.predict(x) for _ in range(n)])\n"
            "ps = passes(model, 10)\nprint(ps.std(axis=0), ps.mean(axis=0))"
        ),
        an_evidence(
            cells=(a_cell(0, "ps = [model(x) for _ in range(50)]"), a_cell(1, "p = tf.reduce_mean(ps, axis=0)")),
            calls=(CallFact(event=9, cell=0, model="m1", training=None, count=50, repeats=50, outputs_differ=False),),
        ),
    ),
    "name-from-elsewhere": (
        lacking("net", a_cell(0, "net.fit(x)"), a_cell(1, "net = build()")),
        lacking("keras", a_cell(0, "keras.Sequential()", submitted_count=7)),
        lacking("x", a_cell(0, "x + 1"), a_cell(1, "for x in range(3): pass")),
    ),
    "softmax-with-from-logits": (
        net(dense(10, "softmax"), logits=True),
        net(dense(10), activation("softmax"), logits=True),
        net(dense(1, "sigmoid"), compiled="binary_crossentropy", logits=True),
        looped(dense(10, "softmax"), logits=True),
    ),
    "logits-with-probability-loss": (
        net(dense(10)),
        net(dense(10, None), compiled="categorical_crossentropy"),
        net(dense(1), compiled="binary_crossentropy"),
        looped(dense(10), logits=False),
    ),
    "softmax-on-one-unit": (net(dense(1, "softmax"), compiled="binary_crossentropy"),),
    "raw-pixels": (
        an_evidence(fits=(a_fit(x=RAW),), models=(a_model(conv(), dense(10)),)),
        an_evidence(fits=(a_fit(x=RAW),), models=(a_model(operation("Reshape"), conv(), operation("Exp"), dense(10)),)),
    ),
    "normalised-array-unused": (
        an_evidence(fits=(a_fit(x=RAW),), arrays=(a_named_array("X_trainX"), a_named_array("X_testX", "mnist/test"))),
        # The other network was trained on scaled pixels that were there before.
        an_evidence(
            fits=(a_fit(x=RAW), a_fit(event=9, x=an_array(of=rows(60_000), names=("x",)))),
            arrays=(a_named_array("x", cell=1, used=True), a_named_array("x_scaled", cell=3)),
        ),
    ),
    "validation-on-test-set": (an_evidence(fits=(a_fit(val_x=an_array(10_000, of=rows(test=10_000))),)),),
    "test-images-in-training-data": (an_evidence(fits=(a_fit(x=an_array(of=rows(train=60_000, test=10_000))),)),),
    "unfinished-cell": (
        an_evidence(cells=(a_cell(0, "y_train = ### YOUR CODE HERE", error="SyntaxError"),)),
        an_evidence(cells=(a_cell(0, "def net():\n    pass  # your code"),)),
        an_evidence(cells=(a_cell(0, "x_val = ..."),)),
        an_evidence(cells=(a_cell(0, "def f():\n    raise NotImplementedError()"),)),
        an_evidence(cells=(a_cell(0, "# TODO: build the model\nmodel.fit(x)", error="NameError"),)),
    ),
    "cells-out-of-order": (an_evidence(cells=(a_cell(0, submitted_count=3), a_cell(1, submitted_count=1))),),
    "figure-without-labels": (
        an_evidence(figures=(a_figure((1.0, 2.0), xlabel="", ylabel=""),)),
        an_evidence(figures=(a_figure(bars=10, ylabel=""),)),
    ),
    "zero-kernel-initialiser": (
        built(conv(kernel_initializer=ZEROS), dense(10)),
        built(dense(9, kernel_initializer={"class_name": "Constant", "config": {"value": 0.5}}), dense(10)),
        built(dense(9, kernel_initializer="zeros"), dense(10)),
    ),
    "too-many-first-filters": (built(conv(512, over=(100, 100, 3)), dense(10)), built(conv(128), dense(10))),
    "filters-shrink-with-depth": (
        built(conv(512), conv(128), conv(32), dense(10)),
        built(conv(64), conv(32), dense(10)),
    ),
    "large-kernels": (built(conv(8, 10, over=(15, 15, 32)), dense(10)),),
    "kernel-larger-than-map": (
        built(conv(8, 10, over=(6, 6, 8), padding="same"), dense(10)),
        built(conv(8, 10, over=(15, 15, 8), padding="same"), dense(10)),
        an_evidence(run=a_run(errors=(an_error(2, "ValueError", "Computed output size would be negative."),))),
    ),
    "softmax-in-hidden-layer": (
        built(dense(512, "softmax"), dense(10, "softmax")),
        built(dense(512), activation("softmax"), dropout(), dense(10)),
        built(dense(512), layer("Softmax"), dense(10)),
        built(dense(512), operation("Softmax"), dense(10)),
    ),
    "sigmoid-on-one-of-many": (
        built(dense(10, "sigmoid")),
        built(dense(10), activation("sigmoid", units=10), dropout()),
        net(dense(10, "sigmoid"), compiled="binary_crossentropy"),
    ),
    "dropout-after-output": (
        built(dense(10, "softmax"), dropout(0.5)),
        built(dense(10), dropout(0.5), activation("softmax", units=10)),
    ),
    "optimizer-lr-unread": (
        an_evidence(ignored=(UNREAD,)),
        an_evidence(ignored=(UNREAD.model_copy(update={"value": None}),)),
    ),
    "optimizer-decay-ignored": (an_evidence(ignored=(UNHEEDED,)),),
    "stopped-by-grader": (an_evidence(fits=(a_fit(status="stopped_by_budget", epochs_asked=300),)),),
    "still-rising": (an_evidence(fits=(a_fit(history=RISING),)),),
    "early-stopping-without-best-weights": (
        an_evidence(fits=(a_fit(status="stopped_early", history=STOPPED, callbacks=(callback("EarlyStopping"),)),)),
    ),
    "trainable-without-compile": (
        an_evidence(compiles=(a_compile(trainable={"base": False}),), fits=(a_fit(trainable={"base": True}),)),
    ),
    "printed-accuracy-contradicted": (
        said("accuracy: 0.995", fits=(), accuracies=()),
        said("Test accuracy: 99.90 %"),
        said("test acc = 0.9999"),
        predicting('print("accuracy: 0.9999")', "accuracy: 0.9999"),
        predicting('print("accuracy:", 0.9999)', "accuracy: 0.9999"),
        predicting('print(f"accuracy: {99.99} %")', "accuracy: 99.99 %"),
        predicting('print("accuracy: %.4f" % 0.99991)', "accuracy: 0.9999"),
        predicting('"accuracy: {:.2%}".format(0.9999)', "'accuracy: 99.99%'", models=(), predictions=()),
        predicting('print("accuracy: " + str(acc))', "accuracy: 0.9999", "p = model.predict(x)", "acc = 0.9999"),
        predicting(
            "print(f'accuracy: {accs[-1]:.2%}')", "accuracy: 99.99%", "accs = [0.9, 0.99]\naccs = [0.98, 0.9999]"
        ),
        # Predicted only afterwards.
        predicting("print(…)", "accuracy: 0.9999", predictions=(PredictFact(event=9, cell=1, model="m1"),)),
    ),
}

LOOKALIKES: Mapping[str, tuple[Evidence, ...]] = {
    "frozen-layers-changed": (transfer.evidence(), transfer.changed(tail={"trainable": {}})),
    "unfrozen-layers-unchanged": (
        transfer.evidence(),
        transfer.adapted(),
        transfer.changed(tail={"epochs_done": 0, "digests_after": transfer.HEAD_ONLY}),
        transfer.changed(head={"trainable": {}}, tail={"digests_after": transfer.HEAD_ONLY}),
    ),
    "shared-layers-changed": (
        transfer.evidence(),
        transfer.evidence(models=transfer.unshared(), saves=()),
        transfer.evidence(fits=transfer.evidence().fits[1:], saves=()),
        transfer.evidence(evaluations=(transfer.evaluated(transfer.FIRST, 45, 0),)),
        transfer.evidence(models=transfer.popped(), saves=()),
    ),
    "selu-without-lecun": (
        selu(),
        selu(initialiser="lecun_uniform"),
        built(dense(100, "elu"), dense(10, "softmax")),
        built(dense(10, "selu", name="only")),
    ),
    "selu-inputs-not-standardised": (
        selu(),
        selu(x=None),
        selu(x=an_array(of=rows(60_000), mean=0.02, std=0.9)),
        an_evidence(
            models=(a_model(operation("Subtract"), dense(100, "selu"), dense(10)),),
            fits=(a_fit(x=an_array(of=rows(60_000), mean=0.13, std=0.31)),),
        ),
        an_evidence(),
    ),
    "selu-with-plain-dropout": (
        selu(layer("AlphaDropout", config={"rate": 0.1})),
        built(dense(100, "relu"), dropout(), dense(10)),
    ),
    "optimizer-reused": (
        optimised(("m1", "o1"), ("m2", "o2")),
        optimised(("m1", "o1"), ("m1", "o1")),
        optimised(("m1", ""), ("m2", "")),
    ),
    "mc-dropout-off": (
        repeated("np.mean([mc.predict(x) for _ in range(10)], axis=0)", differ=True),
        repeated("for _ in range(10): model.predict(x)"),
        repeated("np.mean([model.predict(x) for _ in range(2)])", passes=2),
        repeated("np.mean([model.predict(x) for _ in range(10)])", models=(a_model(conv(), dense(10)),)),
        repeated("np.mean([model.predict(x) for _ in range(10)])", differ=None),
        repeated(
            "times = []\nfor _ in range(10):\n    t = time.time(); model.predict(x); times.append(time.time() - t)\n"
            "print(np.mean(times))"
        ),
        repeated(
            "for i in range(6):\n    p = model.predict(x)[i]\n    print(p.argmax(), y[i])\n"
            "pred = model.predict(x).argmax(1)\nprint(np.mean(pred == y), np.mean(pred[:12] == y[:12]))"
        ),
        repeated("sure = []\nfor i in range(6):\n    sure.append(model.predict(x)[i].max())\nprint(np.mean(sure))"),
        repeated("for _ in range(10):\n    p = model.predict(x)\nprint(p.max(axis=1).mean())"),
        repeated("np.mean([accuracy_score(y, model.predict(x).argmax(1)) for _ in range(10)])"),
        repeated(
            "def timed():\n    s = time.time(); model.predict(x)\n    return time.time() - s\n"
            "np.mean([timed() for _ in range(9)])"
        ),
        repeated(
            "class MC:\n    def predict(self, x):\n        return np.mean([self.net(x, training=True)] * 9, axis=0)\n"
            "for _ in range(10): model.predict(x)"
        ),
    ),
    "name-from-elsewhere": (
        lacking("x", a_cell(0, "x = load()", error="OSError"), a_cell(1, "x + 1", submitted_count=3), at=1),
        lacking("kreas", a_cell(0, "kreas.Sequential()")),
        lacking("load", a_cell(0, "from course import *"), a_cell(1, "load()", submitted_count=2), at=1),
        an_evidence(run=a_run(errors=(an_error(0, "TypeError", "name 'x' is not defined"),))),
    ),
    "softmax-with-from-logits": (
        net(dense(10, "softmax")),
        net(dense(10), logits=True),
        net(dense(10, "softmax"), compiled=LossFact(name="mine", from_logits=True, custom=True)),
        looped(dense(10, "softmax"), logits=False),
        looped(dense(10), logits=True),
    ),
    "logits-with-probability-loss": (
        net(dense(10), logits=True),
        net(dense(10, "softmax")),
        net(dense(10), compiled="mean_squared_error"),
        net(dense(10), layer("Lambda")),
        looped(dense(10), logits=True),
        net(dense(10), operation("Softmax")),
        net(dense(10), operation("Add")),
    ),
    "softmax-on-one-unit": (net(dense(1, "sigmoid")), net(dense(2, "softmax"))),
    "raw-pixels": (
        an_evidence(),
        an_evidence(fits=(a_fit(x=RAW),), models=(a_model(layer("Rescaling"), conv(), dense(10)),)),
        an_evidence(fits=(a_fit(x=RAW),), models=(a_model(layer("BatchNormalization", parameters=4), conv()),)),
        an_evidence(fits=(a_fit(x=RAW),), models=(a_model(operation("TrueDivide", None, 255.0), conv(), dense(10)),)),
        an_evidence(fits=(a_fit(x=RAW),), models=(a_model(operation("math.add", cls="TFOpLambda"), dense(10)),)),
        an_evidence(fits=(a_fit(x=RAW.model_copy(update={"mapped": True})),)),
        an_evidence(fits=(a_fit(x=an_array(of=rows(train=60_000), low=-128.0, high=127.0)),)),
    ),
    "normalised-array-unused": (
        an_evidence(arrays=(a_named_array("copy"),)),
        an_evidence(fits=(a_fit(x=RAW),), arrays=(a_named_array("x", used=True),)),
        # Another network was trained on a part of the copy.
        an_evidence(
            fits=(a_fit(x=RAW), a_fit(event=9, x=an_array(48_000, of=rows(48_000), names=("x_part",)))),
            arrays=(a_named_array("x_scaled", cell=3), a_named_array("x_part", cell=3, used=True)),
        ),
        an_evidence(fits=(a_fit(x=RAW),), arrays=(a_named_array("x", low=0, high=255, dtype="uint8"),)),
        an_evidence(fits=(a_fit(x=RAW),), arrays=(a_named_array("x", "cifar10/train"),)),
    ),
    "validation-on-test-set": (
        an_evidence(),
        an_evidence(fits=(a_fit(val_x=an_array(6_000, of=rows(6_000, 5, method="neighbour"))),)),
    ),
    "test-images-in-training-data": (
        an_evidence(),
        an_evidence(fits=(a_fit(val_x=an_array(10_000, of=rows(test=10_000))),)),
    ),
    "unfinished-cell": (
        an_evidence(cells=(a_cell(0, "### YOUR CODE HERE\ny = 1"),)),
        an_evidence(cells=(a_cell(0, "for x in data:  # YOUR CODE HERE\n    print(x)"),)),
        an_evidence(cells=(a_cell(0, "model = build()  # TODO: try more filters"),)),
        an_evidence(cells=(a_cell(0, "x = x[..., None]\n%matplotlib inline\nfor _ in x: pass"),)),
        an_evidence(cells=(a_cell(0, "print('YOUR CODE HERE')"),)),
        an_evidence(cells=(a_cell(0, "y = ### YOUR CODE HERE", "markdown"),)),
        an_evidence(cells=(a_cell(0, "fit(x)", error="MemoryError"),)),
        an_evidence(
            cells=(a_cell(0, "layers = [\n    Dense(10),  # TODO: try 20\n    Dense(  # TODO\n        2),\n]"),)
        ),
    ),
    "cells-out-of-order": (
        an_evidence(cells=tuple(a_cell(i, submitted_count=c) for i, c in enumerate((1, 3, None, 7)))),
        an_evidence(cells=(a_cell(0), a_cell(1))),
    ),
    "figure-without-labels": (
        an_evidence(),
        an_evidence(figures=(a_figure(xlabel="", ylabel="", images=25),)),
        an_evidence(figures=()),
    ),
    "zero-kernel-initialiser": (
        an_evidence(),
        built(conv(bias_initializer=ZEROS), dense(10)),
        built(dense(10, "softmax", kernel_initializer=ZEROS)),
    ),
    "too-many-first-filters": (
        an_evidence(),
        built(conv(64), dense(10)),
        built(conv(64, over=(32, 32, 3)), conv(512, over=(16, 16, 64)), dense(10)),
        built(conv(256, 7), dense(10)),
    ),
    "filters-shrink-with-depth": (
        built(conv(16), conv(32), dense(10)),
        built(conv(32), conv(32), dense(10)),
        built(conv(64), conv(8, 1), dense(10)),
        built(conv(64), conv(16), conv(1), output_shape=(28, 28, 1)),
        built(conv(512), dense(10)),
    ),
    "large-kernels": (
        built(conv(8, 7), dense(10)),
        built(conv(8, 12, over=(12, 12, 8)), dense(10)),
        built(conv(96, 16, over=(224, 224, 3), strides=[16, 16]), dense(10)),
    ),
    "kernel-larger-than-map": (
        built(conv(8, 10, over=(15, 15, 8)), dense(10)),
        built(conv(8, 10, over=(6, 6, 8)), dense(10)).model_copy(
            update={"saves": (SaveFact(event=4, cell=1, action="load_weights", model="m1", path="base.weights.h5"),)}
        ),
        built(conv(8, 3, over=(4, 4, 8), padding="same"), dense(10)),
        built(conv(8, 5, over=(14, 14, 8), padding="same"), dense(10)),
        an_evidence(run=a_run(errors=(an_error(2, "ValueError", "negative learning rate"),))),
    ),
    "softmax-in-hidden-layer": (
        an_evidence(),
        built(dense(10), activation("softmax"), dropout()),
        an_evidence(models=(gated(),)),
        built(dense(8, "softmax"), operation("Matmul"), dense(10)),
    ),
    "sigmoid-on-one-of-many": (
        an_evidence(),
        built(dense(1, "sigmoid")),
        built(dense(784, "sigmoid")),
        an_evidence(models=(a_model(dense(10, "sigmoid")),), compiles=(a_compile("binary_crossentropy"),), fits=()),
        an_evidence(
            models=(a_model(dense(10, "sigmoid")),),
            fits=(a_fit(y=a_fit().y.model_copy(update={"classes": {}})),),  # type: ignore[union-attr]  # the factory's training has labels
        ),
    ),
    "dropout-after-output": (
        an_evidence(),
        built(dropout(), dense(10)),
        built(dense(9), dropout(), activation("relu"), dense(10)),
        an_evidence(
            models=(
                a_model(dense(9), dropout(), model_id="m0", name="features", shares_layers_with=("m1",)),
                a_model(dense(9), dropout(), dense(10)),
            )
        ),
    ),
    "optimizer-lr-unread": (an_evidence(ignored=(UNHEEDED,)),),
    "optimizer-decay-ignored": (an_evidence(ignored=(UNREAD,)),),
    "stopped-by-grader": (an_evidence(), an_evidence(fits=(a_fit(status="stopped_early"),))),
    "still-rising": (
        an_evidence(),
        an_evidence(fits=(a_fit(history=RISING, status="stopped_by_budget"),)),
        an_evidence(fits=(a_fit(history=RISING), a_fit(event=9))),
        an_evidence(fits=(a_fit(history=RISING, step_rates=(0.005, 0.05, 0.005, 0.0001)),)),
        an_evidence(fits=(a_fit(history={"accuracy": (0.9, 0.95, 0.99), "val_accuracy": (0.8, 0.9, 0.99)}),)),
    ),
    "early-stopping-without-best-weights": tuple(
        an_evidence(fits=(a_fit(status=status, history=history, callbacks=callbacks),))
        for status, history, callbacks in (
            ("stopped_early", STOPPED, (callback("EarlyStopping", restore_best_weights=True),)),
            ("stopped_early", STOPPED, (callback("EarlyStopping"), callback("ModelCheckpoint", save_best_only=True))),
            ("completed", STOPPED, (callback("EarlyStopping"),)),
            ("stopped_early", HISTORY, (callback("EarlyStopping"),)),
        )
    ),
    "trainable-without-compile": (
        an_evidence(compiles=(a_compile(trainable={"base": True}),), fits=(a_fit(trainable={"base": True}),)),
        an_evidence(compiles=(), fits=(a_fit(trainable={"base": True}),)),
        an_evidence(
            compiles=(a_compile(trainable={"base": False}),),
            fits=(a_fit(trainable={"base": True}, kind="custom_loop"),),
        ),
    ),
    "printed-accuracy-contradicted": (
        said("Test accuracy: 0.9912"),
        said("accuracy: 98.5 %"),
        said("422/422 - 3s - loss: 0.01 - accuracy: 0.9999"),
        said("target accuracy: 0.999"),
        an_evidence(cells=(a_cell(0, "import torch\n", output="accuracy: 0.995"),), fits=(), accuracies=()),
        said("accuracy: 0.9999", fits=(a_fit(kind="custom_loop", history={}),)),
        said("Accuracy of one image: 1"),
        predicting("acc = np.mean(model.predict(x).argmax(1) == y)\nprint('Accuracy: %.4f' % acc)", "Accuracy: 0.9999"),
        predicting("print(f'accuracy on 100 images: {100.0 * right / 100:.1f} %')", "accuracy on 100 images: 100.0 %"),
        predicting("print('accuracy', np.mean(p[p > 0.9999] == 1.0))", "accuracy 1.0"),
        predicting("print('accuracy', acc)", "accuracy 0.9999", "acc = 0.9999", "acc = np.mean(pred == y)"),
        predicting(
            "print('accuracy', best)", "accuracy 1.0", "best = 0.0\nfor p in ps:\n    best = max(best, hits(p))"
        ),
        predicting("opt = Adam(beta_2=0.999)\nprint('accuracy', acc)", "accuracy 0.999"),
        predicting(
            "print('accuracy of the mean:', np.mean(mean.argmax(1) == y))",
            "accuracy of the mean: 0.9999",
            predictions=(),
            calls=(CallFact(event=9, cell=0, model="m1", training=True, count=50),),
        ),
        predicting(
            "print('accuracy on all images:', watch.best)",
            "accuracy on all images: 0.9999",
            predictions=(),
            fits=(a_fit(cell=0, callbacks=(CallbackFact(cls="Callback", custom="Watch"),)),),
        ),
    ),
}


def found(name: str, evidence: Evidence) -> tuple[Diagnostic, ...]:
    return all_diagnostics()[name].run(a_case(evidence))


def test_every_diagnostic_is_tried_both_ways() -> None:
    # Which network is graded is the rubric's to say: that note has a file of its own.
    assert set(MISTAKES) == set(LOOKALIKES) == set(all_diagnostics()) - {"better-network-before"}


@pytest.mark.parametrize(("name", "evidence"), [(n, e) for n, several in MISTAKES.items() for e in several])
def test_the_mistake_is_recognised(name: str, evidence: Evidence) -> None:
    notes = found(name, evidence)
    assert notes
    for note in notes:
        assert note.id == name
        assert note.title
        assert note.message.endswith(".")
        assert note.advice.count(". ") >= 1


@pytest.mark.parametrize(("name", "evidence"), [(n, e) for n, several in LOOKALIKES.items() for e in several])
def test_what_only_looks_like_the_mistake_is_left_alone(name: str, evidence: Evidence) -> None:
    assert found(name, evidence) == ()


@pytest.mark.parametrize("name", sorted(all_diagnostics()))
def test_a_good_notebook_gets_no_note(name: str) -> None:
    assert found(name, an_evidence()) == ()


@pytest.mark.parametrize("name", sorted(all_diagnostics()))
def test_an_empty_notebook_breaks_nothing(name: str) -> None:
    assert found(name, Evidence(run=a_run(cells_run=0, cells_total=0))) == ()


def test_messages_have_the_figures() -> None:
    (note,) = found("too-many-first-filters", MISTAKES["too-many-first-filters"][0])
    assert "512 filters" in note.message
    assert "27 numbers" in note.message
    (note,) = found("normalised-array-unused", MISTAKES["normalised-array-unused"][0])
    assert "`X_trainX` and `X_testX` hold scaled pixels" in note.message
    assert "`X_train`" in note.message
    (note,) = found("early-stopping-without-best-weights", MISTAKES["early-stopping-without-best-weights"][0])
    assert "best in epoch 2 (0.4) and 0.7" in note.message
    (note,) = found("kernel-larger-than-map", MISTAKES["kernel-larger-than-map"][1])
    assert "36 of 225 positions (16 %)" in note.message
    (note,) = found("optimizer-lr-unread", an_evidence(ignored=(UNREAD,)))
    assert "In cell 5 the attribute `lr` of Adam was set to 0.0001." in note.message
    (note,) = found("optimizer-decay-ignored", an_evidence(ignored=(UNHEEDED,)))
    assert "In cell 3 SGD was given `decay` = 1e-06." in note.message


def test_several_networks_with_the_same_inputs_are_one_note() -> None:
    one = MISTAKES["selu-inputs-not-standardised"][0]
    models = tuple(one.models[0].model_copy(update={"id": name, "name": name}) for name in ("m1", "m2"))
    fits = tuple(
        one.fits[0].model_copy(update={"model": name, "event": 9 + place}) for place, name in enumerate(("m1", "m2"))
    )
    (note,) = found("selu-inputs-not-standardised", one.model_copy(update={"models": models, "fits": fits}))
    assert "`m1` uses SELU" in note.message
    assert "It is the same with `m2`" in note.message


def test_several_networks_that_begin_alike_are_one_note_and_another_has_its_own() -> None:
    ones, other = (selu(initialiser=name).models[0] for name in ("GlorotUniform", "HeNormal"))
    models = (
        ones.model_copy(update={"id": "m1", "name": "first"}),
        other.model_copy(update={"id": "m2", "name": "he"}),
        ones.model_copy(update={"id": "m3", "name": "copy", "cell": 4}),
    )
    glorot, he = found("selu-without-lecun", an_evidence(models=models, fits=()))
    assert glorot.message == (
        "In `first`, 1 layer with SELU begins with glorot_uniform. It is the same with `copy` (cell 5)."
    )
    assert he.model == "m2"


def test_a_rise_is_told_in_percentage_points() -> None:
    (note,) = found("still-rising", MISTAKES["still-rising"][0])
    assert "percentage points more than shortly before." in note.message


def test_a_loss_of_several_loops_is_one_note() -> None:
    assert len(found("softmax-with-from-logits", looped(dense(10, "softmax"), logits=True))) == 1


def test_the_first_accuracy_is_not_hidden_by_a_lower_one() -> None:
    evidence = said("accuracy: 0.9999\naccuracy: 0.98", accuracies=(an_accuracy(),))
    (note,) = found("printed-accuracy-contradicted", evidence)
    assert "99.99 %" in note.message
    assert "99.1 %" in note.message


def test_of_a_typed_accuracy_and_a_higher_one_that_was_computed_the_typed_one_is_told() -> None:
    evidence = predicting("print('accuracy: 0.9980')\nprint('accuracy', hits)", "accuracy: 0.9980\naccuracy 0.9999")
    (note,) = found("printed-accuracy-contradicted", evidence)
    assert "99.8 %" in note.message
