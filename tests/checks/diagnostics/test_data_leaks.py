"""The diagnostics in `data_leaks`, on notebooks with the mistakes and on notebooks that only resemble them."""

import pytest

from grader.facts.case import Case
from grader.schema.evidence import CopiesFact, Evidence, LabelFact
from grader.schema.message import as_message
from tests.support.diagnosing import Cases, assert_not_noted, assert_noted, each, notes_of
from tests.support.factories import a_fit, a_model, an_array, an_evidence, dense, rows

ALL_IMAGES = an_array(70_000, of=rows(train=60_000, test=10_000))
NOISY = an_array(
    30_000, of=rows(train=10_000), copies=CopiesFact(dataset="mnist", split="test", compared=64, copies=32, rows=20_000)
)
MISTAKES: Cases = {
    "validation-on-test-set": (an_evidence(fits=(a_fit(val_x=an_array(10_000, of=rows(test=10_000))),)),),
    "test-images-in-training-data": (
        an_evidence(fits=(a_fit(x=ALL_IMAGES),)),
        # The labels of a pipeline are unknown, but the model gives scores of ten classes.
        an_evidence(fits=(a_fit(x=ALL_IMAGES, y=None),)),
        an_evidence(fits=(a_fit(x=NOISY),)),
    ),
}


LOOKALIKES: Cases = {
    "validation-on-test-set": (
        an_evidence(),
        an_evidence(fits=(a_fit(val_x=an_array(6_000, of=rows(6_000, 5, method="neighbour"))),)),
        # The last training images.
        an_evidence(fits=(a_fit(val_x=an_array(6_000, of=rows(6_000, start=54_000, stop=60_000))),)),
    ),
    "test-images-in-training-data": (
        an_evidence(),
        an_evidence(fits=(a_fit(val_x=an_array(10_000, of=rows(test=10_000))),)),
        # A GAN or an autoencoder learns from images without classes.
        an_evidence(models=(a_model(dense(1)),), fits=(a_fit(kind="custom_loop", x=ALL_IMAGES, y=None, history={}),)),
        an_evidence(
            models=(a_model(dense(784, "sigmoid")),),
            fits=(a_fit(x=ALL_IMAGES, y=LabelFact(shape=(70_000, 784), dtype="float32", one_hot=False)),),
        ),
    ),
}


@pytest.mark.parametrize(("name", "one"), each(MISTAKES))
def test_the_mistake_is_noted(name: str, one: Evidence | Case) -> None:
    assert_noted(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_a_look_alike_is_not_noted(name: str, one: Evidence | Case) -> None:
    assert_not_noted(name, one)


@pytest.mark.parametrize("name", MISTAKES)
def test_the_note_counts_the_test_images(name: str) -> None:
    (note,) = notes_of(name, MISTAKES[name][0])
    figures = as_message(note.message).values
    assert (figures["count"], figures["dataset"]) == (10_000, "mnist")
    assert figures.get("total", 70_000) == 70_000


def test_the_note_about_altered_copies_estimates_their_number() -> None:
    (note,) = notes_of("test-images-in-training-data", an_evidence(fits=(a_fit(x=NOISY),)))
    figures = as_message(note.message).values
    assert [figures[name] for name in ("copies", "compared", "rows", "estimate")] == [32, 64, 20_000, 10_000]
