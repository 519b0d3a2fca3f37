"""Advice for common exceptions: the modern form of an old API, or what to use in place of what the sandbox lacks."""

import re
from typing import NamedTuple

from grader.schema.message import Message, MessageLike, say

__all__ = ["advice_for"]


class _Rule(NamedTuple):
    name: str
    """Pattern that matches the full name of the exception's class."""
    message: str
    """Pattern to search for in the exception's text."""
    advice: Message


_ABSENT = "ModuleNotFoundError|ImportError"

_RULES = (
    _Rule(
        "ValueError|TypeError", r"(Argument|keyword|argument).*\blr\b", say("Write `learning_rate=` instead of `lr=`.")
    ),
    _Rule(
        "ValueError|TypeError",
        r"\bdecay\b.*(deprecated|not recognized|unexpected)|(not recognized|unexpected).*\bdecay\b",
        say(
            "Pass a schedule to the optimizer as its `learning_rate`, such as "
            "`keras.optimizers.schedules.InverseTimeDecay`."
        ),
    ),
    _Rule(
        "TypeError|ValueError",
        r"nb_epoch|samples_per_epoch|border_mode|nb_val_samples|dim_ordering|init=|subsample",
        say("These are Keras 1 keywords. Write `epochs=`, `steps_per_epoch=`, `padding=` and `kernel_initializer=`."),
    ),
    _Rule(
        "TypeError|ValueError",
        r"(arguments passed to \w+|not understood|\b(Dense|Dropout|Flatten|Conv\w*|\w*Pooling\w*)\.__init__).*"
        r"'(init|inner_init|bias|output_dim|nb_filter|nb_row|nb_col|p|sigma|filter_length|pool_length|"
        r"[WbU]_(regularizer|constraint))'",
        say(
            "These are Keras 1 keywords. Write `kernel_initializer=`, `kernel_regularizer=`, `use_bias=`, "
            "`units=`, `filters=`, `kernel_size=` and `rate=`."
        ),
    ),
    _Rule(
        "TypeError",
        r"__init__\(\) missing .*'(units|rate|filters|kernel_size)'",
        say(
            "These are Keras 1 keywords. Write `units=` for `output_dim=`, `rate=` for `p=`, `filters=` for "
            "`nb_filter=`, and `kernel_size=` for `nb_row=` and `nb_col=`."
        ),
    ),
    _Rule(
        "TypeError|ValueError",
        r"(arguments passed to (Model|Functional)|not understood|\b(Model|Functional)\.__init__).*'(input|output)'",
        say("Write `Model(inputs=…, outputs=…)`."),
    ),
    _Rule(
        "ValueError",
        r"dtype='string' is not a valid dtype for Keras type promotion",
        say("The third argument of `compile` is `loss_weights` in Keras 3. Pass the metrics by name: `metrics=[…]`."),
    ),
    _Rule(
        "TypeError",
        r"\b(fit|predict|evaluate)\(\).*'(workers|use_multiprocessing|max_queue_size)'",
        say(
            "In Keras 3 `fit` has no `workers=` and `use_multiprocessing=`. Remove them, or pass them to the data"
            " set's own class (`keras.utils.PyDataset`)."
        ),
    ),
    _Rule(
        "TypeError",
        r"ModelCheckpoint.*'period'",
        say("Write `save_freq='epoch'`. `ModelCheckpoint` no longer has `period=`."),
    ),
    _Rule(
        "ValueError",
        r"monitor=(val_)?acc\b",
        say("The metric is called `accuracy`. Write `monitor='accuracy'` or `monitor='val_accuracy'`."),
    ),
    _Rule(
        "ValueError",
        r"must end in `\.weights\.h5`",
        say("Use a file name for the weights that ends in `.weights.h5`."),
    ),
    _Rule(
        "ValueError",
        r"Invalid filepath extension for saving|File format not supported|must end in `\.keras`",
        say("Save the model to a file whose name ends in `.keras`. `model.export(folder)` writes a SavedModel."),
    ),
    _Rule(
        "TypeError|ValueError",
        r"Could not locate class|Cannot deserialize object of type",
        say(
            "Pass your own class to `load_model`: `custom_objects={{'Name': Name}}`, and define it in an earlier cell."
        ),
    ),
    _Rule(
        "TypeError|ValueError",
        r"Could not interpret|Unknown (activation|loss|optimizer|metric|initializer|regularizer)",
        say("Keras has no such name. Check its spelling in the documentation of Keras."),
    ),
    _Rule(
        "TypeError|ValueError",
        r"Could not (locate|deserialize)",
        say(
            "Load the model with `compile=False`, or save it as `.keras`. An `.h5` file stores only the names of "
            "the loss and the metrics."
        ),
    ),
    _Rule(
        "AttributeError",
        r"predict_(classes|proba)",
        say("Write `model.predict(x)` for probabilities and `model.predict(x).argmax(axis=-1)` for classes."),
    ),
    _Rule(
        "AttributeError",
        r"(fit|predict|evaluate)_generator",
        say("`fit`, `predict` and `evaluate` accept generators. Remove `_generator` from the name."),
    ),
    _Rule(
        "AttributeError",
        r"'(Sequential|Functional|Model)'.*reset_states",
        say("Models no longer have `reset_states`. Remove the call."),
    ),
    _Rule("AttributeError", r"reset_states", say("Write `metric.reset_state()`.")),
    _Rule("AttributeError", r"has no attribute 'updates'", say("Layers no longer have `updates`. Remove it.")),
    _Rule(
        "AttributeError",
        r"object has no attribute '(input|output)_shape'",
        say("In Keras 3 read a layer's shapes from its tensors: `layer.input.shape` and `layer.output.shape`."),
    ),
    _Rule(
        "AttributeError",
        r"^'(str|float)' object has no attribute '(name|dtype)'$",
        say("If this line is `K.set_value(optimizer.lr, …)`, write `optimizer.learning_rate = …` in Keras 3."),
    ),
    _Rule(
        "AttributeError",
        r"'NoneType' object has no attribute 'create'",
        say(
            "`model_to_dot` needs Graphviz, which is not installed for grading. Use `model.summary()` to show the"
            " layers."
        ),
    ),
    _Rule(
        "ImportError",
        r"install (pydot|graphviz)",
        say("Graphviz is not installed for grading. Use `model.summary()` to show the layers."),
    ),
    _Rule(
        "AttributeError|ImportError",
        r"multi_gpu_model",
        say("Keras no longer has `multi_gpu_model`. Use `tf.distribute.MirroredStrategy` to train on several GPUs."),
    ),
    _Rule("AttributeError", r"has no attribute 'lr'", say("Write `optimizer.learning_rate`.")),
    _Rule(
        "AttributeError",
        r"module 'numpy' has no attribute '(float|int|bool|object|str|complex)'",
        say("NumPy removed these names. Use Python's `float`, `int` or `bool`, or `np.float64`."),
    ),
    _Rule("AttributeError", r"module 'numpy' has no attribute 'asscalar'", say("Write `array.item()`.")),
    _Rule(
        "ValueError",
        r"inhomogeneous shape",
        say("The rows have different lengths. NumPy makes such an array only with `dtype=object`."),
    ),
    _Rule(
        "AttributeError",
        r"was removed in the NumPy 2\.0 release",
        say(
            "NumPy 2 removed this name. Use the replacement in the error message, such as `np.inf`, `np.nan` or "
            "`np.float64`."
        ),
    ),
    _Rule(
        "RuntimeError",
        r"tf\.gradients is not supported",
        say(
            "Compute gradients with `tf.GradientTape`: run the model inside it, then call `tape.gradient(output, "
            "input)`."
        ),
    ),
    _Rule(
        "RuntimeError",
        r"tf\.placeholder\(\) is not compatible|The Session graph is empty|Attempting to capture an EagerTensor",
        say("This is TensorFlow 1 code. TensorFlow 2 has no placeholders and sessions. Call the model directly."),
    ),
    _Rule(
        "AttributeError",
        r"'(placeholder|Session|get_session|set_session|ConfigProto|set_random_seed|global_variables_initializer)'",
        say(
            "This is TensorFlow 1 code. In TensorFlow 2 call the model directly, and set the seed with "
            "`tf.random.set_seed`."
        ),
    ),
    _Rule(
        "ImportError|ModuleNotFoundError",
        r"tensorflow_backend",
        say("Keras no longer has `keras.backend.tensorflow_backend`. Use `keras.backend` or `tensorflow` itself."),
    ),
    _Rule(
        "AttributeError|ImportError",
        r"keras.*backend|backend.*keras",
        say("Keras 3 has few functions in `keras.backend`. Use `keras.ops` or TensorFlow's own functions."),
    ),
    _Rule(
        "AttributeError|ImportError",
        r"optimizers.*'(adam|adamax|adagrad|adadelta|nadam|rmsprop|sgd)'|"
        r"import name '(adam|adamax|adagrad|adadelta|nadam|rmsprop|sgd)' from '[\w.]*optimizers'",
        say("The names of optimizer classes are capitalized: `Adam`, `Adamax`, `RMSprop`, `SGD`."),
    ),
    _Rule(
        f"{_ABSENT}|AttributeError",
        r"(adam|sgd|rmsprop|gradient_descent|adagrad|adadelta|adamax|nadam)_v2|optimizer_v[12]",
        say(
            "This is a private module of an old Keras. Import the class directly: `from keras.optimizers import Adam`."
        ),
    ),
    _Rule(
        "ImportError|AttributeError",
        r"optimizers\.legacy",
        say("Keras 3 has no `optimizers.legacy`. Import the optimizer from `keras.optimizers`."),
    ),
    _Rule(
        "KeyError",
        r"^'?(val_)?acc'?$",
        say("The history's keys are the names of the metrics: `accuracy` and `val_accuracy`."),
    ),
    _Rule(
        "KeyError",
        r"^'?val_(accuracy|loss)'?$",
        say(
            "The history has this key only if `fit` gets validation data: pass `validation_data=` or "
            "`validation_split=`. With `metrics=['acc']` the key is `val_acc`."
        ),
    ),
    _Rule(
        "KeyError",
        r"^'?accuracy'?$",
        say(
            "The history's key is the name passed to `compile`. With `metrics=['acc']` the keys are `acc` and "
            "`val_acc`."
        ),
    ),
    _Rule(
        "KeyError", r"^'?lr'?$", say("The key is `learning_rate`, both in the history of Keras 3 and in `get_config`.")
    ),
    _Rule(
        "KeyError",
        r"^'?learning_rate'?$",
        say("The history contains the learning rate only if a callback changes it. In Keras 2 its key is `lr`."),
    ),
    _Rule(
        f"{_ABSENT}|AttributeError",
        r"np_utils",
        say("Write `keras.utils.to_categorical`. Keras no longer has `np_utils`."),
    ),
    _Rule(
        _ABSENT,
        r"keras\.layers\.(normalization|convolutional|core|advanced_activations|pooling|merge|recurrent|embeddings)",
        say("Import layers from `keras.layers` directly."),
    ),
    _Rule(
        _ABSENT,
        r"name '[mM]erge'|keras\.legacy",
        say("Use the functions `concatenate`, `add`, `multiply` or `average` of `keras.layers` to merge."),
    ),
    _Rule(
        _ABSENT,
        r"keras\.(engine|objectives|initializations)\b",
        say(
            "This is a private module of an old Keras. Import from `keras.layers`, `keras.models`, `keras.losses`"
            " or `keras.initializers`."
        ),
    ),
    _Rule(
        _ABSENT,
        r"tensorflow\.(python|_api)|tensorflow\.contrib|tensorflow\.examples",
        say("This is a private or removed module of TensorFlow. Import from `tensorflow` or `keras`."),
    ),
    _Rule(
        _ABSENT,
        r"wrappers\.scikit_learn|keras\.wrappers",
        say("Keras no longer has this wrapper for scikit-learn. Use the package `scikeras`, or call `fit` yourself."),
    ),
    _Rule(
        f"{_ABSENT}|AttributeError",
        r"layers\.experimental|layers' has no attribute 'experimental'",
        say(
            "Preprocessing layers are no longer in `experimental`. Use `keras.layers.Rescaling` or "
            "`keras.layers.RandomFlip`."
        ),
    ),
    _Rule(
        f"{_ABSENT}|AttributeError",
        r"mixed_precision.*experimental|'experimental' from '[\w.]*mixed_precision'",
        say("Write `keras.mixed_precision.set_global_policy('mixed_float16')`."),
    ),
    _Rule(
        "AttributeError",
        r"has no attribute 'validation_data'",
        say("Callbacks no longer have the validation data. Pass it to your callback when you make it."),
    ),
    _Rule(
        "AttributeError",
        r"(losses|metrics)' has no attribute '(mse|mae|mape|msle|kld|MSE|MAE)'",
        say("Write the full name, such as `keras.losses.mean_squared_error`, or the string `'mse'`."),
    ),
    _Rule(
        _ABSENT,
        r"keras\.preprocessing\.image|ImageDataGenerator",
        say("Import `ImageDataGenerator` from `tensorflow.keras.preprocessing.image`, or use augmentation layers."),
    ),
    _Rule(
        _ABSENT,
        r"'winsound'",
        say("`winsound` exists only on Windows, and the grader runs on Linux. Remove the sound."),
    ),
    _Rule(
        _ABSENT,
        r"'(torch|torchvision)'",
        say("PyTorch is not installed for this assignment. Use Keras and TensorFlow."),
    ),
    _Rule(
        _ABSENT,
        r"'tensorflow_datasets'",
        say("There is no network during grading. Load the data with `keras.datasets`."),
    ),
    _Rule(
        "AttributeError",
        r"module 'tensorflow_datasets' has no attribute",
        say(
            "During grading `tensorflow_datasets` has only `load`, `builder`, `as_numpy`, `as_dataframe` and "
            "`show_examples`."
        ),
    ),
    _Rule(
        _ABSENT,
        r"'cv2'",
        say(
            "OpenCV is not installed for grading. Use `tf.image` to resize images, and `PIL.Image` to read and "
            "write them."
        ),
    ),
    _Rule(
        _ABSENT,
        r"'(pydot|pydotplus|graphviz|visualkeras)'",
        say("Graphviz is not installed for grading. Use `model.summary()` to show the layers."),
    ),
    _Rule(
        _ABSENT,
        r"'(kaggle|kagglehub|opendatasets|gdown|wget)'",
        say("There is no network during grading. Use `keras.datasets`, or submit the file together with the notebook."),
    ),
    _Rule(
        _ABSENT,
        r"sklearn\.(cross_validation|grid_search|learning_curve)",
        say("Import it from `sklearn.model_selection`."),
    ),
    _Rule(
        _ABSENT,
        r"plot_(confusion_matrix|roc_curve|precision_recall_curve)",
        say(
            "Write `sklearn.metrics.ConfusionMatrixDisplay.from_predictions(…)`. The other curves have similar classes."
        ),
    ),
    _Rule(_ABSENT, r"fetch_mldata", say("Write `fetch_openml('mnist_784')`, or load the data with `keras.datasets`.")),
    _Rule(_ABSENT, r"'joblib' from 'sklearn|sklearn\.externals", say("Write `import joblib`.")),
    _Rule(
        _ABSENT,
        r"scipy\.misc|scipy\.ndimage\.interpolation",
        say("Read images with `matplotlib.pyplot.imread` or Pillow."),
    ),
    _Rule("TypeError", r"OneHotEncoder.*'sparse'", say("The parameter is now called `sparse_output=`.")),
    _Rule(
        "AttributeError",
        r"'(DataFrame|Series)' object has no attribute 'append'",
        say("Write `pandas.concat([a, b])`."),
    ),
    _Rule(
        "ImportError",
        r"IProgress not found",
        say("Progress bars of `ipywidgets` cannot be shown during grading. Write `from tqdm import tqdm`."),
    ),
    _Rule(
        "OSError",
        r"is not a valid package style",
        say("This style is not installed. `plt.style.available` lists the installed styles."),
    ),
    _Rule(
        _ABSENT,
        r"'(grading|utils|helper|helpers|mnist_loader)'",
        say("This file of the course was not submitted. Submit it in the same folder as the notebook."),
    ),
    _Rule(
        "ModuleNotFoundError",
        r"No module named",
        say("This package is not installed in the grader's environment. Solve the task without it."),
    ),
    _Rule(
        "FileNotFoundError|OSError|PermissionError",
        r"'([A-Za-z]:[\\/]|/(content|Users|home|mnt|gdrive|kaggle)\b)",
        say(
            "This absolute path exists only on your computer. Submit the file with the notebook and open it "
            "relatively, by its name."
        ),
    ),
    _Rule(
        "FileNotFoundError",
        r"No such file",
        say("The file was not handed in with the notebook, or the earlier cell that writes it did not run."),
    ),
    _Rule(
        "OSError|PermissionError",
        r"Read-only file system|Permission denied",
        say("Files can be written only in the notebook's own folder. Use a relative path."),
    ),
    _Rule(
        "OSError",
        r"No space left|File too large",
        say("The notebook writes more than the grader allows. Save fewer or smaller files."),
    ),
    _Rule(
        "MemoryError|ResourceExhaustedError",
        "",
        say(
            "The data or the model needs more memory than available. Use smaller batches, or float32 instead of "
            "float64."
        ),
    ),
    _Rule(
        "StdinNotImplementedError",
        "",
        say("Nobody can answer `input()` during grading. Assign the value to a variable."),
    ),
    _Rule(
        "URLError|HTTPError|ConnectionError|gaierror|NewConnectionError|MaxRetryError|Exception|"
        "FailedPreconditionError|UnavailableError|AbortedError",
        r"URL fetch failure|urlopen|Name or service not known|name resolution|Network is unreachable|Max retries|"
        r"[Cc]ould not resolve host|HTTP request",
        say("There is no network during grading. Load the data sets of the assignment through Keras."),
    ),
    _Rule(
        "NameError",
        r"is not defined",
        say(
            "The grader runs every cell once, from top to bottom. Restart your kernel and run all cells before "
            "you submit."
        ),
    ),
    _Rule("UsageError", r"[Mm]agic", say("The grader does not support this notebook command. Remove the line.")),
    _Rule(
        "SystemError|RuntimeError|ValueError",
        r"GPU device not found|provide a TPU Name|TPU.*not found",
        say("The grader may have no GPU or TPU. Let the notebook continue on the CPU instead of raising an error."),
    ),
    _Rule(
        "ValueError",
        r"Negative dimension size|output size would be (zero or )?negative|negative dimension|output is <= 0 due to",
        say(
            "The feature map becomes smaller than the kernel. `Conv2D(n, 3, 3)` sets strides of 3; write "
            "`Conv2D(n, (3, 3))`."
        ),
    ),
    _Rule(
        "ValueError|KeyError",
        r"Unknown variable|optimizer.*different|was built with",
        say("Create a new optimizer for each model. One optimizer cannot be compiled into two models."),
    ),
    _Rule(
        "TypeError",
        r"set_[xy]ticks|set_ticklabels|labels=.* must be a sequence",
        say("The second argument of Matplotlib's `set_xticks` is the labels. Pass `minor=True` by name."),
    ),
    _Rule(
        "TBNotInstalledError|ModuleNotFoundError",
        r"[Tt]ensor[Bb]oard",
        say("TensorBoard cannot be shown during grading. Plot the history with Matplotlib."),
    ),
    _Rule(
        "ValueError",
        r"must have rank \(ndim\) `target\.ndim - 1`|`labels\.shape` must equal `logits\.shape` except",
        say(
            "The labels are one-hot rows. Use the loss `categorical_crossentropy`, or keep the labels as class numbers."
        ),
    ),
    _Rule(
        "ValueError",
        r"output\.shape=\(\w+, \d+, \d+, \d+\)|Shapes \(\w+, \d+\) and \(\w+, \d+, \d+, \d+\)",
        say("The output is still a feature map. Add `Flatten()` or `GlobalAveragePooling2D()` before the last layer."),
    ),
    _Rule(
        "ValueError",
        r"`target` and `output` must have the same (rank|shape).*target\.shape=\(\w+,( 1\)|\))"
        r"|Shapes \(\w+,( 1)?\) and \(\w+, \d+\) are incompatible",
        say(
            "The labels are class numbers. Use the loss `sparse_categorical_crossentropy`, or make the labels one-hot "
            "with `keras.utils.to_categorical`."
        ),
    ),
    _Rule(
        "ValueError",
        r"`target` and `output` must have the same (rank|shape)|Shapes \(.*\) and \(.*\) are incompatible",
        say(
            "Labels and outputs have different shapes. Give the last layer one output for each class, and choose the "
            "loss that fits the labels."
        ),
    ),
    _Rule(
        "ValueError",
        r"expected min_ndim=4, found ndim=3",
        say("A convolution needs a channel axis. Add it to the images, for example with `x[..., None]`."),
    ),
    _Rule(
        "ValueError",
        r"Invalid input shape for input|incompatible with the layer: expected (shape=|axis -1 of input shape)",
        say(
            "The data does not have the input shape of the model. Compare `x.shape[1:]` with `model.input_shape`, and "
            "reshape the data or change the model's first layer."
        ),
    ),
    _Rule(
        "ValueError|RuntimeError",
        r"must call `compile\(\)`|must compile your model",
        say("Call `model.compile(…)` before `fit` or `evaluate`."),
    ),
    _Rule(
        "InvalidArgumentError",
        r"label value of -?\d+ which is outside the valid range",
        say("The labels are larger than the number of outputs. Give the last layer one output for each class."),
    ),
    _Rule(
        "ValueError",
        r"Data cardinality is ambiguous",
        say("Images and labels have different lengths. Cut or split both in the same way."),
    ),
    _Rule(
        "AttributeError",
        r"module '[\w.]*keras[\w.]*' has no attribute '\w+'",
        say("Keras has no such name. Check its spelling and its capital letters, such as `Conv2D`."),
    ),
    _Rule(
        "ValueError",
        r"No such layer",
        say(
            "Keras numbers layers anew in each run. Pass `name=` to the layer, or take it by its position: "
            "`model.layers[0]`."
        ),
    ),
    _Rule(
        "TypeError|ValueError",
        r"Unknown layer",
        say(
            "Pass your own class to `load_model`: `custom_objects={{'Name': Name}}`, and define it in an earlier cell."
        ),
    ),
    _Rule(
        "ValueError|TypeError",
        r"Only instances of `keras.Layer` can be added|added layer must be an instance",
        say("Write parentheses after the name of the layer, such as `Flatten()`, and pass layers as a list."),
    ),
    _Rule(
        "ValueError",
        r"layer requires inputs with matching shapes",
        say("Give both inputs the same shape except for the joined axis, for example with `padding='same'`."),
    ),
    _Rule(
        "ValueError",
        r"cannot reshape array",
        say(
            "The new shape must have as many numbers as the array. Check the number of channels, and write -1 for the "
            "number of images."
        ),
    ),
    _Rule(
        "ValueError",
        r"isn't built|has not yet been built|not built",
        say("Give the first layer its input shape, or call the model once, before you read its weights."),
    ),
    _Rule(
        "ValueError",
        r"should have unique names|layer names should be unique|is used \d+ times in the model",
        say("Two layers have the same name. Pass another `name=`, or create the layer only once."),
    ),
    _Rule(
        "ValueError",
        r"Graph disconnected|is not connected to `inputs`",
        say("Compute the output from the inputs that you pass to `Model`. One of its layers has another input."),
    ),
    _Rule(
        "ValueError|InvalidArgumentError",
        r"operands could not be broadcast|Dimensions must be equal|Incompatible shapes",
        say("Print the shapes of both arrays. On each axis they must be equal, or one of them 1."),
    ),
    _Rule(
        "InvalidArgumentError",
        r"Matrix size-incompatible",
        say("The last axis of the first matrix must equal the first axis of the second one. Print both shapes."),
    ),
    _Rule(
        "ValueError|UnimplementedError",
        r"Invalid dtype: (object|str)|Unsupported object type|Cast string to (float|int)",
        say("The array holds objects or text. Convert it with `np.array(x, dtype='float32')`, and check its rows."),
    ),
    _Rule(
        "ValueError",
        r"values to unpack",
        say(
            "The left side has another number of names than the right side. Keras data sets are unpacked as "
            "`(x_train, y_train), (x_test, y_test)`."
        ),
    ),
    _Rule(
        "SyntaxError|IndentationError|TabError",
        "",
        say("Python cannot read this cell, so none of its lines ran. Correct the line, and run the cell again."),
    ),
    _Rule(
        "ValueError",
        r"No gradients provided",
        say("Compute the loss from the model's output inside `with tf.GradientTape()`. It must depend on the weights."),
    ),
    _Rule(
        "ValueError",
        r"weight shape .* is not compatible with provided weight shape|Layer count mismatch|expected \d+ variables",
        say(
            "The weights belong to a model with other layers. Build the same architecture before you set or load them."
        ),
    ),
    _Rule(
        "IndexError",
        r"out of bounds|out of range",
        say("The index is larger than the array or list. Print its length, and remember that the first index is 0."),
    ),
    _Rule(
        "TypeError", r"object is not callable", say("Remove the second pair of parentheses, or index with brackets.")
    ),
    _Rule(
        "ValueError|TypeError",
        r"(argument|received for) `?rate`?",
        say("The rate of `Dropout` is a fraction between 0 and 1, such as 0.5."),
    ),
    _Rule(
        "ValueError",
        r"Unrecognized data type",
        say("Pass NumPy arrays or tensors. Convert a list with `np.array(…)`."),
    ),
    _Rule(
        "ValueError",
        r"validation_split`? is only supported",
        say("Only arrays can be split by `validation_split`. For a data set or a generator pass `validation_data=`."),
    ),
    _Rule(
        "OSError|FileNotFoundError",
        r"No (such )?file or directory",
        say("The file was not handed in with the notebook, or the earlier cell that writes it did not run."),
    ),
    _Rule(
        "AssertionError",
        "",
        say("A check in your own notebook failed. Print the values that it compares."),
    ),
    _Rule(
        "AttributeError",
        r"'(Sequential|Functional|Model|History|Conv2D|Dense)' object has no attribute '\w+'",
        say("The object has no such name. Check its spelling: `dir(object)` lists the names that it has."),
    ),
)


def advice_for(name: str, message: str) -> MessageLike:
    """Find the advice for an exception.

    Args:
        name: The exception's class, without its module.
        message: Its text.

    Returns:
        The advice of the first rule that matches; empty if none does.
    """
    for rule in _RULES:
        if re.fullmatch(rule.name, name) and re.search(rule.message, message, re.DOTALL):
            return rule.advice
    return ""
