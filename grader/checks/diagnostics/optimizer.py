"""Settings of Keras 2 that Keras 3 takes without an error and does not heed."""

from grader.checks.registry import diagnostic
from grader.facts.case import Case
from grader.facts.wording import decimal
from grader.schema.base import spoken_cell
from grader.schema.evidence import IgnoredFact
from grader.schema.grade import Diagnostic

__all__ = ["decay_ignored", "lr_unread"]


@diagnostic("optimizer-lr-unread")
def lr_unread(case: Case) -> tuple[Diagnostic, ...]:
    """`optimizer.lr` was set, which Keras 3 does not read.

    What it does:
        Looks for assignments to the attribute `lr` of one of Keras 3's own optimizers. A class of the student's own may
        have such an attribute, and in the Keras 2 dialect it is the learning rate.

    Why it matters:
        The line makes a new attribute and raises no error, so that the training goes on with the rate it had.

    Example:
        `model.optimizer.lr = 1e-4`
    """
    return tuple(
        Diagnostic(
            id="optimizer-lr-unread",
            title="`optimizer.lr` is not the learning rate",
            cell=fact.cell,
            message=(
                f"In {spoken_cell(fact.cell)} the attribute `lr` of {fact.optimizer} was set{_to(fact)}. Keras 3 does "
                "not read it, so the learning rate stayed what it was."
            ),
            advice="Write `optimizer.learning_rate = …`. The attribute was called `lr` in Keras 2.",
        )
        for fact in case.evidence.ignored
        if fact.form == "optimizer.lr"
    )


@diagnostic("optimizer-decay-ignored")
def decay_ignored(case: Case) -> tuple[Diagnostic, ...]:
    """An optimizer was given `decay=`, which Keras 3 does not heed.

    What it does:
        Looks for optimizers that were made with `decay=` and a number other than 0. In the Keras 2 dialect the rate
        does decay.

    Why it matters:
        Keras 3 only prints a warning, and trains with a rate that stays the same.

    Example:
        `SGD(learning_rate=0.01, decay=1e-6)`
    """
    return tuple(
        Diagnostic(
            id="optimizer-decay-ignored",
            title="`decay=` has no effect",
            cell=fact.cell,
            message=(
                f"In {spoken_cell(fact.cell)} {fact.optimizer} was given `decay`{_of(fact)}. Keras 3 leaves it out "
                "with a warning, so this did not lower the learning rate."
            ),
            advice=(
                "Give the optimizer a schedule as its rate. What `decay=` did in Keras 2 is "
                "`learning_rate=keras.optimizers.schedules.InverseTimeDecay(rate, 1, decay)`."
            ),
        )
        for fact in case.evidence.ignored
        if fact.form == "optimizer.decay"
    )


def _to(fact: IgnoredFact) -> str:
    return "" if fact.value is None else f" to {decimal(fact.value)}"


def _of(fact: IgnoredFact) -> str:
    return "" if fact.value is None else f" = {decimal(fact.value)}"
