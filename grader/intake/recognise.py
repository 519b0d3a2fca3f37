"""Recognize which Keras version a notebook was written for, from its code, kernel and stored outputs."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from grader.facts.language import english
from grader.schema.message import say

__all__ = ["Dialect", "DialectGuess", "expects_frames", "recognise_dialect", "uses_torch"]

Dialect = Literal["keras3", "keras2"]


@dataclass(frozen=True, slots=True)
class DialectGuess:
    """The Keras version that a notebook was written for, with the reasons."""

    dialect: Dialect
    reasons: tuple[str, ...]
    """Descriptions of the signs, strongest first; empty if there was no sign and Keras 3 is assumed."""


@dataclass(frozen=True, slots=True)
class _Sign:
    dialect: Dialect
    weight: int
    """3: exists only in this version; 2: fails or has another meaning in the other version; 1: only a habit."""
    text: str


_OPTIMIZERS = {"adam", "sgd", "rmsprop", "adagrad", "adadelta", "adamax", "nadam", "ftrl"}
_OTHER_FRAMEWORKS = {"torch", "optim", "jax", "optax"}
_OLD_METHODS = {
    "fit_generator": 2,
    "evaluate_generator": 2,
    "predict_generator": 2,
    "predict_classes": 2,
    "predict_proba": 1,  # scikit-learn models have this method too
    "reset_states": 1,
}
_OLD_MODULES = {
    "tensorflow.python.keras": 3,
    "tensorflow._api": 3,
    "tensorflow.compat.v1": 2,
    "tensorflow.contrib": 3,
    "tf_keras": 3,
    "keras.utils.np_utils": 2,
    "keras.layers.normalization": 2,
    "keras.layers.convolutional": 2,
    "keras.layers.core": 2,
    "keras.layers.advanced_activations": 2,
    "keras.layers.pooling": 2,
    "keras.layers.recurrent": 2,
    "keras.layers.embeddings": 2,
    "keras.layers.noise": 2,
    "keras.wrappers": 2,
    "keras.preprocessing.image": 2,
    "keras.engine": 2,
    "keras.objectives": 2,
    "keras.initializations": 2,
    "keras.backend.tensorflow_backend": 2,
    "keras.optimizers.legacy": 2,
}
_NEW_MODULES = {"keras.ops": 3, "keras.random": 3, "keras.saving": 2, "keras.distribution": 3, "keras.quantizers": 3}
_OLD_KEYWORDS = {
    "W_regularizer",
    "b_regularizer",
    "border_mode",
    "dim_ordering",
    "nb_epoch",
    "nb_filter",
    "nb_val_samples",
    "samples_per_epoch",
    "subsample",
}
_NEW_KEYWORDS = {"InputLayer": frozenset({"batch_shape", "shape"}), "LeakyReLU": frozenset({"negative_slope"})}
"""Class of Keras → keywords that only Keras 3 knows."""
_LOWER_CASE = {"keras.optimizers", "optimizers"}
_OLD_ATTRIBUTES = {
    "tf.Session": 2,
    "tf.placeholder": 2,
    "tf.get_default_graph": 2,
    "tf.compat.v1": 2,
    "tf.global_variables_initializer": 2,
    "K.get_session": 2,
    "K.set_session": 2,
    "K.set_value": 2,
    "K.set_image_dim_ordering": 2,
    "K.tensorflow_backend": 2,
}
_SHORT = {"tensorflow": "tf", "tf.keras": "keras", "tf.keras.backend": "K", "keras.backend": "K", "backend": "K"}

_OUTPUT_SIGNS: Mapping[str, _Sign] = {
    "history-tensorflow-python": _Sign("keras2", 3, "a stored output shows a History of `tensorflow.python.keras`"),
    "history-keras2": _Sign("keras2", 3, "a stored output shows a History of Keras 2"),
    "backend-banner": _Sign("keras2", 3, "a stored output says “Using TensorFlow backend”, as Keras up to 2.3 did"),
    "table-keras2": _Sign("keras2", 3, "a stored model summary has the form of Keras 2"),
    "bar-keras2": _Sign("keras2", 3, "a stored progress bar has the form of Keras 2"),
    "history-keras3": _Sign("keras3", 4, "a stored output shows a History of Keras 3"),
    "table-keras3": _Sign("keras3", 4, "a stored model summary has the form of Keras 3"),
    "bar-keras3": _Sign("keras3", 4, "a stored progress bar has the form of Keras 3"),
}
"""Signs in stored outputs. Outputs of Keras 3 weigh most: the notebook ran there, however old its code looks."""

_HABIT = 1
"""Weight of signs that do not fail in the other version."""
_OF_FRAMES = re.compile(r"\.(?:iloc|loc)\s*\[|\.to_numpy\(|\.values\b(?!\()|\.columns\b|\.head\(")
"""Code that only works with pandas objects."""
_LAST_PYTHON_BEFORE_FRAMES = (3, 7)
"""Python 3.8 and later became usual when scikit-learn had changed."""
_FIRST_PYTHON_OF_KERAS_3 = (3, 9)
_FIRST_PYTHON_WITHOUT_KERAS_2 = (3, 12)


def recognise_dialect(notebook: Any) -> DialectGuess:
    """Decide which Keras version a notebook was written for.

    Code that fails in Keras 2 overrides stored outputs, which may be older than the code. Otherwise all signs count.
    Each has a weight, and the heavier side wins. Keras 3 is assumed if nothing indicates Keras 2.

    Args:
        notebook: A notebook of format 4, ideally from `read_notebook`, which records the signs in stored outputs.

    Returns:
        The dialect with the signs that support it.
    """
    code = list(_code_signs(notebook))
    signs = list(dict.fromkeys([*_metadata_signs(notebook.get("metadata") or {}), *code]))
    modern = _heavier(sign for sign in code if sign.weight > _HABIT) == "keras3"
    dialect: Dialect = "keras3" if modern else _heavier(signs) or "keras3"
    chosen = sorted((s for s in signs if s.dialect == dialect), key=lambda sign: -sign.weight)
    return DialectGuess(dialect=dialect, reasons=tuple(dict.fromkeys(s.text for s in chosen)))


def _heavier(signs: Iterable[_Sign]) -> Dialect | None:
    """Return the version with the heavier signs; None if both weigh the same."""
    signs = list(signs)
    weight = {dialect: sum(s.weight for s in signs if s.dialect == dialect) for dialect in ("keras2", "keras3")}
    # A stronger single sign of Keras 3 overrides the sum: old habits are frequent, and new modules are not.
    strongest = {d: max((s.weight for s in signs if s.dialect == d), default=0) for d in ("keras2", "keras3")}
    if strongest["keras3"] > strongest["keras2"] or weight["keras3"] > weight["keras2"]:
        return "keras3"
    return "keras2" if weight["keras2"] > weight["keras3"] else None


def expects_frames(notebook: Any) -> bool:
    """Return whether a notebook expects data frames from `fetch_openml`, the default since scikit-learn 0.24 of 2020.

    Args:
        notebook: A notebook of format 4, ideally from `read_notebook`.
    """
    sources = [source for _, source in _code_cells(notebook)]
    if any(_OF_FRAMES.search(source) for source in sources):
        return True
    python = _python_of(notebook.get("metadata") or {})
    if python is not None:
        return python > _LAST_PYTHON_BEFORE_FRAMES
    return recognise_dialect(notebook).dialect == "keras3"


def uses_torch(notebook: Any) -> bool:
    """Return whether a notebook imports PyTorch.

    Args:
        notebook: A notebook of format 4.
    """
    for _, source in _code_cells(notebook):
        tree = _parse(source)
        if tree is None:
            if re.search(r"^[ \t]*(?:import|from)\s+(?:torch|torchvision|pytorch_lightning)\b", source, re.MULTILINE):
                return True
        elif any(module.split(".")[0] in _TORCH for module, _ in _imports(tree)):
            return True
    return False


_TORCH = {"torch", "torchvision", "pytorch_lightning", "lightning"}


# --- metadata and outputs ------------------------------------------------------------------------------------


def _metadata_signs(metadata: Mapping[str, Any]) -> Iterator[_Sign]:
    grader_metadata = metadata.get("grader")
    if isinstance(grader_metadata, Mapping):
        yield from (_OUTPUT_SIGNS[key] for key in grader_metadata.get("output_signs") or () if key in _OUTPUT_SIGNS)
    python = _python_of(metadata)
    if python is not None:
        if python < _FIRST_PYTHON_OF_KERAS_3:
            yield _Sign("keras2", 3, f"it was saved with Python {python[0]}.{python[1]}, for which there is no Keras 3")
        elif python >= _FIRST_PYTHON_WITHOUT_KERAS_2:
            yield _Sign("keras3", 1, f"it was saved with Python {python[0]}.{python[1]}, newer than most of Keras 2")


def _python_of(metadata: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the version of Python that saved a notebook, if it is known."""
    info = metadata.get("language_info")
    version = str(info.get("version") or "") if isinstance(info, Mapping) else ""
    match = re.match(r"(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else None


# --- code ----------------------------------------------------------------------------------------------------


def _code_cells(notebook: Any) -> Iterator[tuple[int, str]]:
    for index, cell in enumerate(notebook.get("cells") or ()):
        if cell.get("cell_type") == "code":
            source = cell.get("source") or ""
            yield index, source if isinstance(source, str) else "".join(source)


def _parse(source: str) -> ast.Module | None:
    """Parse a cell as Python without IPython's own lines; return None if it is not valid Python 3."""
    if re.match(r"\s*%%(?!time\b|timeit\b|capture\b)", source):
        return ast.parse("")
    plain = re.sub(r"^([ \t]*+)(?:[%!].*|.*\?\??[ \t]*)$", r"\1pass", source, flags=re.MULTILINE)
    try:
        return ast.parse(plain)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _code_signs(notebook: Any) -> Iterator[_Sign]:
    trees = []
    for index, source in _code_cells(notebook):
        tree = _parse(source)
        trees.append((index, source, tree))
    acc_is_a_metric = any(_names_acc_metric(source) for _, source, _ in trees)
    reported_texts: set[str] = set()
    for index, source, tree in trees:
        raw_signs = _text_signs(source) if tree is None else _tree_signs(tree, acc_is_a_metric=acc_is_a_metric)
        for dialect, weight, text in raw_signs:
            if text not in reported_texts:
                reported_texts.add(text)
                yield _Sign(dialect, weight, english(say("{sign} ({cell:cell})", sign=text, cell=index)))


_Raw = tuple[Dialect, int, str]


def _names_acc_metric(source: str) -> bool:
    """Return whether `acc` is the metric's real name: in `metrics=['acc']`, or as a key of the student's own dict."""
    return re.search(r"metrics\s*=\s*\[\s*['\"]acc['\"]|[{,]\s*['\"](?:val_)?acc['\"]\s*:", source) is not None


def _tree_signs(tree: ast.Module, *, acc_is_a_metric: bool) -> Iterator[_Raw]:
    for module, bound in _imports(tree):
        yield from _import_signs(module, bound)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _call_signs(node, acc_is_a_metric=acc_is_a_metric)
        elif isinstance(node, ast.Subscript):
            yield from _history_signs(node, acc_is_a_metric=acc_is_a_metric)
        elif isinstance(node, ast.Attribute):
            yield from _attribute_signs(node)


def _imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield every imported module with the name imported from it, such as (`keras.utils`, `np_utils`)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((node.module, alias.name) for alias in node.names)


def _import_signs(module: str, bound: str) -> Iterator[_Raw]:
    full = f"{module}.{bound}" if bound else module
    # `tensorflow.keras.preprocessing.image` exists in every version.
    through_tensorflow = full.startswith("tensorflow.keras")
    name = re.sub(r"^tensorflow\.keras", "keras", full)
    if through_tensorflow and name.startswith("keras.preprocessing"):
        return
    for modules, dialect in ((_OLD_MODULES, "keras2"), (_NEW_MODULES, "keras3")):
        for module_name, weight in modules.items():
            if name == module_name or name.startswith(module_name + "."):
                yield _as_dialect(dialect), weight, f"it imports `{full}`"


def _as_dialect(text: str) -> Dialect:
    return "keras2" if text == "keras2" else "keras3"


def _dotted(node: ast.AST) -> str:
    """Return the dotted path of an expression, such as `tf.keras.optimizers.Adam`; empty if it is not a plain path."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _call_signs(call: ast.Call, *, acc_is_a_metric: bool) -> Iterator[_Raw]:
    name = _dotted(call.func)
    last = call.func.attr if isinstance(call.func, ast.Attribute) else name
    keywords = {keyword.arg for keyword in call.keywords if keyword.arg}
    if last.lower() in _OPTIMIZERS and name.split(".")[0] not in _OTHER_FRAMEWORKS:
        yield from _optimizer_signs(name, keywords)
    if isinstance(call.func, ast.Attribute) and last in _OLD_METHODS:
        yield "keras2", _OLD_METHODS[last], f"it calls `{last}`"
    if last in _OPTIMIZERS and _shortened(name).removeprefix("tf.").rpartition(".")[0] in _LOWER_CASE:
        yield "keras2", 2, f"it calls `optimizers.{last}`, whose classes are capitalised now"
    if last == "compile":
        yield from _compile_signs(call)
    if re.fullmatch(r"(?:AveragePooling|AvgPool)[123]D", last) and not call.args and not call.keywords:
        yield "keras2", 2, f"it calls `{last}` without a pool size"
    for new in sorted(_NEW_KEYWORDS.get(last, frozenset()) & keywords):
        yield "keras3", 2, f"it gives `{last}` the keyword `{new}=`"
    for keyword in call.keywords:
        monitored = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
        if keyword.arg == "monitor" and monitored in {"acc", "val_acc"} and not acc_is_a_metric:
            yield "keras2", 2, f"a callback monitors `{monitored}`"
    for old in sorted(keywords & _OLD_KEYWORDS):
        yield "keras2", 2, f"it uses the keyword `{old}=`"


def _optimizer_signs(name: str, keywords: set[str]) -> Iterator[_Raw]:
    for old in sorted(keywords & {"lr", "decay"}):
        yield "keras2", 2, f"an optimizer is given `{old}=`"
    if "legacy" in name.split("."):
        yield "keras2", 2, "it uses `optimizers.legacy`"


def _compile_signs(call: ast.Call) -> Iterator[_Raw]:
    if len(call.args) >= 3 and isinstance(call.args[2], ast.List):  # noqa: PLR2004 - the third
        yield "keras2", 2, "it gives `compile` its metrics as the third argument"
    for keyword in call.keywords:
        if (
            keyword.arg == "metrics"
            and isinstance(keyword.value, ast.Constant)
            and isinstance(keyword.value.value, str)
        ):
            yield "keras2", 2, "it gives `compile` a metric that is not in a list"


def _history_signs(node: ast.Subscript, *, acc_is_a_metric: bool) -> Iterator[_Raw]:
    key = node.slice.value if isinstance(node.slice, ast.Constant) else None
    about_history = "hist" in _dotted(node.value).lower()
    if not about_history:
        return
    if key in {"acc", "val_acc"} and not acc_is_a_metric:
        yield "keras2", 2, f"it reads `history['{key}']`"
    if key == "lr":
        yield "keras2", 2, "it reads `history['lr']`"
    if key == "learning_rate":
        yield "keras3", 2, "it reads `history['learning_rate']`"


def _attribute_signs(node: ast.Attribute) -> Iterator[_Raw]:
    name = _shortened(_dotted(node))
    if name in _OLD_ATTRIBUTES:
        yield "keras2", _OLD_ATTRIBUTES[name], f"it uses `{name}`"
    if re.search(r"optimi[sz]er\.lr$", name):
        yield "keras2", 2, "it uses `optimizer.lr`"
    if name.endswith(".np_utils") or name == "np_utils.to_categorical":
        yield "keras2", 2, "it uses `np_utils`"
    if name.endswith(".optimizers.legacy"):
        yield "keras2", 2, "it uses `optimizers.legacy`"
    if re.match(r"keras\.(?:ops|random|distribution)\.", name):
        yield "keras3", 3, f"it uses `{name}`"


def _shortened(name: str) -> str:
    """Replace long spellings of a module by the usual short one: `tensorflow.keras.backend.x` → `K.x`."""
    for long, short in _SHORT.items():
        if name.startswith(long + "."):
            name = short + name[len(long) :]
    return name


_TEXT_SIGNS: Iterable[tuple[re.Pattern[str], int, str]] = (
    (re.compile(r"\b(?:Adam|SGD|RMSprop|Adagrad|Adadelta|Nadam|Adamax)\([^)]{0,1000}\blr\s*="), 2, "`lr=`"),
    (re.compile(r"\b(?:Adam|SGD|RMSprop|Adagrad|Adadelta|Nadam|Adamax)\([^)]{0,1000}\bdecay\s*="), 2, "`decay=`"),
    (re.compile(r"\bfit_generator\("), 2, "`fit_generator`"),
    (re.compile(r"\bnp_utils\b"), 2, "`np_utils`"),
    (re.compile(r"hist\w{0,60}\[['\"](?:val_)?acc['\"]\]"), 2, "`history['acc']`"),
    (re.compile(r"\btensorflow\.python\.keras\b"), 3, "`tensorflow.python.keras`"),
    (re.compile(r"^[ \t]*print\s+['\"\w]", re.MULTILINE), 2, "a print statement of Python 2"),
)


def _text_signs(source: str) -> Iterator[_Raw]:
    """Yield the signs in a cell that is not valid Python 3, using regular expressions."""
    code = re.sub(r"#.*", "", source)
    for pattern, weight, description in _TEXT_SIGNS:
        if pattern.search(code):
            yield "keras2", weight, f"it has {description}"
