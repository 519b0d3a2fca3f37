"""Classes with honest and copied submissions, made from the real notebooks of this repository."""

import ast
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import nbformat
import numpy as np

from grader.facts.code_prints import code_prints, text_prints
from grader.facts.similarity import Starter, compare
from grader.facts.traces import Traces, traces_of
from grader.schema.evidence import CellFact, CompileFact, Evidence, OptimizerFact, SaveFact
from grader.store.results import ResultsFolder
from tests.support.factories import a_cell, a_fit, a_model, a_run, an_accuracy, an_evidence, conv, dense
from tests.support.mailing import a_grade

__all__ = [
    "DISGUISES",
    "STARTER",
    "TWINS",
    "Class",
    "Copy",
    "Facts",
    "classes",
    "code_cells",
    "evidence_of",
    "honest_names",
    "keep_copies",
    "make_class",
    "measured",
    "member",
    "notebook_cells",
    "precision_and_recall",
    "small_class",
    "starter",
]

ROOT = Path(__file__).parents[2]
Cells = tuple[CellFact, ...]
_IMAGES = 10_000
STRENGTHS = ("strong", "moderate", "weak", "explained", "not listed")
"""Columns of the table of measurements."""

STARTER = (
    (
        "(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()\n"
        "x_train, x_test = x_train[..., None] / 255.0, x_test[..., None] / 255.0\n"
        "x_valid, y_valid = x_train[54000:], y_train[54000:]"
    ),
    (
        "def build(filters, units):\n"
        "    inputs = keras.Input((28, 28, 1))\n"
        "    x = layers.Conv2D(filters, 3, activation='relu')(inputs)\n"
        "    x = layers.MaxPooling2D()(x)\n"
        "    x = layers.Conv2D(2 * filters, 3, activation='relu')(x)\n"
        "    x = layers.Flatten()(x)\n"
        "    outputs = layers.Dense(10, activation='softmax')(layers.Dense(units, activation='relu')(x))\n"
        "    return keras.Model(inputs, outputs)"
    ),
    (
        "net = build(32, 64)\n"
        "net.compile(keras.optimizers.Adam(1e-3), 'sparse_categorical_crossentropy', metrics=['accuracy'])\n"
        "log = net.fit(x_train[:54000], y_train[:54000], batch_size=64, epochs=4, validation_data=(x_valid, y_valid))"
    ),
)
"""A starter that defines the whole training."""
_OF_STUDENTS = {
    "twin-one": (
        (
            "def draw(log):\n    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3))\n"
            "    for axes, key in ((left, 'loss'), (right, 'accuracy')):\n"
            "        axes.plot(log.history[key], 'o-'); axes.plot(log.history['val_' + key], 's--')\n"
            "        axes.set_title(key); axes.set_xlabel('epoch')\n    figure.tight_layout()\n\ndraw(log)"
        ),
        (
            "wrong = np.flatnonzero(net.predict(x_test).argmax(axis=1) != y_test)\n"
            "for place, image in enumerate(wrong[:12]):\n    plt.subplot(3, 4, place + 1)\n"
            "    plt.imshow(x_test[image, ..., 0], cmap='gray'); plt.axis('off'); plt.title(int(y_test[image]))"
        ),
    ),
    "twin-two": (
        (
            "history = pd.DataFrame(log.history)\nhistory[['loss', 'val_loss']].plot(grid=True, logy=True)\n"
            "plt.ylabel('cross-entropy'); plt.savefig('loss.png')\nhistory.filter(like='accuracy').plot(grid=True)"
        ),
        (
            "score = net.evaluate(x_test, y_test, verbose=0, return_dict=True)\n"
            "print('test accuracy: {accuracy:.3f}, loss: {loss:.3f}'.format(**score))\n"
            "matrix = tf.math.confusion_matrix(y_test, np.argmax(net.predict(x_test), -1))\n"
            "sns.heatmap(matrix.numpy() / matrix.numpy().sum(1, keepdims=True), annot=True)"
        ),
    ),
    "changed-one": (
        (
            "deeper = keras.Sequential([build(24, 48).layers[1], layers.BatchNormalization(),"
            " layers.GlobalMaxPooling2D(),"
            " layers.Dropout(0.2), layers.Dense(10, 'softmax')])\n"
            "deeper.compile('nadam', 'sparse_categorical_crossentropy', ['accuracy'])\n"
            "deeper.fit(x_train, y_train, validation_split=0.1, epochs=3)"
        ),
    ),
    "changed-two": (
        (
            "results = {}\nfor filters in (4, 8, 16):\n    trial = build(filters, 2 * filters)\n"
            "    trial.compile(optimizer='sgd', loss='sparse_categorical_crossentropy', metrics=['accuracy'])\n"
            "    results[filters] = max(trial.fit(x_train, y_train, epochs=2, verbose=0).history['accuracy'])\n"
            "best = max(results, key=results.get)"
        ),
    ),
}
"""Students' own cells after the starter's; the first two keep its training."""
TWINS = ("twin-one", "twin-two")
_HOSTS = ("cifar-deep/greta", "cifar-deep/oskar", "fashion-transfer/gita", "reference/cifar-deep")
"""Honest notebooks that get something copied."""


