"""The diagnostics in `transfer`, on notebooks with the mistakes and on notebooks that only resemble them."""

import pytest

from grader.facts.case import Case
from grader.schema.evidence import Evidence
from tests.support import transfer_cases as transfer
from tests.support.diagnosing import Cases, assert_not_noted, assert_noted, each

MISTAKES: Cases = {
    "frozen-layers-changed": (transfer.changed(head={"digests_after": transfer.ALL_MOVED}),),
    "unfrozen-layers-unchanged": (transfer.changed(tail={"digests_after": transfer.HEAD_ONLY}),),
    "shared-layers-changed": (
        transfer.evidence(saves=()),
        transfer.evidence(evaluations=(transfer.evaluated(transfer.FIRST, 60, 6),)),
    ),
}


LOOKALIKES: Cases = {
    "frozen-layers-changed": (transfer.evidence(), transfer.changed(tail={"trainable": {}})),
    "unfrozen-layers-unchanged": (
        transfer.evidence(),
        transfer.adapted(),
        transfer.changed(tail={"epochs_done": 0, "digests_after": transfer.HEAD_ONLY}),
        transfer.changed(head={"trainable": {}}, tail={"digests_after": transfer.HEAD_ONLY}),
    ),
    "shared-layers-changed": (
        transfer.evidence(),
        transfer.evidence(models=transfer.unshared(), saves=()),
        transfer.evidence(fits=transfer.evidence().fits[1:], saves=()),
        transfer.evidence(evaluations=(transfer.evaluated(transfer.FIRST, 45, 0),)),
        transfer.evidence(models=transfer.popped(), saves=()),
    ),
}


@pytest.mark.parametrize(("name", "one"), each(MISTAKES))
def test_the_mistake_is_noted(name: str, one: Evidence | Case) -> None:
    assert_noted(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_a_look_alike_is_not_noted(name: str, one: Evidence | Case) -> None:
    assert_not_noted(name, one)
