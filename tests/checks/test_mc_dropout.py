"""The check `mc_dropout`."""

from typing import Any

import pytest

from grader.schema.evidence import CallFact, Evidence, PredictFact
from tests.support.factories import a_cell, a_model, an_array, an_evidence, dense, layer
from tests.support.judging import fails, judge
from tests.support.says import says

SELU = dense(100, "selu", name="hidden", kernel_initializer={"class_name": "LecunNormal", "config": {}})


OUT = dense(10, "softmax", name="out")


PREDICTED = "{cell:Cell} predicted {images} {passes:number} times with {model:code} ({how})"


JUDGE = "A person must judge it: {reasons}."


def called(source: str = "p = np.mean([m(x, training=True) for _ in range(20)], axis=0)", **keys: Any) -> Evidence:
    fact = {"event": 9, "cell": 0, "model": "m1", "training": True, "count": 20, "repeats": 20, "outputs_differ": True}
    calls = (CallFact.model_validate({**fact, "x": an_array(5_000), **keys}),)
    return an_evidence(cells=(a_cell(0, source),), calls=calls)


def predicted(*sources: str, passes: int = 12, differ: bool = True) -> Evidence:
    own = layer("AlphaDropout", custom="MCAlphaDropout", config={"rate": 0.1})
    return an_evidence(
        cells=tuple(a_cell(place, source) for place, source in enumerate(sources)),
        models=(a_model(SELU, own, OUT, name="mc"),),
        predictions=tuple(
            PredictFact(event=9 + n, cell=len(sources) - 1, model="m1", pass_number=n, outputs_differ=differ)
            for n in range(1, passes + 1)
        ),
    )


LOOP = "for i in range(20):\n    "


def test_calls_in_training_mode_that_differ_and_are_averaged_pass() -> None:
    finding = judge("mc_dropout", called(), images_at_least=1_000)
    assert finding.status == "passed"
    assert says(finding.message, PREDICTED, passes=20, model="model")
    assert says(finding.message, "the same image", count=5_000)
    assert says(finding.message, "calls with `training=True`")


def test_predictions_of_a_dropout_class_of_ones_own_pass_also_when_a_function_averages_them() -> None:
    function = "def probas(m, X, n=10):\n    return np.mean([m.predict(X) for _ in range(n)], axis=0)"
    assert judge("mc_dropout", predicted(function, "p = probas(mc, x)")).status == "passed"


def test_an_average_in_a_later_cell_counts_only_for_the_same_names() -> None:
    source = "ps = np.stack([m(x, training=True) for _ in range(20)])"
    for later, status in (("p = ps.mean(axis=0)", "passed"), ("q = other.mean()", "pending")):
        evidence = called(source)
        evidence = evidence.model_copy(update={"cells": (*evidence.cells, a_cell(1, later))})
        assert judge("mc_dropout", evidence).status == status


@pytest.mark.parametrize(
    "source",
    [
        f"y = 0\n{LOOP}y += model(x, training=True).numpy()\ny_mc = y / 20",
        f"y = 0\n{LOOP}y = y + model(x, training=True)\ny /= 20",
        f"y = 0\n{LOOP}y = model(x, training=True) + y\ny_mc = np.divide(y, 20)",
        f"y = tf.Variable(zeros)\n{LOOP}y.assign_add(model(x, training=True))\ny_mc = y / 20",
        f"y = 0\n{LOOP}p = model(x, training=True)\n    y += p\ny_mc = y * (1 / 20)",
        f"ps = np.zeros((20, 9, 10))\n{LOOP}ps[i] = model(x, True)\ny = 0\nfor p in ps:\n    y += p\ny = y * 0.05",
        f"def one(net):\n    return net(x, training=True)\ny = 0\n{LOOP}y += one(model)\nprint(y / 20)",
    ],
)
def test_passes_that_are_added_up_and_divided_are_averaged(source: str) -> None:
    assert judge("mc_dropout", called(source)).status == "passed"
    *lines, last = source.split("\n")
    evidence = called("\n".join(lines))
    evidence = evidence.model_copy(update={"cells": (*evidence.cells, a_cell(1, last))})
    assert judge("mc_dropout", evidence).status == "passed"


