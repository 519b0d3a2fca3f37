"""The diagnostics in `initializers`, on notebooks that make the mistake and on notebooks that only look like it."""

import pytest

from grader.facts.case import Case
from grader.schema.evidence import Evidence
from tests.support.diagnosing import Cases, built, each, left_alone, recognised
from tests.support.factories import an_evidence, conv, dense

ZEROS = {"class_name": "Zeros", "config": {}}
MISTAKES: Cases = {
    "zero-kernel-initialiser": (
        built(conv(kernel_initializer=ZEROS), dense(10)),
        built(dense(9, kernel_initializer={"class_name": "Constant", "config": {"value": 0.5}}), dense(10)),
        built(dense(9, kernel_initializer="zeros"), dense(10)),
    ),
}


LOOKALIKES: Cases = {
    "zero-kernel-initialiser": (
        an_evidence(),
        built(conv(bias_initializer=ZEROS), dense(10)),
        built(dense(10, "softmax", kernel_initializer=ZEROS)),
    ),
}


@pytest.mark.parametrize(("name", "one"), each(MISTAKES))
def test_the_mistake_is_recognised(name: str, one: Evidence | Case) -> None:
    recognised(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_what_only_looks_like_the_mistake_is_left_alone(name: str, one: Evidence | Case) -> None:
    left_alone(name, one)