@dataclass(frozen=True)
class Facts:
    """The execution of one student: what it trained, and from what."""

    recipe: str
    seed: int = 7
    loads: str = ""
    """Training whose result it loads from a file instead."""
    claims: str = ""
    """Training whose result its own training has."""


@dataclass(frozen=True)
class Copy:
    """A copied submission."""

    name: str
    original: str
    disguise: str
    traces: Traces


@dataclass(frozen=True)
class Class:
    """Traces of all submissions, and the pairs that are copies."""

    traces: tuple[Traces, ...]
    copies: tuple[Copy, ...] = field(default=())


# --- notebooks


@cache
def notebook_cells(name: str) -> Cells:
    """Cells of a notebook of this repository, such as `mnist-cnn/amara` or `reference/mnist-cnn`."""
    folder = ROOT if name.startswith("reference/") else ROOT / "examples" / "submissions"
    notebook = nbformat.read(folder / f"{name}.ipynb", 4)
    return tuple(a_cell(at, cell.source, cell.cell_type) for at, cell in enumerate(notebook.cells))


def honest_names() -> tuple[str, ...]:
    """Names of notebooks of different people for similar tasks with MNIST."""
    folders = ("mnist-cnn", "keras-mnist-cnn", "parameter-golf")
    found = [path for folder in folders for path in (ROOT / "examples" / "submissions" / folder).glob("*.ipynb")]
    return (*sorted(f"{path.parent.name}/{path.stem}" for path in found), *(f"reference/{one}" for one in folders))


def code_cells(*sources: str) -> Cells:
    """Code cells in order."""
    return tuple(a_cell(at, source) for at, source in enumerate(sources))


def starter() -> Starter:
    """The starter as the comparison knows it."""
    cells = code_cells(*STARTER)
    return Starter("starter.ipynb", code_prints(cells), text_prints(cells))


# --- executions


def member(name: str, cells: Cells, facts: Facts | None = None) -> Traces:
    """Traces of one submission with plausible facts of its execution."""
    return traces_of(name, evidence_of(name, cells, facts), sha256=_digest(name))


def evidence_of(name: str, cells: Cells, facts: Facts | None = None) -> Evidence:
    """Evidence of one submission with plausible facts of its execution.

    The same recipe with the same seed gives the same weights, losses and errors, as in the grader.
    """
    facts = facts or Facts(name)
    own = f"{facts.claims or facts.recipe} with seed {facts.seed}"
    loaded = f"{facts.loads} with seed 7"
    filters = 4 + _number(facts.recipe) % 61
    code = [cell.index for cell in cells if cell.kind == "code"]
    cell = code[min(2, len(code) - 1)] if code else 0
    fit = a_fit(
        cell=cell,
        digests_before={layer: _digest(f"{facts.recipe} {facts.seed} {layer} fresh") for layer in ("conv2d", "dense")},
        digests_after={layer: _digest(f"{own} {layer}") for layer in ("conv2d", "dense")},
        history={"loss": [1.0 / (2 + _number(own + epoch) % 9973) for epoch in "abcd"]},
    )
    load = SaveFact(
        event=3,
        cell=cell,
        action="load",
        model="m1",
        path="best.keras",
        digests={layer: _digest(f"{loaded} {layer}") for layer in ("conv2d", "dense")},
    )
    return an_evidence(
        run=a_run(seed=7),
        cells=cells,
        models=(a_model(conv(filters), dense(10, inputs=filters), cell=cell),),
        compiles=(_compile(facts.recipe, cell),),
        fits=() if facts.loads else (fit,),
        saves=(load,) if facts.loads else (),
        accuracies=(an_accuracy(wrong=_errors(loaded if facts.loads else own)),),
    )


def _compile(recipe: str, cell: int) -> CompileFact:
    rate = 0.0001 * (1 + _number(recipe) % 97)
    optimizer = OptimizerFact(cls="Adam", learning_rate=rate)
    return CompileFact(event=5, cell=cell, model="m1", optimizer=optimizer, loss=None)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _number(text: str) -> int:
    return int(_digest(text)[:8], 16)