@pytest.mark.parametrize(
    "source",
    [
        f"y = 0\n{LOOP}y += model(x, training=True)\nprint(y)",
        f"n = 0\n{LOOP}p = model(x, training=True)\n    n += 1\nprint(n / 20)",
        f"right = 0\n{LOOP}right += model(x, training=True).numpy().argmax() == y[0]\nprint(right / 20)",
        f"start = time.time()\n{LOOP}model(x, training=True)\nprint((time.time() - start) / 20)",
    ],
)
def test_what_else_is_added_up_or_divided_is_no_average_and_waits_for_a_person(source: str) -> None:
    finding = judge("mc_dropout", called(source))
    assert finding.status == "pending"
    assert says(finding.message, "The predictions differ, so dropout was on.")
    assert says(finding.message, JUDGE)
    assert says(finding.message, "the grader found no code that averages the passes")


def test_a_method_that_averages_counts_where_it_is_called() -> None:
    method = (
        "class MC:\n    def predict(self, x, n=20):\n"
        "        return np.stack([self.model(x, training=True) for _ in range(n)]).mean(axis=0)"
    )
    sources = {"mc = MC(model)\np = mc.predict(x)": "passed", "ps = [model.predict(x) for _ in range(20)]": "pending"}
    for source, status in sources.items():
        evidence = called(source)
        cells = (evidence.cells[0], a_cell(1, method))
        assert judge("mc_dropout", evidence.model_copy(update={"cells": cells})).status == status


@pytest.mark.parametrize(
    "source",
    [
        "p = " + "[" * 90 + "m(x, training=True)" + "]" * 90,
        "p = " + " + ".join(["m(x, training=True)"] * 900),
        "p = m(x, training=True)" + ".T" * 5_000,
        "p = m(x, training=True)" + ".max()" * 2_000,
    ],
)
def test_code_of_any_depth_is_read(source: str) -> None:
    assert judge("mc_dropout", called(source)).status == "pending"


def test_averaged_passes_are_judged_and_not_longer_ones_that_nobody_averaged() -> None:
    tried, averaged = called("ps = [m(x, training=True) for _ in range(50)]", repeats=50), called(cell=1)
    both = an_evidence(cells=(*tried.cells, a_cell(1, called().cells[0].source)), calls=(*tried.calls, *averaged.calls))
    finding = judge("mc_dropout", both)
    assert finding.status == "passed"
    assert says(finding.message, PREDICTED, cell=1, passes=20)


@pytest.mark.parametrize(
    ("evidence", "fault"),
    [
        (called(outputs_differ=False), "all passes gave the same numbers, so dropout was off"),
        (called(repeats=5), "at least {passes:number} passes are required"),
        (
            called("p = [m(x, training=True) for _ in range(5)]", repeats=5),
            "the grader found no code that averages the passes",
        ),
        (called(repeats=1), "No model with dropout predicts the same images repeatedly."),
        (predicted("np.mean(mc.predict(x))", differ=False), "all passes gave the same numbers, so dropout was off"),
        (an_evidence(), "No model with dropout predicts the same images repeatedly."),
    ],
)
def test_anything_less_is_no_monte_carlo_dropout(evidence: Evidence, fault: str) -> None:
    fails(judge("mc_dropout", evidence), fault)


def test_the_message_gives_the_required_numbers() -> None:
    finding = judge("mc_dropout", called(repeats=5), images_at_least=6_000)
    assert says(finding.message, "at least {passes:number} passes are required", passes=10)
    assert says(finding.message, "at least {images:number} images per pass are required", images=6_000)


def test_passes_that_could_not_be_compared_wait_for_a_person() -> None:
    finding = judge("mc_dropout", called(outputs_differ=None))
    assert finding.status == "pending"
    assert says(finding.message, JUDGE)
    assert says(finding.message, "the grader could not see whether the passes differ")


def test_passes_in_a_function_that_became_a_graph_wait_for_a_person() -> None:
    finding = judge("mc_dropout", called(count=0, repeats=None, outputs_differ=None, traced=True, x=None))
    assert finding.status == "pending"
    assert says(
        finding.message,
        "A `tf.function` in {cell:cell} calls {model:code} with `training=True`. The grader could not see how often "
        "it ran and on which images, so a person must judge it.",
        cell=0,
        model="model",
    )
    assert judge("mc_dropout", called(count=0, repeats=None, traced=True, training=None)).status == "failed"
