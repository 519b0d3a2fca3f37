"""Submissions that were really executed: honest twins, a disguised copy, and weights from another person's file."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import nbformat
import pytest

from grader.pipeline.similarity import compare_results
from grader.schema.similarity import SimilarPair
from grader.store.results import ResultsFolder
from tests.support.command import grader, needs_bubblewrap, small_digits
from tests.support.copied_class import code_cells, renamed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.tensorflow,
    pytest.mark.bubblewrap,
    pytest.mark.timeout(900),
]

RUBRIC = """\
version: 1
id: digits
title: Digits
dataset: digits
files: [digits.npz]
run: {dialect: keras3, seed: 7, time: 120 s, memory: 3 GiB}
criteria:
  - {id: runs, title: It runs, points: 2, check: runs}
"""
DATA = """\
import keras, numpy as np
from keras import layers
digits = np.load("digits.npz")
x_train, y_train = digits["x_train"][..., None] / 255.0, digits["y_train"]
x_test, y_test = digits["x_test"][..., None] / 255.0, digits["y_test"]
"""
STARTER = (
    DATA,
    """\
model = keras.Sequential([keras.Input((28, 28, 1)), layers.Conv2D(4, 5, strides=2, activation="relu"),
                          layers.MaxPooling2D(2), layers.Flatten(), layers.Dense(10, activation="softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
""",
    "history = model.fit(x_train, y_train, epochs=2, batch_size=50, verbose=0)\nmodel.evaluate(x_test, y_test)",
)
OWN = {
    "twin-a": """\
best = max(zip(history.history["accuracy"], range(1, 3)))
for number, (loss, accuracy) in enumerate(zip(history.history["loss"], history.history["accuracy"])):
    print("epoch", number, "has the loss", round(loss, 3), "and the accuracy", round(accuracy, 3), sep="\\t")
print("the best epoch was", best[1], "with", f"{best[0]:.1%}")
""",
    "twin-b": """\
guesses = np.argmax(model.predict(x_test, verbose=0), axis=-1)
table = np.zeros((10, 10), int)
np.add.at(table, (y_test, guesses), 1)
rows = [" ".join(str(cell).rjust(3) for cell in row) for row in table]
print("\\n".join(rows), table.trace() / table.sum())
""",
}
ORIGINAL = (
    DATA,
    """\
def block(tensor, filters, rate):
    tensor = layers.Conv2D(filters, 3, padding="same", use_bias=False)(tensor)
    tensor = layers.BatchNormalization(momentum=0.8)(tensor)
    tensor = layers.LeakyReLU(negative_slope=0.2)(tensor)
    return layers.Dropout(rate)(layers.AveragePooling2D(2)(tensor))

pixels = keras.Input((28, 28, 1))
features = pixels
for filters, rate in [(6, 0.1), (9, 0.15)]:
    features = block(features, filters, rate)
scores = layers.Dense(10, activation="softmax")(layers.GlobalMaxPooling2D()(features))
network = keras.Model(pixels, scores)
""",
    """\
schedule = keras.optimizers.schedules.ExponentialDecay(0.01, decay_steps=6, decay_rate=0.9)
network.compile(keras.optimizers.Nadam(schedule), "sparse_categorical_crossentropy", metrics=["accuracy"])
curve = network.fit(x_train, y_train, epochs=3, batch_size=30, validation_data=(x_test, y_test), verbose=0)
print(sorted(curve.history), np.argmin(curve.history["val_loss"]))
""",
)
LOADING = {
    "loads-a": (
        DATA,
        "loaded = keras.models.load_model('best.keras')\nprint(loaded(x_test[:5]).numpy().round(2))",
    ),
    "loads-b": (
        DATA,
        """\
from pathlib import Path
path = Path("best.keras")
assert path.exists(), "no model"
ready = keras.saving.load_model(path)
ready.summary()
probabilities = ready.predict(x_test, batch_size=20)
print((probabilities.argmax(1) == y_test).mean())
""",
    ),
}


def _write(folder: Path, name: str, sources: tuple[str, ...]) -> Path:
    path = folder / name / "homework.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    nbformat.write(notebook, path)
    return path


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[frozenset[str], SimilarPair]:
    """Pairs of a class that was executed in two steps: the second one has a model from the first."""
    needs_bubblewrap()
    root = tmp_path_factory.mktemp("similar")
    env = {"GRADER_DATA": str(root / "data")}
    assert grader("data", "import", "digits", small_digits(root / "digits.npz", train=300, test=100), env=env).code == 0
    (root / "digits.yaml").write_text(RUBRIC, encoding="utf-8")
    copied = tuple(cell.source for cell in renamed(code_cells(*ORIGINAL)))
    disguised = (copied[0], "keras.utils.set_random_seed(99)", *copied[1:])
    members = {**{name: (*STARTER, own) for name, own in OWN.items()}, "original": ORIGINAL, "copy": disguised}
    for name, sources in members.items():
        _write(root / "first", name, sources)
    _grade(root, "first", env)
    for name, sources in LOADING.items():
        path = _write(root / "second", name, sources)
        shutil.copy(root / "results" / "original" / "evidence" / "models" / "m1.keras", path.with_name("best.keras"))
    _grade(root, "second", env)
    starter = _write(root, "handout", STARTER)
    similarity = compare_results(ResultsFolder(root / "results"), starters=[starter]).comparison.similarity
    return {frozenset((pair.first, pair.second)): pair for pair in similarity.pairs}


def _grade(root: Path, folder: str, env: dict[str, str]) -> None:
    options = ("--rubric", root / "digits.yaml", "--out", root / "results", "--jobs", "1")
    done = grader("grade", root / folder, *options, env=env, timeout=600)
    assert done.code in {0, 1}, done.err
    for path in (root / "results").glob("*/grade.json"):
        execution = json.loads(path.read_text(encoding="utf-8"))["execution"]
        assert execution["status"] == "completed", (path, execution["errors"])


def test_honest_twins_are_explained(pairs: Mapping[frozenset[str], SimilarPair]) -> None:
    twins = pairs[frozenset(OWN)]
    assert twins.strength == "explained"
    assert {"weights", "errors"} <= {sign.kind for sign in twins.signs}


def test_a_disguised_copy_with_another_seed_is_found_by_its_code(
    pairs: Mapping[frozenset[str], SimilarPair],
) -> None:
    copy = pairs[frozenset(("original", "copy"))]
    assert copy.strength == "strong"
    assert "weights" not in {sign.kind for sign in copy.signs}


@pytest.mark.parametrize("pair", [("loads-a", "loads-b"), ("loads-a", "original"), ("loads-b", "original")])
def test_weights_of_another_persons_file_are_found(
    pairs: Mapping[frozenset[str], SimilarPair], pair: tuple[str, str]
) -> None:
    found = pairs[frozenset(pair)]
    assert found.strength == "strong"
    assert found.signs[0].kind in {"weights", "errors"}


def test_nobody_else_is_listed(pairs: Mapping[frozenset[str], SimilarPair]) -> None:
    assert len(pairs) == 5
