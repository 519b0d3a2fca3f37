"""The diagnostics in `transfer`, on notebooks that make the mistake and on notebooks that only look like it."""

import pytest

from grader.facts.case import Case
from grader.schema.evidence import Evidence
from tests.support import transfer_cases as transfer
from tests.support.diagnosing import Cases, each, left_alone, recognised

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
def test_the_mistake_is_recognised(name: str, one: Evidence | Case) -> None:
    recognised(name, one)


@pytest.mark.parametrize(("name", "one"), each(LOOKALIKES))
def test_what_only_looks_like_the_mistake_is_left_alone(name: str, one: Evidence | Case) -> None:
    left_alone(name, one)
