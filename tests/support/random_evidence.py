"""Random evidence: any mixture of facts that an execution can give, also ones that fit badly together."""

from typing import Any

from hypothesis import strategies as st

from grader.schema.base import Assurance
from grader.schema.evidence import (
    CallbackFact,
    DatasetFact,
    Evidence,
    FitFact,
    LabelFact,
    LayerFact,
    LossFact,
    ModelFact,
    NamedArrayFact,
    NamedLabelFact,
    OptimizerFact,
    SaveFact,
    TransformFact,
)
from tests.support.factories import (
    HISTORY,
    a_cell,
    a_compile,
    a_figure,
    a_fit,
    a_model,
    a_run,
    an_accuracy,
    an_array,
    an_error,
    an_evidence,
    conv,
    dense,
    dropout,
    layer,
    rows,
    some_passes,
)

__all__ = ["evidence"]

_NAMES = st.one_of(
    st.sampled_from(
        ["model", "cnn", "plain_net", "first", "m2", "Netz: ä", "it's", "a\nb", "- x", "#1", "{x}", "null"]
    ),
    st.text(min_size=1, max_size=12),
)
_ACTIVATIONS = st.sampled_from(["relu", "elu", "selu", "linear", "softmax", "tanh", "sine_of_my_own"])
_DATASETS = st.sampled_from(["mnist", "fashion_mnist", "cifar10", "my-letters"])
_TEXTS = st.one_of(
    st.just("# Results\nThe convolution and the pooling keep the loss small, dropout avoids overfitting. " * 4),
    st.text(max_size=300),
)
_LEARNED = "digest of learned weights"


@st.composite
def _layers(draw: st.DrawFn) -> tuple[LayerFact, ...]:
    kinds = draw(st.lists(st.sampled_from(["conv", "dense", "drop", "alpha", "norm", "add", "own"]), max_size=9))
    activation = draw(_ACTIVATIONS)
    initialiser = draw(st.sampled_from(["GlorotUniform", "HeNormal", "LecunNormal"]))
    settings: dict[str, Any] = {"kernel_initializer": {"class_name": initialiser, "config": {}}}
    if draw(st.booleans()):
        settings["kernel_regularizer"] = {"class_name": "L2", "config": {"l2": draw(st.sampled_from([0.0, 0.01]))}}
    made = {
        "conv": lambda n: conv(4, name=n, activation=activation),
        "dense": lambda n: dense(16, activation, name=n, **settings),
        "drop": lambda n: dropout(draw(st.sampled_from([0.0, 0.3, 0.95])), n),
        "alpha": lambda n: layer("AlphaDropout", n, config={"rate": 0.1}),
        "norm": lambda n: layer("BatchNormalization", n, parameters=8),
        "add": lambda n: layer("Add", n),
        "own": lambda n: layer("Layer", n, custom="Mine", parameters=9),
    }
    repeated = kinds * draw(st.sampled_from([1, 1, 6]))
    inner = tuple(made[kind](f"{kind}_{place}") for place, kind in enumerate(repeated))
    units = draw(st.sampled_from([1, 2, 8, 10]))
    return (*inner, dense(units, draw(st.sampled_from(["softmax", "linear", "sigmoid"])), name="out"))


@st.composite
def _models(draw: st.DrawFn) -> tuple[ModelFact, ...]:
    return tuple(
        a_model(
            *draw(_layers()),
            model_id=f"m{place}",
            name=draw(_NAMES),
            cell=draw(st.sampled_from([None, 2, 3])),
            **draw(st.sampled_from([{}, {"output_shape": None}, {"input_shape": None}, {"parameters": None}])),
        )
        for place in range(1, draw(st.integers(0, 4)) + 1)
    )


