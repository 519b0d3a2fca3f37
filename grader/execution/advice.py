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
        "TypeError|ValueError",
        r"(arguments passed to \w+|not understood|\b(Dense|Dropout|Flatten|Conv\w*|\w*Pooling\w*)\.__init__).*"
        r"'(init|inner_init|bias|output_dim|nb_filter|nb_row|nb_col|p|sigma|filter_length|pool_length|"
        r"[WbU]_(regularizer|constraint))'",
        "These are Keras 1 keywords: write `kernel_initializer=`, `kernel_regularizer=`, `use_bias=`, `units=`, "
        "`filters=`, `kernel_size=`, `rate=`.",
    ),
    _Rule(
        "TypeError",
        r"__init__\(\) missing .*'(units|rate|filters|kernel_size)'",
        "What Keras 1 called `output_dim=`, `p=`, `nb_filter=`, `nb_row=` and `nb_col=` is `units=`, `rate=`, "
        "`filters=` and `kernel_size=`.",
    ),
    _Rule(
        "TypeError|ValueError",
        r"(arguments passed to (Model|Functional)|not understood|\b(Model|Functional)\.__init__).*'(input|output)'",
        "Write `Model(inputs=…, outputs=…)`.",
    ),
    _Rule(
        "ValueError",
        r"dtype='string' is not a valid dtype for Keras type promotion",
        "The third argument of `compile` is `loss_weights` in Keras 3: write `metrics=[…]` by name.",
    ),
    _Rule(
        "TypeError",
        r"\b(fit|predict|evaluate)\(\).*'(workers|use_multiprocessing|max_queue_size)'",
        "Keras 3 takes `workers=` and `use_multiprocessing=` from the data set's own class (`keras.utils.PyDataset`): "
        "leave them out of `fit`.",
    ),
    _Rule(
        "TypeError",
        r"ModelCheckpoint.*'period'",
        "Write `save_freq='epoch'`: `period=` is gone from `ModelCheckpoint`.",
    ),
    _Rule(
        "ValueError",
        r"monitor=(val_)?acc\b",
        "The metric is called `accuracy`: write `monitor='accuracy'` or `monitor='val_accuracy'`.",
    ),
    _Rule(
        "ValueError",
        r"must end in `\.weights\.h5`",
        "Give a file of weights a name that ends in `.weights.h5`.",
    ),
    _Rule(
        "ValueError",
        r"Invalid filepath extension for saving|File format not supported|must end in `\.keras`",
        "Save a model to a file that ends in `.keras`; `model.export(folder)` writes a SavedModel.",
    ),
    _Rule(
        "TypeError|ValueError",
        r"Could not (locate|deserialize|interpret)",
        "Load the model with `compile=False`, or save it as `.keras`: an `.h5` file names its loss and metrics only.",
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
    _Rule("AttributeError", r"'(Sequential|Functional|Model)'.*reset_states", "Networks have no `reset_states` now."),
    _Rule("AttributeError", r"reset_states", "Write `metric.reset_state()`."),
    _Rule("AttributeError", r"has no attribute 'updates'", "Layers have no `updates` any more: leave it out."),
    _Rule(
        "AttributeError",
        r"object has no attribute '(input|output)_shape'",
        "Keras 3 knows a layer's shapes by its tensors: `layer.input.shape` and `layer.output.shape`.",
    ),
    _Rule(
        "AttributeError",
        r"^'(str|float)' object has no attribute '(name|dtype)'$",
        "If this is `K.set_value(optimizer.lr, …)`: in Keras 3 write `optimizer.learning_rate = …`.",
    ),
    _Rule(
        "AttributeError",
        r"'NoneType' object has no attribute 'create'",
        "`model_to_dot` draws nothing without Graphviz, which is not here: `model.summary()` shows the layers.",
    ),
    _Rule(
        "ImportError",
        r"install (pydot|graphviz)",
        "Graphviz is not installed where notebooks are graded: `model.summary()` shows the layers.",
    ),
    _Rule(
        "AttributeError|ImportError",
        r"multi_gpu_model",
        "`multi_gpu_model` is gone: `tf.distribute.MirroredStrategy` trains on several GPUs.",
    ),
    _Rule("AttributeError", r"has no attribute 'lr'", "Write `optimizer.learning_rate`."),
    _Rule(
        "AttributeError",
        r"module 'numpy' has no attribute '(float|int|bool|object|str|complex)'",
        "NumPy dropped these names: use Python's own `float`, `int`, `bool`, or `np.float64`.",
    ),
    _Rule("AttributeError", r"module 'numpy' has no attribute 'asscalar'", "Write `array.item()`."),
    _Rule(
        "ValueError",
        r"inhomogeneous shape",
        "The rows have different lengths: NumPy makes such an array only with `dtype=object`.",
    ),
    _Rule(
        "AttributeError",
        r"was removed in the NumPy 2\.0 release",
        "NumPy 2 dropped this name: write what the message says, such as `np.inf`, `np.nan`, `np.float64`.",
    ),
    _Rule(
        "RuntimeError",
        r"tf\.gradients is not supported",
        "Gradients are taken with `tf.GradientTape` now: run the model inside it, then `tape.gradient(output, input)`.",
    ),
    _Rule(
        "RuntimeError",
        r"tf\.placeholder\(\) is not compatible|The Session graph is empty|Attempting to capture an EagerTensor",
        "This is TensorFlow 1. TensorFlow 2 runs eagerly, without placeholders and sessions: call the model directly.",
    ),
    _Rule(
        "AttributeError",
        r"'(placeholder|Session|get_session|set_session|ConfigProto|set_random_seed|global_variables_initializer)'",
        "This is TensorFlow 1. TensorFlow 2 runs eagerly: call the model directly, and seed with `tf.random.set_seed`.",
    ),
    _Rule(
        "ImportError|ModuleNotFoundError",
        r"tensorflow_backend",
        "`keras.backend.tensorflow_backend` is gone: `keras.backend` and `tensorflow` itself have what is left of it.",
    ),
    _Rule(
        "AttributeError|ImportError",
        r"keras.*backend|backend.*keras",
        "Keras 3 keeps few functions in `keras.backend`: use `keras.ops` or TensorFlow's own functions.",
    ),
    _Rule(
        "AttributeError|ImportError",
        r"optimizers.*'(adam|adamax|adagrad|adadelta|nadam|rmsprop|sgd)'|"
        r"import name '(adam|adamax|adagrad|adadelta|nadam|rmsprop|sgd)' from '[\w.]*optimizers'",
        "Optimizer classes are capitalised: `Adam`, `Adamax`, `RMSprop`, `SGD`.",
    ),
    _Rule(
        f"{_ABSENT}|AttributeError",
        r"(adam|sgd|rmsprop|gradient_descent|adagrad|adadelta|adamax|nadam)_v2|optimizer_v[12]",
        "This is an inner module of an old Keras: write `from keras.optimizers import Adam` and the like.",
    ),
    _Rule(
        "ImportError|AttributeError",
        r"optimizers\.legacy",
        "Keras 3 has no `optimizers.legacy`: take the optimizer from `keras.optimizers`.",
    ),
    _Rule("KeyError", r"^'?(val_)?acc'?$", "The history's key has the metric's name: `accuracy` and `val_accuracy`."),
    _Rule(
        "KeyError",
        r"^'?(val_)?accuracy'?$",
        "The history's key is the name that `compile` was given: with `metrics=['acc']` it is `acc` and `val_acc`.",
    ),
    _Rule(
        "KeyError", r"^'?lr'?$", "The rate is called `learning_rate`, in the history of Keras 3 and in `get_config`."
    ),
    _Rule(
        "KeyError", r"^'?learning_rate'?$", "A history has the rate where a callback changes it; Keras 2 calls it `lr`."
    ),
    _Rule(f"{_ABSENT}|AttributeError", r"np_utils", "Write `keras.utils.to_categorical`; `np_utils` is gone."),
    _Rule(
        _ABSENT,
        r"keras\.layers\.(normalization|convolutional|core|advanced_activations|pooling|merge|recurrent|embeddings)",
        "Import layers from `keras.layers` directly.",
    ),
    _Rule(
        _ABSENT,
        r"name '[mM]erge'|keras\.legacy",
        "Merge with the functions `concatenate`, `add`, `multiply`, `average` of `keras.layers`.",
    ),
    _Rule(
        _ABSENT,
        r"keras\.(engine|objectives|initializations)\b",
        "This is an inner part of an old Keras: import from `keras.layers`, `keras.models`, `keras.losses` and "
        "`keras.initializers`.",
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
        f"{_ABSENT}|AttributeError",
        r"layers\.experimental|layers' has no attribute 'experimental'",
        "Preprocessing layers have left `experimental`: `keras.layers.Rescaling`, `keras.layers.RandomFlip`.",
    ),
    _Rule(
        f"{_ABSENT}|AttributeError",
        r"mixed_precision.*experimental|'experimental' from '[\w.]*mixed_precision'",
        "Write `keras.mixed_precision.set_global_policy('mixed_float16')`.",
    ),
    _Rule(
        "AttributeError",
        r"has no attribute 'validation_data'",
        "Callbacks no longer hold the validation data: give it to your callback when you make it.",
    ),
    _Rule(
        "AttributeError",
        r"(losses|metrics)' has no attribute '(mse|mae|mape|msle|kld|MSE|MAE)'",
        "Write the whole name, such as `keras.losses.mean_squared_error`, or the text `'mse'`.",
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
        "AttributeError",
        r"module 'tensorflow_datasets' has no attribute",
        "While grading, `tensorflow_datasets` has `load`, `builder`, `as_numpy`, `as_dataframe` and `show_examples`.",
    ),
    _Rule(_ABSENT, r"'cv2'", "OpenCV is not here: `tf.image` resizes images, and `PIL.Image` reads and writes them."),
    _Rule(
        _ABSENT,
        r"'(pydot|pydotplus|graphviz|visualkeras)'",
        "Graphviz is not installed where notebooks are graded: `model.summary()` shows the layers.",
    ),
    _Rule(
        _ABSENT,
        r"'(kaggle|kagglehub|opendatasets|gdown|wget)'",
        "There is no network while grading: use `keras.datasets`, or hand the file in beside the notebook.",
    ),
    _Rule(
        _ABSENT,
        r"sklearn\.(cross_validation|grid_search|learning_curve)",
        "Import it from `sklearn.model_selection`.",
    ),
    _Rule(
        _ABSENT,
        r"plot_(confusion_matrix|roc_curve|precision_recall_curve)",
        "Write `sklearn.metrics.ConfusionMatrixDisplay.from_predictions(…)`, and so for other curves.",
    ),
    _Rule(_ABSENT, r"fetch_mldata", "Write `fetch_openml('mnist_784')`, or load the data with `keras.datasets`."),
    _Rule(_ABSENT, r"'joblib' from 'sklearn|sklearn\.externals", "Write `import joblib`."),
    _Rule(
        _ABSENT, r"scipy\.misc|scipy\.ndimage\.interpolation", "Read images with `matplotlib.pyplot.imread` or Pillow."
    ),
    _Rule("TypeError", r"OneHotEncoder.*'sparse'", "The setting is called `sparse_output=` now."),
    _Rule("AttributeError", r"'(DataFrame|Series)' object has no attribute 'append'", "Write `pandas.concat([a, b])`."),
    _Rule(
        "ImportError",
        r"IProgress not found",
        "Progress bars of `ipywidgets` cannot be shown while grading: write `from tqdm import tqdm`.",
    ),
    _Rule(
        "OSError",
        r"is not a valid package style",
        "Matplotlib has no such style here: `plt.style.available` lists those it has.",
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
        "URLError|HTTPError|ConnectionError|gaierror|NewConnectionError|MaxRetryError|Exception|"
        "FailedPreconditionError|UnavailableError|AbortedError",
        r"URL fetch failure|urlopen|Name or service not known|name resolution|Network is unreachable|Max retries|"
        r"[Cc]ould not resolve host|HTTP request",
        "There is no network while grading: use the data sets that the assignment names, loaded through Keras.",
    ),
    _Rule(
        "NameError",
        r"is not defined",
        "The grader runs every cell once, from top to bottom: restart your kernel and run all cells before handing in.",
    ),
    _Rule("UsageError", r"[Mm]agic", "This notebook command is unknown here: leave the line out."),
    _Rule(
        "SystemError|RuntimeError|ValueError",
        r"GPU device not found|provide a TPU Name|TPU.*not found",
        "The grader may have no GPU or TPU: let the notebook go on with what there is instead of raising an error.",
    ),
    _Rule(
        "ValueError",
        r"Negative dimension size|output size would be (zero or )?negative|negative dimension",
        "The feature map becomes smaller than the kernel: `Conv2D(n, 3, 3)` means strides of 3; write `(3, 3)`.",
    ),
    _Rule(
        "ValueError|KeyError",
        r"Unknown variable|optimizer.*different|was built with",
        "Make a new optimizer for each model: one object cannot be compiled into two models.",
    ),
    _Rule(
        "TypeError",
        r"set_[xy]ticks|set_ticklabels|labels=.* must be a sequence",
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
