"""The diagnostics in `mc_dropout`, on notebooks with the mistakes and on notebooks that only resemble them."""

from typing import Any

import pytest

from grader.facts.case import Case
from grader.schema.evidence import CallFact, Evidence, PredictFact
from grader.schema.message import as_message
from tests.support.diagnosing import Cases, assert_not_noted, assert_noted, each, notes_of
from tests.support.factories import a_cell, a_model, an_evidence, conv, dense


def repeated(source: str, *, differ: bool | None = False, passes: int = 10, **keys: Any) -> Evidence:
    """Make a notebook with a cell that predicts the same images several times."""
    predictions = tuple(
        PredictFact(event=20 + n, cell=0, model="m1", pass_number=n, outputs_differ=None if n == 1 else differ)
        for n in range(1, passes + 1)
    )
    return an_evidence(cells=(a_cell(0, source),), predictions=predictions, **keys)


MISTAKES: Cases = {
    "mc-dropout-off": (
        repeated("np.mean([model.predict(x) for _ in range(10)], axis=0)"),
        repeated("ps = []\nfor _ in range(10):\n    ps.append(model.predict(x))\np = np.stack(ps).mean(axis=0)"),
        repeated("ps = []\nfor _ in range(10):\n    p = model.predict(x)\n    ps += [p]\nmean = sum(ps) / 10"),
        repeated("ps = np.zeros((10, 9, 10))\nfor i in range(10):\n    ps[i] = model.predict(x)\nps.mean(0).argmax(1)"),
        repeated("y = 0\nfor _ in range(10):\n    y += model.predict(x)\ny_mc = y / 10"),
        repeated(
            "def passes(net, n):\n    return np.stack([net.predict(x) for _ in range(n)])\n"
            "ps = passes(model, 10)\nprint(ps.std(axis=0), ps.mean(axis=0))"
        ),
        an_evidence(
            cells=(a_cell(0, "ps = [model(x) for _ in range(50)]"), a_cell(1, "p = tf.reduce_mean(ps, axis=0)")),
            calls=(CallFact(event=9, cell=0, model="m1", training=None, count=50, repeats=50, outputs_differ=False),),
        ),
    ),
}


LOOKALIKES: Cases = {
    "mc-dropout-off": (
        repeated("np.mean([mc.predict(x) for _ in range(10)], axis=0)", differ=True),
        repeated("for _ in range(10): model.predict(x)"),
        repeated("np.mean([model.predict(x) for _ in range(2)])", passes=2),
        repeated("np.mean([model.predict(x) for _ in range(10)])", models=(a_model(conv(), dense(10)),)),
        repeated("np.mean([model.predict(x) for _ in range(10)])", differ=None),
        repeated(
            "times = []\nfor _ in range(10):\n    t = time.time(); model.predict(x); times.append(time.time() - t)\n"
            "print(np.mean(times))"
        ),
        repeated(
            "for i in range(6):\n    p = model.predict(x)[i]\n    print(p.argmax(), y[i])\n"
            "pred = model.predict(x).argmax(1)\nprint(np.mean(pred == y), np.mean(pred[:12] == y[:12]))"
        ),
        repeated("sure = []\nfor i in range(6):\n    sure.append(model.predict(x)[i].max())\nprint(np.mean(sure))"),
        repeated("for _ in range(10):\n    p = model.predict(x)\nprint(p.max(axis=1).mean())"),
        repeated("np.mean([accuracy_score(y, model.predict(x).argmax(1)) for _ in range(10)])"),
        repeated(
            "def timed():\n    s = time.time(); model.predict(x)\n    return time.time() - s\n"
            "np.mean([timed() for _ in range(9)])"
        ),
        repeated(
            "class MC:\n    def predict(self, x):\n        return np.mean([self.net(x, training=True)] * 9, axis=0)\n"
            "for _ in range(10): model.predict(x)"
        ),
    ),
}


@pytest.mark.parametrize(("name", "one"), each(MISTAKES))
def test_the_mistake_is_noted(name: str, one: Evidence | Case) -> None:
    assert_noted(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_a_look_alike_is_not_noted(name: str, one: Evidence | Case) -> None:
    assert_not_noted(name, one)


def test_the_note_counts_the_passes() -> None:
    for one, passes in ((MISTAKES["mc-dropout-off"][0], 10), (MISTAKES["mc-dropout-off"][-1], 50)):
        (note,) = notes_of("mc-dropout-off", one)
        assert as_message(note.message).values["passes"] == passes
