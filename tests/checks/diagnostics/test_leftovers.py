"""The diagnostics in `leftovers`, on notebooks with the mistakes and on notebooks that only resemble them."""

import pytest

from grader.facts.case import Case
from grader.schema.evidence import Evidence
from grader.schema.message import as_message
from tests.support.diagnosing import Cases, assert_not_noted, assert_noted, each, notes_of
from tests.support.factories import a_cell, a_model, a_run, an_error, an_evidence, conv, dense

CONFLICT = "<<<<<<< HEAD\nepochs = 5\n=======\nepochs = 10\n>>>>>>> main"


def failing(name: str, message: str, *sources: str) -> Evidence:
    """Make a notebook with the layers `conv2d`, `conv2d_1` and `dense` whose last cell raised an error."""
    model = a_model(conv(name="conv2d"), conv(name="conv2d_1"), dense())
    cells = tuple(a_cell(place, source) for place, source in enumerate(sources))
    return an_evidence(models=(model,), cells=cells, run=a_run(errors=(an_error(len(sources) - 1, name, message),)))


def no_layer(name: str) -> str:
    """Return Keras's message about an unknown layer."""
    return f"No such layer: {name}. Existing layers are: ['conv2d', 'conv2d_1', 'dense']."


MISTAKES: Cases = {
    "conflict-markers": (
        an_evidence(cells=(a_cell(0, CONFLICT, error="SyntaxError"),)),
        an_evidence(cells=(a_cell(0, f"x = 1\n{CONFLICT}\nmodel.fit(x)", error="SyntaxError"),)),
        an_evidence(cells=(a_cell(0, "## Results\n<<<<<<< HEAD\nIt is good.\n=======\nIt is bad.", "markdown"),)),
        # As nbdime merges cells.
        an_evidence(
            cells=(a_cell(0, '<span style="color:red">**&lt;&lt;&lt;&lt;&lt;&lt;&lt; local**</span>', "markdown"),)
        ),
    ),
    "automatic-layer-name": (
        failing("KeyError", "'conv2d_24'", "d = {l.name: l for l in model.layers}", "d['conv2d_24'].trainable = False"),
        failing("ValueError", no_layer("conv2d_24"), 'model.get_layer("conv2d_24")'),
        # The name is in a function of an earlier cell.
        failing("ValueError", no_layer("dense_7"), "def f(m):\n    return m.get_layer('dense_7')", "f(model)"),
    ),
    "databricks-only": (
        failing("NameError", "name 'dbutils' is not defined", "dbutils.fs.ls('/mnt')"),
        failing("NameError", "name 'spark' is not defined", "x = 1", "df = spark.read.csv('x.csv')"),
    ),
}


LOOKALIKES: Cases = {
    "conflict-markers": (
        # A text that contains them, in code that is valid.
        an_evidence(cells=(a_cell(0, f'text = """\n{CONFLICT}\n"""'),)),
        an_evidence(cells=(a_cell(0, f"How git shows it:\n```\n{CONFLICT}\n```", "markdown"),)),
        an_evidence(cells=(a_cell(0, "Git writes `<<<<<<<` into the file.", "markdown"),)),
        an_evidence(cells=(a_cell(0, "Results\n=======\nThey are good.", "markdown"),)),
        an_evidence(cells=(a_cell(0, "y = x << 7\nif a <", error="SyntaxError"),)),
    ),
    "automatic-layer-name": (
        # The student's own name, or a key of another dictionary.
        failing("ValueError", no_layer("last_conv"), "model.get_layer('last_conv')"),
        failing("KeyError", "'val_accuracy_1'", "history.history['val_accuracy_1']"),
        failing("KeyError", "'conv2d_1'", "d = {}\nd['conv2d_1']"),
        failing("KeyError", "'lstm_3'", "d['lstm_3']"),
        # The name is computed.
        failing("KeyError", "'conv2d_9'", "d[f'conv2d_{i}']"),
        failing("IndexError", "'conv2d_24'", "d['conv2d_24']"),
    ),
    "databricks-only": (
        # The notebook defines it, but the definition failed or is further down.
        failing("NameError", "name 'spark' is not defined", "spark = SparkSession.builder.getOrCreate()", "spark.read"),
        failing("NameError", "name 'sparks' is not defined", "sparks.fly()"),
        failing("ModuleNotFoundError", "No module named 'pyspark'", "import pyspark"),
    ),
}


@pytest.mark.parametrize(("name", "one"), each(MISTAKES))
def test_the_mistake_is_noted(name: str, one: Evidence | Case) -> None:
    assert_noted(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_a_look_alike_is_not_noted(name: str, one: Evidence | Case) -> None:
    assert_not_noted(name, one)


def test_the_note_names_the_layers_of_the_same_kind() -> None:
    (note,) = notes_of("automatic-layer-name", MISTAKES["automatic-layer-name"][0])
    values = [as_message(part).values for part in as_message(note.message).values["parts"]]
    assert values[0]["name"] == "conv2d_24"
    assert values[1]["names"] == ["conv2d", "conv2d_1"]


def test_a_name_of_databricks_is_noted_once() -> None:
    message = "name 'spark' is not defined"
    errors = (an_error(0, "NameError", message), an_error(1, "NameError", message))
    evidence = an_evidence(cells=(a_cell(0, "spark.a"), a_cell(1, "spark.b")), run=a_run(errors=errors))
    (note,) = notes_of("databricks-only", evidence)
    assert note.cell == 0
