"""What can be said about an exception: the modern form of an old API, or what the sandbox does not have."""

import re
from typing import NamedTuple

__all__ = ["advice_for"]


class _Rule(NamedTuple):
    name: str
    """Pattern for the whole name of the exception's class."""
    message: str
    """Pattern searched in its text."""
    advice: str


_ABSENT = "ModuleNotFoundError|ImportError"

_RULES = (
    _Rule("ValueError|TypeError", r"(Argument|keyword|argument).*\blr\b", "Write `learning_rate=` instead of `lr=`."),
    _Rule(
        "ValueError|TypeError",
        r"\bdecay\b.*(deprecated|not recognized|unexpected)|(not recognized|unexpected).*\bdecay\b",
        "Give the optimizer a schedule as its `learning_rate`, such as `keras.optimizers.schedules.InverseTimeDecay`.",
    ),
    _Rule(
        "TypeError|ValueError",
        r"nb_epoch|samples_per_epoch|border_mode|nb_val_samples|dim_ordering|init=|subsample",
        "These are Keras 1 keywords: write `epochs=`, `steps_per_epoch=`, `padding=`, `kernel_initializer=`.",
    ),
    _Rule(
        "AttributeError",
        r"predict_(classes|proba)",
        "Write `model.predict(x)` for probabilities and `model.predict(x).argmax(axis=-1)` for classes.",
    ),
    _Rule(
        "AttributeError",
        r"(fit|predict|evaluate)_generator",
        "`fit`, `predict` and `evaluate` take generators themselves: leave out `_generator`.",
    ),
    _Rule("AttributeError", r"reset_states", "Write `metric.reset_state()`."),
    _Rule("AttributeError", r"has no attribute 'lr'", "Write `optimizer.learning_rate`."),
    _Rule(
        "AttributeError",
        r"module 'numpy' has no attribute '(float|int|bool|object|str|complex)'",
        "NumPy dropped these names: use Python's own `float`, `int`, `bool`, or `np.float64`.",
    ),
    _Rule(
        "AttributeError",
        r"'(placeholder|Session|get_session|ConfigProto|set_random_seed|global_variables_initializer)'",
        "This is TensorFlow 1. TensorFlow 2 runs eagerly: call the model directly, and seed with `tf.random.set_seed`.",
    ),
    _Rule(
        "AttributeError|ImportError",
        r"keras.*backend|backend.*keras",
        "Keras 3 keeps few functions in `keras.backend`: use `keras.ops` or TensorFlow's own functions.",
    ),
    _Rule(
        "AttributeError",
        r"keras.*optimizers.*'(adam|adamax|adagrad|adadelta|nadam|rmsprop|sgd)'",
        "Optimizer classes are capitalised: `Adam`, `Adamax`, `RMSprop`, `SGD`.",
    ),
    _Rule(
        "ImportError|AttributeError",
        r"optimizers\.legacy",
        "Keras 3 has no `optimizers.legacy`: take the optimizer from `keras.optimizers`.",
    ),
    _Rule("KeyError", r"^'?(val_)?acc'?$", "The history's key has the metric's name: `accuracy` and `val_accuracy`."),
    _Rule("KeyError", r"^'?lr'?$", "Keras 3 logs the rate as `learning_rate`."),
    _Rule(_ABSENT, r"np_utils", "Write `keras.utils.to_categorical`; `np_utils` is gone."),
    _Rule(
        _ABSENT,
        r"keras\.layers\.(normalization|convolutional|core|advanced_activations|pooling|merge|recurrent|embeddings)",
        "Import layers from `keras.layers` directly.",
    ),
    _Rule(
        _ABSENT,
        r"tensorflow\.(python|_api)|tensorflow\.contrib|tensorflow\.examples",
        "This is a private or removed part of TensorFlow: import from `tensorflow` or `keras`.",
    ),
    _Rule(
        _ABSENT,
        r"wrappers\.scikit_learn|keras\.wrappers",
        "Keras no longer wraps scikit-learn in this place: use the package `scikeras`, or call `fit` yourself.",
    ),
    _Rule(
        _ABSENT,
        r"keras\.preprocessing\.image|ImageDataGenerator",
        "Import `ImageDataGenerator` from `tensorflow.keras.preprocessing.image`, or use augmentation layers.",
    ),
    _Rule(_ABSENT, r"'winsound'", "`winsound` exists on Windows only; the grader runs on Linux. Leave the sound out."),
    _Rule(
        _ABSENT,
        r"'(torch|torchvision)'",
        "PyTorch is not part of this assignment's environment: it asks for Keras and TensorFlow.",
    ),
    _Rule(
        _ABSENT,
        r"'tensorflow_datasets'",
        "There is no network while grading: load the data with `keras.datasets`.",
    ),
    _Rule(
        _ABSENT,
        r"'(grading|utils|helper|helpers|mnist_loader)'",
        "A file of the course belongs beside the notebook: hand it in with it.",
    ),
    _Rule("ModuleNotFoundError", r"No module named", "The grader's environment lacks this package; do without it."),
    _Rule(
        "FileNotFoundError|OSError|PermissionError",
        r"'([A-Za-z]:[\\/]|/(content|Users|home|mnt|gdrive|kaggle)\b)",
        "An absolute path exists on your computer only: hand the file in beside the notebook and name it relatively.",
    ),
    _Rule(
        "FileNotFoundError",
        r"No such file",
        "The file was not handed in with the notebook, or an earlier cell that makes it did not run.",
    ),
    _Rule(
        "OSError|PermissionError",
        r"Read-only file system|Permission denied",
        "Only the notebook's own folder can be written: use a relative path.",
    ),
    _Rule(
        "OSError",
        r"No space left|File too large",
        "The notebook writes more than the grader allows: save less, or smaller files.",
    ),
    _Rule(
        "MemoryError|ResourceExhaustedError",
        "",
        "The data or the model needs more memory than there is: smaller batches, or float32 instead of float64.",
    ),
    _Rule(
        "StdinNotImplementedError",
        "",
        "Nobody can answer `input()` while grading: put the value into a variable.",
    ),
    _Rule(
        "URLError|HTTPError|ConnectionError|gaierror|NewConnectionError|MaxRetryError|Exception",
        r"URL fetch failure|urlopen|Name or service not known|name resolution|Network is unreachable|Max retries",
        "There is no network while grading: use the data sets that the assignment names, loaded through Keras.",
    ),
    _Rule(
        "NameError",
        r"is not defined",
        "The grader runs every cell once, from top to bottom: restart your kernel and run all cells before handing in.",
    ),
    _Rule("UsageError", r"[Mm]agic", "This notebook command is unknown here: leave the line out."),
    _Rule(
        "ValueError",
        r"Negative dimension size|Computed output size would be negative|negative dimension",
        "The feature map becomes smaller than the kernel: `Conv2D(n, 3, 3)` means strides of 3; write `(3, 3)`.",
    ),
    _Rule(
        "ValueError|KeyError",
        r"Unknown variable|optimizer.*different|was built with",
        "Make a new optimizer for each model: one object cannot be compiled into two models.",
    ),
    _Rule(
        "TypeError",
        r"set_[xy]ticks|set_ticklabels",
        "Matplotlib takes labels as the second argument of `set_xticks`: write `minor=True` by name.",
    ),
    _Rule(
        "TBNotInstalledError|ModuleNotFoundError",
        r"[Tt]ensor[Bb]oard",
        "TensorBoard cannot be shown while grading: plot the history with matplotlib.",
    ),
)


def advice_for(name: str, message: str) -> str:
    """Find what can be said about an exception.

    Args:
        name: The exception's class, without its module.
        message: Its text.

    Returns:
        One or two sentences; empty where nothing is known. The first rule that fits speaks.
    """
    for rule in _RULES:
        if re.fullmatch(rule.name, name) and re.search(rule.message, message, re.DOTALL):
            return rule.advice
    return ""