@st.composite
def _fit(draw: st.DrawFn, model: ModelFact, event: int) -> FitFact:
    dataset, count = draw(_DATASETS), draw(st.sampled_from([50, 200, 54_000]))
    classes = draw(st.sampled_from([range(10), (5, 6), (0, 1, 2, 3, 4, 7, 8, 9), range(1)]))
    held = {str(one): count // len(classes) for one in classes}
    known = draw(st.booleans())
    of = rows(train=count, dataset=dataset, classes=held, test=draw(st.sampled_from([0, 0, 5]))) if known else None
    names = [one.name for one in model.layers if one.parameters]
    before = {name: f"{_LEARNED} {name}" if draw(st.booleans()) else f"new {model.id}" for name in names}
    frozen = {name: draw(st.booleans()) for name in names}
    loop = draw(st.booleans())
    values: dict[str, Any] = {
        "event": event,
        "cell": draw(st.sampled_from([None, 4])),
        "model": model.id,
        "kind": "custom_loop" if loop else "fit",
        "status": draw(st.sampled_from(["completed", "stopped_early", "stopped_by_budget", "error", "unfinished"])),
        "epochs_done": draw(st.sampled_from([0, 1, 4])),
        "total_steps": draw(st.sampled_from([None, 0, 1, 1_000])),
        "history": draw(st.sampled_from([{}, HISTORY, {"loss": (float("nan"), 0.2)}])),
        "learning_rates": draw(st.sampled_from([(), (0.1, 0.01), (0.1,), (0.01, 0.1, 0.01), (float("nan"), 0.1)])),
        "x": draw(st.sampled_from([None, an_array(count, of=of), an_array(count, of=of, mean=0.0, std=1.0, low=-2.0)])),
        "y": LabelFact(shape=(count,), dtype="uint8", one_hot=False, classes=held),
        "validation": draw(st.sampled_from(["none", "data", "split"])),
        "callbacks": tuple(
            CallbackFact(cls=cls, config={"restore_best_weights": True, "monitor": draw(_NAMES)})
            for cls in draw(st.lists(st.sampled_from(["EarlyStopping", "ReduceLROnPlateau", "Callback"]), max_size=2))
        ),
        "compiled": draw(st.sampled_from([None, event - 1])),
        "optimizer": OptimizerFact(cls=draw(st.sampled_from(["SGD", "Adam", "Mine"])), config={"clipnorm": 1.0}),
        "trainable": frozen,
        "digests_before": before,
        "digests_after": {name: f"{_LEARNED} {name}" for name in names},
    }
    return a_fit(**values)


@st.composite
def evidence(draw: st.DrawFn) -> Evidence:
    """Evidence of an execution with up to four models and six trainings."""
    models = draw(_models())
    count = draw(st.integers(0, 6)) if models else 0
    fits = tuple(draw(_fit(draw(st.sampled_from(models)), 10 * place)) for place in range(1, count + 1))
    losses = st.sampled_from(["sparse_categorical_crossentropy", "mse", "binary_crossentropy", "loss_of_my_own"])
    compiles = tuple(
        a_compile(LossFact(name=draw(losses), custom=draw(st.booleans())), event=fit.event - 1, model=fit.model)
        for fit in fits
    )
    accuracies = tuple(
        an_accuracy(
            draw(st.integers(0, 10_000)),
            model=model.id,
            dataset=draw(_DATASETS),
            task=draw(st.sampled_from([None, "a", "b", "letters"])),
            assurance=draw(st.sampled_from([Assurance.VERIFIED, Assurance.RECORDED])),
        )
        for model in models
        if draw(st.booleans())
    )
    arrays = tuple(
        NamedArrayFact(
            name=name,
            shape=(size, 32, 32, 3),
            dtype="float32",
            rows=rows(train=size, dataset="cifar10"),
            transform=TransformFact(kind="affine", scale=draw(st.sampled_from([None, 1 / 255, 1.0, -1.0])), shift=-0.5),
            common={other: draw(st.sampled_from([0, 0, 3])) for other in ("left", "right")},
        )
        for name, size in draw(st.sampled_from([(), (("left", 35_000), ("right", 15_000)), (("left", 7),)]))
    )
    labels = (NamedLabelFact(name="y", shape=(7, 10), dtype="int", one_hot=True, right={"left": 1.0}),)
    passes = [some_passes(model=model.id, passes=draw(st.integers(1, 20))) for model in models[:1]]
    errors = draw(st.sampled_from([(), (), (an_error(),)]))
    texts = draw(st.lists(_TEXTS, max_size=3))
    return an_evidence(
        run=a_run(errors=errors, peak_memory_mib=draw(st.sampled_from([None, 900.0, 9_000.0]))),
        cells=(a_cell(0), *(a_cell(place, text, "markdown") for place, text in enumerate(texts, 1))),
        datasets=tuple(
            DatasetFact(event=1, cell=0, dataset=draw(_DATASETS), via="load") for _ in range(draw(st.integers(0, 3)))
        ),
        models=models,
        compiles=compiles,
        fits=fits,
        accuracies=accuracies,
        arrays=arrays,
        labels=labels if arrays else (),
        repeated_passes=tuple(passes),
        saves=tuple(
            SaveFact(event=1, cell=1, action="set_weights", model=model.id, other=models[0].id) for model in models[1:]
        ),
        figures=draw(st.sampled_from([(), (a_figure(HISTORY["accuracy"], HISTORY["loss"]),)])),
    )