@cache
def _errors(own: str) -> tuple[int, ...]:
    """Errors of a model with an accuracy of about 99 %: some images are hard for every model."""
    difficulty = np.random.default_rng(0).gamma(0.05, 1.0, _IMAGES)
    chance = np.minimum(0.9, difficulty * 0.012 * _IMAGES / difficulty.sum())
    return tuple(np.flatnonzero(np.random.default_rng(_number(own)).random(_IMAGES) < chance).tolist())


# --- disguises


def _sources(cells: Cells, change: Callable[[str], str]) -> Cells:
    return tuple(c.model_copy(update={"source": change(c.source)}) if c.kind == "code" else c for c in cells)


def _only_code(cells: Cells) -> Cells:
    return tuple(cell for cell in cells if cell.kind == "code")


def _parsed(source: str) -> ast.Module | None:
    try:
        return ast.parse(re.sub(r"^\s*[%!].*$", "", source, flags=re.MULTILINE))
    except SyntaxError:
        return None


class _Renaming(ast.NodeTransformer):
    """Gives every name that the notebook binds another one."""

    def __init__(self, names: set[str]) -> None:
        self.new = {name: f"{name[:1].lower()}_{place}" for place, name in enumerate(sorted(names))}

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self.new.get(node.id, node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.arg = self.new.get(node.arg, node.arg)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name = self.new.get(node.name, node.name)
        return self.generic_visit(node)


def renamed(cells: Cells) -> Cells:
    """Other names, another layout, no comments."""
    trees = [tree for cell in cells if cell.kind == "code" and (tree := _parsed(cell.source))]
    names = {name for tree in trees for node in ast.walk(tree) for name in _bound_names(node)}

    def change(source: str) -> str:
        tree = _parsed(source)
        return source if tree is None else ast.unparse(_Renaming(names).visit(tree))

    return _only_code(_sources(cells, change))


def _bound_names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.FunctionDef):
        yield node.name


def reordered(cells: Cells) -> Cells:
    """The same code cells in another order, without texts."""
    return tuple(sorted(_only_code(cells), key=lambda cell: _digest(cell.source)))


def commented(cells: Cells) -> Cells:
    """Other comments, other texts."""
    changed = _sources(cells, lambda source: re.sub(r"#[^\n'\"]*$", "# as discussed", source, flags=re.MULTILINE))
    return (*_only_code(changed), a_cell(99, "My solution of the exercise, all by myself.", "markdown"))


def renumbered(cells: Cells) -> Cells:
    """Other numbers."""
    code = _sources(cells, lambda source: re.sub(r"(?<![\w.])\d\d+(?![\w.])", lambda n: str(int(n[0]) + 3), source))
    return _only_code(code)


def reseeded(cells: Cells) -> Cells:
    """Another seed."""
    return (a_cell(98, "keras.utils.set_random_seed(1234)"), *_only_code(cells))


def other_last_layer(cells: Cells) -> Cells:
    """Another layer before the last one."""

    def change(source: str) -> str:
        last = source.rfind("Dense(")
        return source if last < 0 else f"{source[:last]}Dense(96, kernel_initializer='he_normal', {source[last + 6 :]}"

    return _only_code(_sources(cells, change))


def everything(cells: Cells) -> Cells:
    """All disguises of the code together."""
    return reseeded(reordered(renumbered(renamed(commented(cells)))))


