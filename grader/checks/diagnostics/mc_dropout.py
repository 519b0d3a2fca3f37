"""Monte Carlo predictions without dropout."""

from pydantic import Field

from grader.checks.mc_dropout import repeated_passes
from grader.checks.registry import diagnostic
from grader.checks.support.params import Params, Whole
from grader.facts.case import Case
from grader.schema.grade import Diagnostic
from grader.schema.message import say

__all__ = ["McDropoutOffParams", "mc_dropout_off"]


class McDropoutOffParams(Params):
    """Parameters of `mc-dropout-off`."""

    passes: Whole = Field(default=5, ge=2)
    """Smallest number of passes over the same images. Fewer equal passes can have another purpose."""


@diagnostic("mc-dropout-off")
def mc_dropout_off(case: Case, parameters: McDropoutOffParams) -> tuple[Diagnostic, ...]:
    """Predictions of a model with dropout were repeated and averaged, but all of them were equal.

    What it does:
        Looks for five or more passes of a model with dropout over the same images whose outputs are exactly equal, and
        which a function of the notebook's averages or which are added up. The mean of durations, or of correct
        predictions, does not count.

    Why it matters:
        Dropout was off, so the mean is one ordinary prediction at many times the cost.

    Example:
        `np.mean([model.predict(x) for _ in range(100)], axis=0)`
    """
    repeated = repeated_passes(case.evidence)
    same = [passes for passes in repeated if passes.differ is False and passes.passes >= parameters.passes]
    return tuple(
        Diagnostic(
            id="mc-dropout-off",
            title=say("Monte Carlo dropout with dropout off"),
            cell=passes.cell,
            message=say(
                "{cell:Cell} ran {model:code} on the same images {passes:number} times, and all outputs were equal. "
                "Dropout was off.",
                cell=passes.cell,
                model=passes.model.name,
                passes=passes.passes,
            ),
            advice=say(
                "Call `model(x, training=True)`; `predict` and `training=False` switch dropout off. With dropout on, "
                "two passes over the same images differ."
            ),
            model=passes.model.id,
        )
        for passes in same
        if passes.average in {"mean", "median", "sum"}
    )
