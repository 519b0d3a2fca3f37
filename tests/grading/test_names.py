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
