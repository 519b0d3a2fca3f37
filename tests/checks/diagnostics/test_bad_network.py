"""The warm-up model of the first assignment: each of its listed flaws is noted."""

from grader.checks import all_diagnostics
from grader.schema.evidence import LayerFact
from tests.support.factories import a_case, a_model, activation, an_evidence, conv, dense, dropout, layer
from tests.support.says import says

ZEROS = {"class_name": "Zeros", "config": {}}
NORMAL = {"class_name": "RandomNormal", "config": {"mean": 0.0, "stddev": 0.05, "seed": None}}
FLAWS = {
    "zero-kernel-initialiser",
    "too-many-first-filters",
    "filters-shrink-with-depth",
    "large-kernels",
    "kernel-larger-than-map",
    "softmax-in-hidden-layer",
    "sigmoid-on-one-of-many",
    "dropout-after-output",
}


def bad_model() -> tuple[LayerFact, ...]:
    plain = {"activation": "linear"}
    return (
        conv(512, 3, over=(100, 100, 3), name="c1", kernel_initializer=ZEROS, **plain),
        activation("relu", "a1"),
        conv(128, 3, over=(98, 98, 512), name="c2", kernel_initializer=ZEROS, **plain),
        activation("relu", "a2"),
        conv(32, 3, over=(96, 96, 128), name="c3", kernel_initializer=ZEROS, **plain),
        activation("relu", "a3"),
        layer("MaxPooling2D", "p1", config={"pool_size": [6, 6]}),
        conv(8, 10, over=(15, 15, 32), name="c4", kernel_initializer=NORMAL, padding="same", **plain),
        activation("relu", "a4"),
        conv(8, 10, over=(15, 15, 8), name="c5", kernel_initializer=NORMAL, padding="same", **plain),
        activation("relu", "a5"),
        layer("MaxPooling2D", "p2", config={"pool_size": [3, 3]}),
        layer("Flatten", output_shape=(200,)),
        dense(512, inputs=200, name="d1"),
        activation("softmax", "s1", units=512),
        dropout(0.5, "r1"),
        dense(512, inputs=512, name="d2"),
        activation("softmax", "s2", units=512),
        dense(10, inputs=512, name="d3"),
        activation("sigmoid", "s3", units=10),
        dropout(0.5, "r2"),
    )


def test_the_eight_flaws_are_noted_and_nothing_else() -> None:
    model = a_model(*bad_model(), name="net")
    case = a_case(an_evidence(models=(model,), compiles=(), fits=(), accuracies=(), figures=()))
    notes = [note for spec in all_diagnostics().values() for note in spec.run(case)]
    assert {note.id for note in notes} == FLAWS
    assert all(note.cell == model.cell for note in notes)
    hidden = next(note for note in notes if note.id == "softmax-in-hidden-layer")
    for softmax in ("s1", "s2"):
        assert says(hidden.message, "{layer:code} ({count:number} unit)", layer=softmax, count=512)
