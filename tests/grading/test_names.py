"""Roles and tasks that a check's parameters name have to exist in the rubric."""

import pytest

from grader.checks import all_checks
from grader.grading import read_rubric
from grader.schema.errors import RubricError

GOOD = """\
version: 1
id: sample
title: A sample
dataset: fashion_mnist
tasks:
  b: {classes: [5, 6], binary: true}
roles:
  scratch: {task: b, from_scratch: true}
  tuned: {task: b, from_scratch: false}
criteria:
  - id: gain
    points: 5
    check: gain
    with: {model: tuned, over: scratch, task: b}
  - id: order
    points: 5
    check: steps
    with: {model: tuned, steps: [freeze: all_but_last, compile, fit, unfreeze: any, compile, fit]}
"""


def test_a_rubric_with_tasks_is_read() -> None:
    rubric = read_rubric(GOOD.encode(), all_checks())
    assert rubric.tasks["b"].classes == (5, 6)
    assert rubric.task_dataset("b") == "fashion_mnist"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("over: scratch", "over: scrath", "unknown role 'scrath'; did you mean 'scratch'?"),
        ("over: scratch, task: b", "over: scratch, task: c", "unknown task 'c'; the choices are b"),
        ("{task: b, from_scratch: true}", "{task: c, from_scratch: true}", "names the task 'c', which is not a key"),
        ("unfreeze: any", "unfreze: any", "unknown key 'unfreze'"),
        ("unfreeze: any, compile, fit", "unfreeze: any, compile", "the last step must be `fit`"),
        ("classes: [5, 6]", "classes: [5, 6, 7]", "a binary task must have two classes, not 3"),
    ],
)
def test_a_name_that_is_not_there_is_said(old: str, new: str, expected: str) -> None:
    with pytest.raises(RubricError) as caught:
        read_rubric(GOOD.replace(old, new).encode(), all_checks())
    assert expected in str(caught.value)


KERAS = """\
version: 1
id: sample
title: A sample
roles:
  plain:
    has_layer: [Dense, Batchnormalisation]
    lacks_layer: Dropot
    activation: eluu
criteria:
  - id: layers
    points: 5
    check: has_layer
    with:
      layer: Dense
      activation: seluu
      initialiser: [he_normal, lecun_nrmal]
  - id: optimizer
    points: 5
    check: optimizer
    with:
      cls: Nadm
  - id: loss
    points: 5
    any_of:
      - check: loss
        with:
          name: sparse_categorical_crossentrpy
      - {check: plots, with: {metric: acuracy}}
  - id: stopping
    points: 5
    check: callback
    with:
      cls: EarlyStoping
      monitor: val_los
"""


def test_misspelled_names_of_keras_have_their_line_and_the_nearest_name() -> None:
    with pytest.raises(RubricError) as caught:
        read_rubric(KERAS.encode(), all_checks(), name="r.yaml")
    lines = {
        6: ("Batchnormalisation", "BatchNormalization"),
        7: ("Dropot", "Dropout"),
        8: ("eluu", "elu"),
        15: ("seluu", "selu"),
        16: ("lecun_nrmal", "lecun_normal"),
        21: ("Nadm", "Nadam"),
        27: ("sparse_categorical_crossentrpy", "sparse_categorical_crossentropy"),
        28: ("acuracy", "accuracy"),
        33: ("EarlyStoping", "EarlyStopping"),
        34: ("los", "loss"),
    }
    text = str(caught.value)
    problems = [line for line in text.splitlines() if "Keras has no" in line]
    for line, (name, near) in lines.items():
        found = [problem for problem in problems if problem.startswith(f"r.yaml:{line}:")]
        assert found, (line, text)
        assert f"{name!r}; did you mean {near!r}?" in found[0]
    assert len(problems) == len(lines)


def test_custom_names_and_aliases_are_read() -> None:
    replaced = {
        "Batchnormalisation": "custom:Batchnormalisation",
        "Dropot": "any_dropout",
        "activation: eluu": "activation: swish",
        "seluu": "custom:seluu",
        "lecun_nrmal": "LecunNormal",
        "Nadm": "[nadam, custom:Nadm]",
        "sparse_categorical_crossentrpy": "mse",
        "acuracy": "acc",
        "EarlyStoping": "custom:EarlyStoping",
        "val_los": "val_f1",
    }
    text = KERAS
    for old, new in replaced.items():
        text = text.replace(old, new)
    assert read_rubric(text.encode(), all_checks()).roles["plain"].activation == "swish"
