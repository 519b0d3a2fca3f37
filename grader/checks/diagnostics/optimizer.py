"""Settings of Keras 2 that Keras 3 accepts and ignores."""

from grader.checks.registry import diagnostic
from grader.facts.case import Case
from grader.schema.evidence import IgnoredFact
from grader.schema.grade import Diagnostic
from grader.schema.message import Message, say

__all__ = ["decay_ignored", "lr_unread"]


@diagnostic("optimizer-lr-unread")
def lr_unread(case: Case) -> tuple[Diagnostic, ...]:
    """`optimizer.lr` was set, which Keras 3 does not read.

    What it does:
        Looks for assignments to the attribute `lr` of an optimizer of Keras 3. Ignores custom optimizer classes, which
        may have such an attribute, and the Keras 2 dialect, in which it is the learning rate.

    Why it matters:
        The line creates a new attribute without an error, and training continues with the old learning rate.

    Example:
        `model.optimizer.lr = 1e-4`
    """
    return tuple(
        Diagnostic(
            id="optimizer-lr-unread",
            title=say("optimizer.lr is not the learning rate"),
            cell=fact.cell,
            message=_unread(fact),
            advice=say("Set `optimizer.learning_rate` instead. The attribute was called `lr` in Keras 2."),
        )
        for fact in case.evidence.ignored
        if fact.form == "optimizer.lr"
    )


@diagnostic("optimizer-decay-ignored")
def decay_ignored(case: Case) -> tuple[Diagnostic, ...]:
    """An optimizer was created with `decay=`, which Keras 3 ignores.

    What it does:
        Looks for optimizers that were created with a `decay=` other than 0. Ignores the Keras 2 dialect, in which the
        learning rate does decay.

    Why it matters:
        Keras 3 only prints a warning, and trains with a constant learning rate.

    Example:
        `SGD(learning_rate=0.01, decay=1e-6)`
    """
    return tuple(
        Diagnostic(
            id="optimizer-decay-ignored",
            title=say("decay= has no effect"),
            cell=fact.cell,
            message=_ignored(fact),
            advice=say(
                "Pass a schedule as the learning rate. "
                "`learning_rate=keras.optimizers.schedules.InverseTimeDecay(rate, 1, decay)` does what `decay=` did in "
                "Keras 2."
            ),
        )
        for fact in case.evidence.ignored
        if fact.form == "optimizer.decay"
    )


def _unread(fact: IgnoredFact) -> Message:
    if fact.value is None:
        return say(
            "{cell:Cell} sets the attribute `lr` of {optimizer:code}. Keras 3 does not read it, so the learning rate "
            "did not change.",
            cell=fact.cell,
            optimizer=fact.optimizer,
        )
    return say(
        "{cell:Cell} sets the attribute `lr` of {optimizer:code} to {value:number}. Keras 3 does not read it, so the "
        "learning rate did not change.",
        cell=fact.cell,
        optimizer=fact.optimizer,
        value=fact.value,
    )


def _ignored(fact: IgnoredFact) -> Message:
    if fact.value is None:
        return say(
            "{cell:Cell} creates {optimizer:code} with `decay`. Keras 3 ignores it with a warning, so the learning "
            "rate did not decay.",
            cell=fact.cell,
            optimizer=fact.optimizer,
        )
    return say(
        "{cell:Cell} creates {optimizer:code} with `decay={value:number}`. Keras 3 ignores it with a warning, so the "
        "learning rate did not decay.",
        cell=fact.cell,
        optimizer=fact.optimizer,
        value=fact.value,
    )
