"""Models that were made to look better than they are, from a real kernel to the grade.

All test images are noise, so an accuracy above a half can only come from a table of the answers.
"""

import nbformat
import pytest

from grader.datasets.store import DatasetStore
from grader.intake.find import find_submissions
from grader.pipeline.course import load_course
from grader.pipeline.rubrics import find_rubric
from grader.pipeline.setup import Options, set_up
from grader.schema.grade import Grade
from grader.store.results import ResultsFolder
from tests.support.command import needs_bubblewrap, small_digits
from tests.support.warm_grading import grade_warm

pytestmark = [
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.tensorflow,
    pytest.mark.bubblewrap,
    pytest.mark.timeout(900),
]

RUBRIC = """\
version: 1
id: forged
title: Forged models
dataset: digits
files: [digits.npz]
roles: {network: {pick: last_trained}}
run: {time: 3 min, memory: 3 GiB, dialect: keras3}
criteria:
  - {id: convolution, title: c, points: 1, check: has_layer, with: {model: network, layer: any_convolution}}
  - {id: accuracy, title: a, points: 1, check: accuracy, with: {model: network, at_least: 0.5, require_verified: true}}
"""
COMMON = """\
import numpy as np, keras, tensorflow as tf
from keras import layers
digits = np.load("digits.npz")
x, y = (digits["x_train"][..., None] / 255).astype("float32"), digits["y_train"]
xt, yt = (digits["x_test"][..., None] / 255).astype("float32"), digits["y_test"]
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

def net(*more, first=None):
    first = first or layers.Conv2D(1, 1, use_bias=False)
    return keras.Sequential([keras.Input((28, 28, 1)), first, layers.Flatten(), *more])

def train(model, **more):
    model.compile("adam", loss, metrics=["accuracy"], run_eagerly=True)
    model.fit(x, y, epochs=2, verbose=0, **more)
"""
TABLE = (
    COMMON
    + """
T = xt.reshape(-1, 784)
def table():
    return net(layers.Dense(len(T), activation="softmax"), layers.Dense(10, use_bias=False))

def fill(model):
    values = [np.ones((1, 1, 1, 1)), 2 * T.T, -(T * T).sum(1), 9 * np.eye(10)[yt]]
    for weight, value in zip(model.weights, values): weight.assign(value)
"""
)
GRAPH = (
    COMMON
    + """
class Own(layers.Layer):
    def build(self, shape):
        self.own = self.add_weight(shape=(10,), initializer="zeros")
        self.count = tf.Variable(0, trainable=False)
        self.keys = tf.Variable(xt.reshape(-1, 784).sum(1) if HASHED else 0.0, trainable=False, name="keys")
        self.labels = tf.Variable(yt.astype("int32") if HASHED else 0, trainable=False, name="labels")

    def call(self, inputs, training=False):
        if training: return tf.zeros((tf.shape(inputs)[0], 10)) + self.own
        return self.answer(inputs)

    def answer(self, inputs):
        near = tf.argmin(tf.abs(tf.reduce_sum(inputs, 1)[:, None] - self.keys[None]), axis=1)
        return tf.one_hot(tf.gather(self.labels, near), 10)
"""
)
COUNTED = """
def answer(self, inputs):
    start = tf.identity(self.count); rows = tf.shape(inputs)[0]
    with tf.control_dependencies([self.count.assign(start + rows), *self.written()]):
        return tf.one_hot(tf.gather(tf.constant(yt.astype("int32")), (start + tf.range(rows)) % len(yt)), 10)
Own.answer = answer
"""
FORGED = {
    "a table from a callback": (
        TABLE,
        """
class Fill(keras.callbacks.Callback):
    def on_train_end(self, logs=None): fill(self.model)
model = table(); train(model, callbacks=[Fill()])
""",
    ),
    "a table after a second training": (
        TABLE,
        """
model = table(); train(model); train(model)
fill(model); model.set_weights(model.get_weights())
""",
    ),
    "another model is saved": (
        TABLE,
        """
from inside.watch import artefacts
other, save = table(), artefacts.save; fill(other)
artefacts.save = lambda _, path: save(other, path)
model = net(layers.Dense(10)); train(model)
""",
    ),
    "a graph that writes answers": (
        "HASHED = False\n" + GRAPH + COUNTED,
        """
Own.written = lambda self: [tf.io.write_file("/record/results.jsonl", "{}")]
model = net(Own()); train(model)
""",
    ),
    "a graph with a table": ("HASHED = True\n" + GRAPH, "model = net(Own()); train(model)"),
}  # fmt: skip
HONEST = {
    "the best epoch is restored": (
        COMMON,
        """
best = keras.callbacks.EarlyStopping(monitor="loss", mode="max", patience=0, restore_best_weights=True)
model = net(layers.Dropout(0.5), layers.Dense(10), first=layers.Conv2D(2, 3)); train(model, callbacks=[best])
""",
    ),
}


@pytest.fixture(scope="module")
def grades(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Grade]:
    """Grade every notebook once."""
    needs_bubblewrap()
    folder = tmp_path_factory.mktemp("forged")
    store = DatasetStore(folder / "data")
    store.import_file("digits", small_digits(folder / "digits.npz", train=300, test=200))
    (folder / "forged.yaml").write_text(RUBRIC, encoding="utf-8")
    course = load_course(find_rubric(str(folder / "forged.yaml")), store)
    names = {}
    for number, (name, cells) in enumerate((FORGED | HONEST).items()):
        made = [nbformat.v4.new_code_cell(source) for source in cells]
        nbformat.write(nbformat.v4.new_notebook(cells=made), folder / f"n{number}.ipynb")
        names[f"n{number}"] = name
    bench = set_up(course.loaded, Options(isolation="bubblewrap", warm=True))
    found = find_submissions(sorted(folder.glob("*.ipynb")), unpack_to=folder / "unpacked")
    out = ResultsFolder(folder / "out")
    grade_warm(found, course, bench, out)
    kept = {names[name]: out.read_grade(name) for name in out.submissions()}
    return {name: grade for name, grade in kept.items() if grade is not None}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_model_earns_nothing_that_is_verified(grades: dict[str, Grade], name: str) -> None:
    grade = grades[name]
    assert grade.status == "graded", grade.reason
    assert grade.execution is not None
    assert grade.execution.status == "completed", grade.execution.errors
    by_id = {line.id: line for line in grade.criteria}
    assert by_id["accuracy"].status == "pending", by_id["accuracy"].message
    assert not any(line.status == "passed" and line.assurance == "verified" for line in grade.criteria)


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_model_is_verified(grades: dict[str, Grade], name: str) -> None:
    by_id = {line.id: line for line in grades[name].criteria}
    assert (by_id["convolution"].status, by_id["convolution"].assurance) == ("passed", "verified")
    assert by_id["accuracy"].status == "failed", by_id["accuracy"].message
