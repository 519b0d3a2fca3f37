"""The cause of an exception, in the texts that Keras, TensorFlow, NumPy and Python write."""

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.execution.advice import advice_for
from grader.execution.causes import MOST_CHARACTERS, cause_of, cut_middle, without_own_paths
from grader.facts.language import english
from tests.support.command import grader, needs_bubblewrap

KNOWN = json.loads((Path(__file__).parent / "known_errors.json").read_text(encoding="utf-8"))
RAISED = [
    pytest.param(raised, id=f"{row['id']}-{dialect}") for row in KNOWN for dialect, raised in row["raised"].items()
]
START = """\
import numpy as np, tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers
(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train, y_train = x_train[:256] / 255.0, y_train[:256]
def flat(**keys):
    model = keras.Sequential([layers.Input(shape=(28, 28)), layers.Flatten(), layers.Dense(10, activation="softmax")])
    model.compile(**({"optimizer": "sgd", "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]} | keys))
    return model"""


@pytest.mark.parametrize("raised", RAISED)
def test_the_cause_and_the_advice_of_a_known_error(raised: dict[str, Any]) -> None:
    cause = cause_of(raised["name"], raised["text"], raised.get("traceback", ()))
    assert cause.text == raised["cause"]
    assert (
        english(advice_for(raised["name"], cause.text) or advice_for(raised["name"], raised["text"]))
        == raised["advice"]
    )


@pytest.mark.parametrize("raised", RAISED)
def test_a_cause_is_one_readable_line(raised: dict[str, Any]) -> None:
    cause = raised["cause"]
    assert cause
    assert len(cause) <= MOST_CHARACTERS
    assert not re.search(r"\n|\x1b|site-packages|in user code|Exception encountered|Arguments received|\[Op:", cause)


def test_thirty_common_errors_and_more_are_known_in_both_dialects() -> None:
    assert all(sum(dialect in row["raised"] for row in KNOWN) >= 30 for dialect in ("keras3", "keras2"))


def test_the_asserted_line_is_the_cause_of_an_assertion_without_a_text() -> None:
    (row,) = (row for row in KNOWN if row["id"] == "assertion-in-a-function")
    raised = row["raised"]["keras3"]
    assert raised["text"] == ""
    assert cause_of("AssertionError", "", raised["traceback"]) == ("assert x.max() <= 0.5", 3)


def test_the_line_of_a_syntax_error_is_named() -> None:
    assert cause_of("SyntaxError", "invalid syntax (2149868533.py, line 7)") == ("invalid syntax", 7)


def test_paths_of_the_grader_are_removed() -> None:
    text = (
        'File "/opt/venv/lib/python3.11/site-packages/keras/src/layer.py", line 3; /usr/lib/python3.11/json/decoder.py'
    )
    assert without_own_paths(text) == 'File "keras/src/layer.py", line 3; json/decoder.py'
    assert without_own_paths("/home/me/data/train.csv") == "/home/me/data/train.csv"


@given(st.text(), st.integers(8, 60))
def test_a_text_that_is_cut_keeps_its_start_and_its_end(text: str, most: int) -> None:
    cut = cut_middle(text, most)
    assert len(cut) <= most
    assert cut == text or (cut.startswith(text[: most // 4]) and cut.endswith(text[-(most // 4) :]))


@given(st.text(), st.lists(st.text(), max_size=3))
def test_any_text_has_a_short_cause(text: str, traceback: list[str]) -> None:
    cause = cause_of("ValueError", text, traceback)
    assert len(cause.text) <= MOST_CHARACTERS
    assert "\n" not in cause.text


def test_a_paragraph_that_introduces_the_cause_is_not_the_cause() -> None:
    text = (
        "Exception encountered when calling Block.call().\n\n"
        "Could not automatically infer the output shape / dtype of 'block' (of type Block). Either the `Block.call()` "
        "method is incorrect, or you need to implement the `Block.compute_output_spec() / compute_output_shape()` "
        "method. Error encountered:\n\n"
        "Dimensions must be equal, but are 3 and 4 for '{{node MatMul}} = MatMul[T=DT_FLOAT, grad_a=false]"
        "(dense_1/BiasAdd, ones)' with input shapes: [?,3], [4,2].\n\n"
        "Arguments received by Block.call():\n  • args=('<KerasTensor shape=(None, 784)>',)"
    )
    assert cause_of("ValueError", text).text.startswith("Dimensions must be equal, but are 3 and 4 for ")


def _generic(text: str) -> str:
    """Without the numbers that Keras counts up in each run."""
    return re.sub(r"_\d+|\d{3,}|Label values: [\d ]+", "", text)


@pytest.mark.slow
@pytest.mark.bubblewrap
@pytest.mark.parametrize("dialect", ["keras3", "keras2"])
def test_the_installed_packages_raise_these_errors(dialect: str, tmp_path: Path) -> None:
    needs_bubblewrap()
    cells = [nbformat.v4.new_code_cell(text) for text in (START, *(row["source"] for row in KNOWN))]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "errors.ipynb")
    (tmp_path / "errors.yaml").write_text(
        f"version: 1\nid: errors\ntitle: Errors\ndataset: mnist\nrun: {{dialect: {dialect}, time: 8 min}}\n"
        "criteria:\n  - {id: runs, points: 1, check: runs}\n",
        encoding="utf-8",
    )
    out = tmp_path / "out"
    grader("grade", str(tmp_path / "errors.ipynb"), "--rubric", str(tmp_path / "errors.yaml"), "--out", str(out))
    grade = json.loads((out / "errors" / "grade.json").read_text(encoding="utf-8"))
    raised = {error["cell"]: (error["name"], _generic(error["cause"])) for error in grade["execution"]["errors"]}
    wanted = {
        position: (row["raised"][dialect]["name"], _generic(row["raised"][dialect]["cause"]))
        for position, row in enumerate(KNOWN, start=1)
        if dialect in row["raised"]
    }
    assert raised == wanted


@pytest.mark.parametrize(
    "piece", ["/li", "//li", "/a=/b", " ", "\t", "\n ", "name = '", "{{function_node ", "(", "Error: "]
)
def test_a_text_of_any_length_costs_no_time(piece: str) -> None:
    text = f"x{piece * (200_000 // len(piece))}y"
    assert len(cause_of("OSError", text, [text]).text) <= MOST_CHARACTERS
    assert without_own_paths(text) == text


@pytest.mark.parametrize(
    "text", ["/usr/lib/site-packages/keras/x.py", "(/a/b/site-packages/keras/x.py", "path=/a/site-packages/keras/x.py"]
)
def test_a_path_of_the_environment_is_shortened_wherever_it_starts(text: str) -> None:
    assert without_own_paths(text).endswith("keras/x.py")
    assert "site-packages" not in without_own_paths(text)
