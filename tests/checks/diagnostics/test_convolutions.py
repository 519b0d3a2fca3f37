"""The diagnostics in `convolutions`, on notebooks with the mistakes and on notebooks that only resemble them."""

from collections.abc import Mapping
from typing import Any

import pytest

from grader.facts.case import Case
from grader.schema.evidence import Evidence, LayerFact, SaveFact
from grader.schema.message import as_message
from tests.support.diagnosing import Cases, assert_not_noted, assert_noted, built, each, notes_of
from tests.support.factories import a_model, a_run, an_error, an_evidence, conv, dense, layer
from tests.support.says import says

UNTRAINED: Mapping[str, Any] = {"compiles": (), "fits": (), "accuracies": ()}


def ready_made(*layers: LayerFact) -> tuple[LayerFact, ...]:
    """Mark layers as parts of a model from `keras.applications`."""
    return tuple(each.model_copy(update={"ready_made": True}) for each in layers)


def branch(filters: int, name: str, source: str) -> LayerFact:
    """Make a convolution after a named layer."""
    return conv(filters).model_copy(update={"name": name, "inbound": (source,)})


MISTAKES: Cases = {
    "too-many-first-filters": (built(conv(512, over=(100, 100, 3)), dense(10)), built(conv(128), dense(10))),
    "filters-shrink-with-depth": (
        built(conv(512), conv(128), conv(32), dense(10)),
        built(conv(64), conv(32), dense(10)),
        built(
            *(layer("InputLayer", "in"), branch(64, "first", "in"), branch(32, "second", "first")),
            dense(10, name="out").model_copy(update={"inbound": ("second",)}),
        ),
        # Without a dense layer; the convolutions before the scores shrink.
        built(conv(64), conv(32), conv(10), layer("GlobalAveragePooling2D", output_shape=(10,))),
    ),
    "large-kernels": (built(conv(8, 10, over=(15, 15, 32)), dense(10)),),
    "kernel-larger-than-map": (
        built(conv(8, 10, over=(6, 6, 8), padding="same"), dense(10)),
        built(conv(8, 10, over=(15, 15, 8), padding="same"), dense(10)),
        an_evidence(run=a_run(errors=(an_error(2, "ValueError", "Computed output size would be negative."),))),
    ),
}


LOOKALIKES: Cases = {
    "too-many-first-filters": (
        an_evidence(),
        built(conv(64), dense(10)),
        built(conv(64, over=(32, 32, 3)), conv(512, over=(16, 16, 64)), dense(10)),
        built(conv(256, 7), dense(10)),
        built(*ready_made(conv(512, over=(100, 100, 3))), dense(10)),
    ),
    "filters-shrink-with-depth": (
        built(conv(16), conv(32), dense(10)),
        built(conv(32), conv(32), dense(10)),
        built(conv(64), conv(8, 1), dense(10)),
        built(conv(64), conv(16), conv(1), output_shape=(28, 28, 1)),
        built(conv(512), dense(10)),
        # The last convolution gives the scores of the classes.
        built(conv(16), conv(16), conv(10), layer("GlobalAveragePooling2D", output_shape=(10,))),
        # Two branches for two images.
        built(
            *(layer("InputLayer", "left"), layer("InputLayer", "right")),
            *(branch(8, "wide", "left"), branch(4, "narrow", "right")),
            layer("Concatenate", "both", inbound=("wide", "narrow")),
            dense(10, name="out").model_copy(update={"inbound": ("both",)}),
        ),
        # The encoder of an autoencoder.
        an_evidence(
            models=(
                a_model(conv(32), conv(16), dense(8), model_id="m1", name="encoder"),
                a_model(
                    *(conv(32), conv(16), dense(8), layer("Reshape", output_shape=(7, 7, 8)), dense(784)),
                    model_id="m2",
                    shares_layers_with=("m1",),
                ),
            ),
            **UNTRAINED,
        ),
        # A segmentation network whose output is flattened.
        built(conv(64), conv(32), layer("Conv2DTranspose"), layer("Flatten"), dense(100)),
        built(*ready_made(conv(64), conv(32)), dense(10)),
    ),
    "large-kernels": (
        built(*ready_made(conv(8, 11, over=(64, 64, 3))), dense(10)),
        built(conv(8, 7), dense(10)),
        built(conv(8, 12, over=(12, 12, 8)), dense(10)),
        built(conv(96, 16, over=(224, 224, 3), strides=[16, 16]), dense(10)),
        # The first layer of AlexNet.
        built(conv(96, 11, over=(227, 227, 3), strides=[4, 4]), dense(10)),
    ),
    "kernel-larger-than-map": (
        built(conv(8, 10, over=(15, 15, 8)), dense(10)),
        built(conv(8, 10, over=(6, 6, 8)), dense(10)).model_copy(
            update={"saves": (SaveFact(event=4, cell=1, action="load_weights", model="m1", path="base.weights.h5"),)}
        ),
        built(conv(8, 3, over=(4, 4, 8), padding="same"), dense(10)),
        # MobileNetV2 on small images.
        built(*ready_made(conv(8, 3, over=(2, 2, 8), padding="same")), dense(10)),
        built(conv(8, 5, over=(14, 14, 8), padding="same"), dense(10)),
        an_evidence(run=a_run(errors=(an_error(2, "ValueError", "negative learning rate"),))),
    ),
}


@pytest.mark.parametrize(("name", "one"), each(MISTAKES))
def test_the_mistake_is_noted(name: str, one: Evidence | Case) -> None:
    assert_noted(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_a_look_alike_is_not_noted(name: str, one: Evidence | Case) -> None:
    assert_not_noted(name, one)


def test_messages_have_the_figures() -> None:
    (note,) = notes_of("too-many-first-filters", MISTAKES["too-many-first-filters"][0])
    assert dict(as_message(note.message).values) == {
        "model": "model",
        "layer": "conv2d",
        "filters": 512,
        "numbers": 27,
        "ratio": 19,
    }
    (note,) = notes_of("kernel-larger-than-map", MISTAKES["kernel-larger-than-map"][1])
    figures = as_message(note.message).values
    assert (figures["inside"], figures["positions"], figures["part"]) == (36, 225, 0.16)
    (note,) = notes_of("filters-shrink-with-depth", MISTAKES["filters-shrink-with-depth"][0])
    assert as_message(note.message).values["filters"] == [512, 128, 32]
    (note,) = notes_of("large-kernels", MISTAKES["large-kernels"][0])
    assert says(note.message, "{layer:code} ({kernel:shape})", kernel=[10, 10])
