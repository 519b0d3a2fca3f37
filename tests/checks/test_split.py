"""The check `split`."""

from typing import Any

import pytest

from grader.schema.evidence import Evidence
from tests.support.factories import a_named_array, an_array, an_evidence, rows
from tests.support.judging import fails, fitted, judge, lacks_its_model, passes, waits

GOOD: tuple[tuple[Evidence, dict[str, Any]], ...] = (
    (an_evidence(), {"train": 0.9, "not_test": True}),
    (fitted(validation="split", validation_split=0.3, val_x=None), {"train": 0.7}),
    (
        an_evidence(
            arrays=(
                a_named_array("x_tr", "cifar10/train", shape=(35_000, 32, 32, 3)),
                a_named_array("x_va", "cifar10/train", shape=(15_000, 32, 32, 3)),
            )
        ),
        {"train": 0.7, "variables": "cifar10"},
    ),
)


BAD: tuple[tuple[Evidence, dict[str, Any], str, dict[str, Any]], ...] = (
    (an_evidence(), {"train": 0.7}, "the training part must be {part:percent}", {"part": 0.7}),
    (
        an_evidence(),
        {"train": 0.7},
        "The training in {cell:cell} used {training} and {validation} ({part:percent} for training)",
        {"part": 0.9},
    ),
    (fitted(overlap=12), {"train": 0.9}, "{count:number} image is in both parts", {"count": 12}),
    (
        fitted(val_x=an_array(6_000, of=rows(test=6_000))),
        {"train": 0.9, "not_test": True},
        "{count:number} of them is a test image",
        {"count": 6_000},
    ),
    (fitted(validation="none", val_x=None), {"train": 0.9}, "the training had no validation data", {}),
    (
        an_evidence(),
        {"train": 0.9, "variables": "cifar10"},
        "No two variables of the notebook hold images of {dataset:dataset}.",
        {"dataset": "cifar10"},
    ),
)


UNSEEN: tuple[Evidence, dict[str, Any]] = (fitted(overlap=None), {"train": 0.9})


@pytest.mark.parametrize(("evidence", "params"), GOOD)
def test_what_is_as_asked_passes(evidence: Evidence, params: dict[str, Any]) -> None:
    passes(judge("split", evidence, **params))


@pytest.mark.parametrize(("evidence", "params", "fault", "values"), BAD)
def test_what_is_not_as_asked_fails_and_says_why(
    evidence: Evidence, params: dict[str, Any], fault: str, values: dict[str, Any]
) -> None:
    fails(judge("split", evidence, **params), fault, **values)


def test_what_cannot_be_seen_waits_for_a_person() -> None:
    evidence, params = UNSEEN
    waits(judge("split", evidence, **params))


def test_a_role_that_no_network_fills_is_said() -> None:
    lacks_its_model("split", train=0.9)