def _half(cells: Cells, host: Cells) -> Cells:
    """The second half of the code cells in another notebook."""
    code = renamed(cells)
    return (*host, *code[len(code) // 2 :])


def _texts(cells: Cells, host: Cells) -> Cells:
    """All texts in another notebook."""
    return (*_only_code(host), *(cell for cell in cells if cell.kind == "markdown"))


DISGUISES: dict[str, Callable[[Cells, Cells, str], tuple[Cells, Facts]]] = {
    "names": lambda cells, _, recipe: (renamed(cells), Facts(recipe)),
    "order of cells": lambda cells, _, recipe: (reordered(cells), Facts(f"{recipe} in another order")),
    "comments and texts": lambda cells, _, recipe: (commented(cells), Facts(recipe)),
    "numbers": lambda cells, _, recipe: (renumbered(cells), Facts(f"{recipe} with other numbers")),
    "seed": lambda cells, _, recipe: (reseeded(cells), Facts(recipe, seed=1234)),
    "last layer": lambda cells, _, recipe: (other_last_layer(cells), Facts(f"{recipe} with another layer")),
    "all of these": lambda cells, _, recipe: (everything(cells), Facts(f"{recipe} changed", seed=1234)),
    "half of the code": lambda cells, host, recipe: (_half(cells, host), Facts(f"half of {recipe}")),
    "only the texts": lambda cells, host, recipe: (_texts(cells, host), Facts(f"texts of {recipe}")),
    "only the weights, from a file": lambda _, host, recipe: (host, Facts("", loads=recipe)),
    "only the weights, as if trained": lambda _, host, recipe: (host, Facts(f"not {recipe}", claims=recipe)),
}
"""How a copy differs from its original; the last four are in a notebook that is otherwise the student's own."""


# --- classes


@cache
def _honest() -> tuple[Traces, ...]:
    own = [member(name, notebook_cells(name)) for name in honest_names()]
    for name, cells in _OF_STUDENTS.items():
        facts = Facts("the starter's training") if name in TWINS else Facts(name)
        own.append(member(name, code_cells(*STARTER, *cells), facts))
    return tuple(own)


def make_class(number: int = 0, disguises: Sequence[str] = tuple(DISGUISES)) -> Class:
    """A class in which each disguise was used once; another number gives each of them another original."""
    names = honest_names()
    copies = []
    for place, disguise in enumerate(disguises):
        original = names[(place + number) % len(names)]
        host = notebook_cells(_HOSTS[place % len(_HOSTS)])
        cells, facts = DISGUISES[disguise](notebook_cells(original), host, original)
        numbered = tuple(cell.model_copy(update={"index": at}) for at, cell in enumerate(cells))
        name = f"copy of {original}, {disguise}".replace("/", " ")
        copies.append(Copy(name, original, disguise, member(name, numbered, facts)))
    return Class((*_honest(), *(copy.traces for copy in copies)), tuple(copies))


def classes() -> Iterator[Class]:
    """All classes: each disguise for each original."""
    yield from (make_class(number) for number in range(len(honest_names())))


# --- measurement


def measured() -> tuple[str, ...]:
    """Rows of the table in `docs/similarity.md`: each disguise, and how its copies are listed."""
    listed: dict[str, Counter[str]] = {disguise: Counter() for disguise in DISGUISES}
    honest, twins, others = 0, Counter[str](), Counter[str]()
    for built in classes():
        similarity = compare(built.traces, [starter()], most=10_000).similarity
        strengths = {frozenset((pair.first, pair.second)): pair.strength for pair in similarity.pairs}
        for copy in built.copies:
            listed[copy.disguise][strengths.pop(frozenset((copy.name, copy.original)), "not listed")] += 1
        twins[strengths.pop(frozenset(TWINS), "not listed")] += 1
        others.update(strengths.values())
        size = len(built.traces)
        honest += size * (size - 1) // 2 - len(built.copies) - 1 - len(strengths)
    others["not listed"] += honest
    counts = {**{f"copied: {one}": found for one, found in listed.items()}, "honest twins": twins}
    counts["all other pairs"] = others
    return tuple(f"| {name} | {' | '.join(str(found[one]) for one in STRENGTHS)} |" for name, found in counts.items())


def precision_and_recall(rows: Sequence[str]) -> tuple[float, float]:
    """Precision and recall of strong and moderate hints, from the rows of `measured`."""
    cells = [row.strip("| ").split(" | ") for row in rows]
    hints = {cell[0]: int(cell[1]) + int(cell[2]) for cell in cells}
    right = sum(count for name, count in hints.items() if name.startswith("copied"))
    copies = sum(sum(map(int, cell[1:])) for cell in cells if cell[0].startswith("copied"))
    return right / sum(hints.values()), right / copies


# --- results


def small_class() -> dict[str, tuple[Cells, Facts]]:
    """A small class: `anton` has the code of `amara`, and the twins have the same starter."""
    original = notebook_cells("mnist-cnn/amara")
    facts = Facts("the starter's training")
    members = {
        "amara": (original, Facts("amara")),
        "anton": (everything(original), Facts("anton", seed=1234)),
        **{name: (code_cells(*STARTER, *_OF_STUDENTS[name]), facts) for name in TWINS},
        **{name: (notebook_cells(f"mnist-cnn/{name}"), Facts(name)) for name in ("ben", "chiara", "dmitri", "elif")},
    }
    return {
        name: (tuple(cell.model_copy(update={"index": at}) for at, cell in enumerate(cells)), execution)
        for name, (cells, execution) in members.items()
    }


def keep_copies(out: ResultsFolder) -> None:
    """Write results of the small class."""
    for name, (cells, execution) in small_class().items():
        out.write_evidence(name, evidence_of(name, cells, execution))
        grade = a_grade(name)
        stamp = grade.submission.model_copy(update={"sha256": _digest(name), "student": name.title()})
        out.write_grade(grade.model_copy(update={"submission": stamp}))
