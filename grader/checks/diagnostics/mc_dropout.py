"""Monte-Carlo predictions without dropout."""

from pydantic import Field

from grader.checks.mc_dropout import repeated_passes
from grader.checks.registry import diagnostic
from grader.checks.support.averaging import Averages
from grader.checks.support.params import Params, Whole
from grader.facts.case import Case
from grader.facts.wording import plural
from grader.schema.base import spoken_cell
from grader.schema.grade import Diagnostic

__all__ = ["McDropoutOffParams", "mc_dropout_off"]


class McDropoutOffParams(Params):
    """Parameters of `mc-dropout-off`."""

    passes: Whole = Field(default=5, ge=2)
    """Fewest passes over the same images. Fewer equal ones may be a comparison of something else."""


@diagnostic("mc-dropout-off")
def mc_dropout_off(case: Case, parameters: McDropoutOffParams) -> tuple[Diagnostic, ...]:
    """Predictions of a network with dropout were repeated and averaged, and all of them were the same.

    What it does:
        Looks for five or more passes of a network with dropout over the same images, whose outputs are equal to the
        last bit and are averaged: the mean of times, or of which predictions were right, is none of them.

    Why it matters:
        Dropout was off, so the mean is one ordinary prediction, many times as expensive.

    Example:
        `np.mean([model.predict(x) for _ in range(100)], axis=0)`
    """
    repeated = repeated_passes(case.evidence)
    same = [found for found in repeated if found.differ is False and found.passes >= parameters.passes]
    averages = Averages(case.evidence.cells if same else ())
    return tuple(
        Diagnostic(
            id="mc-dropout-off",
            title="Monte-Carlo dropout with dropout off",
            cell=found.cell,
            message=(
                f"{spoken_cell(found.cell).capitalize()} made {plural(found.passes, 'pass', 'passes')} of "
                f"`{found.model.name}` over the same images, and all of them gave the same numbers."
            ),
            advice=(
                "Call the network itself with `model(x, training=True)`: `predict` and `training=False` switch dropout "
                "off. Two passes over the same images have to differ."
            ),
            model=found.model.id,
        )
        for found in same
        if averages.passes(found.cell, found.model.name)
    )
