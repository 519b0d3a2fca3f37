"""Table of the supported old forms: the old code, its meaning in the grader, and the modern code.

It is used for the `emulated` events, the compatibility layer and `docs/keras2.md`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ..record.notes import Notes

__all__ = ["FORMS", "Form", "tell"]


@dataclass(frozen=True, slots=True)
class Form:
    """An old form of Keras, TensorFlow, NumPy or matplotlib code."""

    old: str
    """The code in old notebooks."""
    meaning: str
    """Its effect in the grader."""
    modern: str
    """The modern code."""

    @property
    def message(self) -> str:
        """Message of the `emulated` event."""
        return f"{self.old}: {self.meaning}. Today: {self.modern}."


FORMS: Mapping[str, Form] = {
    "optimizer.lr": Form("Adam(lr=…)", "taken as `learning_rate=`", "`Adam(learning_rate=…)`"),
    "optimizer.decay": Form(
        "SGD(decay=d)",
        "the rate of step n is rate / (1 + d · n), as in Keras 2",
        "`SGD(learning_rate=InverseTimeDecay(rate, 1, d))`",
    ),
    "optimizer.lr_attribute": Form(
        "optimizer.lr", "reads and sets the learning rate", "`optimizer.learning_rate` and `.learning_rate.assign(…)`"
    ),
    "optimizer.lower_case": Form(
        "optimizers.adam(…)", "the class of that name", "the capitalized class, `optimizers.Adam(…)`"
    ),
    "optimizer.shared": Form(
        "one optimizer compiled into several models",
        "each model gets new moments, and the step count continues, as in Keras 2",
        "a new optimizer for each model",
    ),
    "optimizer.default_rate": Form(
        "Adadelta(), Adagrad(), Adamax(), Nadam() without a rate",
        "0.001, as since Keras 2.4; in the package `keras` up to 2.3 the rates were 1.0, 0.01, 0.002 and 0.002, and "
        "the notebook does not show its version",
        "an explicit rate, such as `Adadelta(learning_rate=1.0)`",
    ),
    "backend.set_value": Form("K.set_value(variable, value)", "sets the variable", "`variable.assign(value)`"),
    "backend.get_value": Form("K.get_value(variable)", "returns the variable's value", "`variable.numpy()`"),
    "backend.function": Form(
        "K.function([inputs], [outputs])",
        "a model from those inputs to those outputs; a learning phase among the inputs chooses training or inference",
        "`keras.Model(inputs, outputs)`, called with `training=`",
    ),
    "backend.image_dim_ordering": Form(
        "K.image_dim_ordering(), K.set_image_dim_ordering('tf')",
        "`tf` is `channels_last` and `th` is `channels_first`",
        "`keras.config.image_data_format()`",
    ),
    "backend.set_session": Form(
        "K.set_session(session)",
        "nothing: TensorFlow 2 runs eagerly, without a session",
        "no session; `tf.config.experimental.set_memory_growth(gpu, True)` for the usual purpose",
    ),
    "backend.old_name": Form(
        "K.mean(…), K.sqrt(…) and others of the package `keras`",
        "the function of Keras 2",
        "`keras.ops` or TensorFlow's own functions",
    ),
    "models.predict_classes": Form(
        "model.predict_classes(x)",
        "the index of the largest output, or whether a single output is above 0.5",
        "`model.predict(x).argmax(axis=-1)`, or `model.predict(x) > 0.5`",
    ),
    "models.predict_proba": Form("model.predict_proba(x)", "the same as `predict`", "`model.predict(x)`"),
    "models.fit_generator": Form("model.fit_generator(generator)", "the same as `fit`", "`model.fit(generator)`"),
    "models.evaluate_generator": Form(
        "model.evaluate_generator(generator)", "the same as `evaluate`", "`model.evaluate(generator)`"
    ),
    "models.predict_generator": Form(
        "model.predict_generator(generator)", "the same as `predict`", "`model.predict(generator)`"
    ),
    "models.nb_epoch": Form("fit(nb_epoch=n)", "taken as `epochs=`", "`fit(epochs=n)`"),
    "models.samples": Form(
        "samples_per_epoch=, nb_val_samples=, val_samples=",
        "numbers of samples, divided by the generator's batch size and rounded up",
        "`steps_per_epoch=`, `validation_steps=` and `steps=`, which count batches",
    ),
    "models.generator_keywords": Form(
        "nb_worker=, pickle_safe=, max_q_size=",
        "taken as `workers=`, `use_multiprocessing=` and `max_queue_size=`",
        "these names; in Keras 3 they are arguments of the data set's own class",
    ),
    "models.input_output": Form(
        "Model(input=a, output=b)", "taken as `inputs=, outputs=`", "`Model(inputs=a, outputs=b)`"
    ),
    "layers.keras1": Form(
        "nb_filter=, border_mode=, subsample=, init=, W_regularizer=, output_dim= and the other keywords of Keras 1",
        "taken as `filters=`, `padding=`, `strides=`, `kernel_initializer=`, `kernel_regularizer=`, `units=` …",
        "the keywords of Keras 2, which Keras 3 still has",
    ),
    "layers.positional_kernel": Form(
        "Conv2D(n, 3, 3) of the package `keras`",
        "a kernel of 3 × 3, as up to Keras 2.3; in `tf.keras` the third argument has always been the strides",
        "`Conv2D(n, (3, 3))`",
    ),
    "layers.updates": Form("layer.updates", "an empty list, as since TensorFlow 2", "no replacement: remove it"),
    "regularizers.keras1": Form(
        "regularizers.activity_l2(…), WeightRegularizer(l2=…)", "`l2(…)` and `L1L2(…)`", "`regularizers.L2(…)`"
    ),
    "history.acc": Form(
        "history.history['acc'], logs['val_acc'], monitor='val_acc'",
        "with `metrics=['accuracy']`, the values now called `accuracy` and `val_accuracy`",
        "`history.history['accuracy']`",
    ),
    "history.lr": Form(
        "history.history['lr']", "the rate that the callback logged", "`history.history['learning_rate']`"
    ),
    "history.accuracy": Form(
        "history.history['accuracy']",
        "with `metrics=['acc']`, the values that are called `acc` and `val_acc`",
        "`history.history['acc']`, or `metrics=['accuracy']`",
    ),
    "history.learning_rate": Form(
        "history.history['learning_rate']", "the rate that the callback logged as `lr`", "`history.history['lr']`"
    ),
    "metrics.reset_states": Form("metric.reset_states()", "the same as `reset_state`", "`metric.reset_state()`"),
    "wrappers.scikit_learn": Form(
        "keras.wrappers.scikit_learn.KerasClassifier(build_fn)",
        "a small replacement with `fit`, `predict`, `predict_proba`, `score`, `get_params` and `set_params`",
        "the package `scikeras`, or `fit` without a wrapper",
    ),
    "tensorflow1": Form(
        "tf.set_random_seed, tf.ConfigProto, tf.Session, tf.logging and similar names",
        "the equivalent function in TensorFlow 2 or in `tf.compat.v1`",
        "`tf.random.set_seed`, and no session",
    ),
    "numpy.removed": Form(
        "np.float, np.int, np.Inf and other names that NumPy removed",
        "their old values",
        "`float`, `int`, `bool`, `np.float64`, `np.inf`",
    ),
    "matplotlib.style": Form(
        "plt.style.use('seaborn-whitegrid')", "the style of that name", "`plt.style.use('seaborn-v0_8-whitegrid')`"
    ),
    "matplotlib.set_ticks": Form(
        "ax.set_xticks(ticks, flag)", "the second argument is `minor`", "`ax.set_xticks(ticks, minor=True)`"
    ),
}
"""Form id → the form. `dialect.py` adds the ids `moved.…` for modules that moved."""


def tell(notes: Notes, form: str) -> None:
    """Write a form's `emulated` event.

    Args:
        notes: Receives the event.
        form: Key in `FORMS`.
    """
    notes.tell(form, FORMS[form].message)
