"""Format the results of a sensitivity test for the terminal."""

from collections.abc import Iterator

from rich.table import Table

from grader.facts.language import english
from grader.schema.message import say_count
from grader.schema.sensitivity import CriterionSensitivity, MutationResult, Sensitivity

__all__ = ["criteria_of", "mutations_of", "summary_of"]

_MARKS = {"failed": "x", "partial": "/", "pending": "?"}
_MISSING, _NOTHING = "!", "·"
_LEGEND = "x failed, / partial, ? a person must judge it, ! should react and does not, · no reaction"
_STATES = {
    "never_reacts": "nothing: it cannot fail",
    "only_pending": "nothing that costs points",
    "manual": "a person judges it",
    "not_passed": "nothing: the reference misses it already",
    "unknown_check": "unknown: no mistake is made for its check",
}


def _letter(place: int) -> str:
    """Return the letter of a column: a to z, then aa and so on."""
    first, second = divmod(place, 26)
    return (chr(ord("a") + first - 1) if first else "") + chr(ord("a") + second)


def criteria_of(result: Sensitivity) -> Table:
    """Make the table of criteria, each with the letter of its column."""
    table = Table(box=None, pad_edge=False)
    for heading in ("", "criterion", "points", "reacts to"):
        table.add_column(heading, justify="right" if heading == "points" else "left", no_wrap=heading != "reacts to")
    for place, criterion in enumerate(result.criteria):
        table.add_row(_letter(place), criterion.id, f"{criterion.max_points:g}", _reacts_to(criterion))
    return table


def _reacts_to(criterion: CriterionSensitivity) -> str:
    seen = _STATES.get(criterion.state) or _mistakes(len(criterion.reacts_to))
    return f"{seen}; not to {', '.join(criterion.missing)}" if criterion.missing else seen


def _mistakes(count: int) -> str:
    return english(say_count("{count:number} mistake", "{count:number} mistakes", count))


def mutations_of(result: Sensitivity) -> Table:
    """Make the table of mistakes by criteria, with the mistakes to which a criterion reacts or should react."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("mistake", no_wrap=True)
    judged = [(place, one.id) for place, one in enumerate(result.criteria) if one.state != "manual"]
    for place, _ in judged:
        table.add_column(_letter(place), no_wrap=True)
    table.add_column("costs", justify="right", no_wrap=True)
    for mutation in result.mutations:
        if mutation.reactions or mutation.missing:
            marks = (_mark(mutation, criterion) for _, criterion in judged)
            table.add_row(mutation.id, *marks, f"{mutation.lost:g}" if mutation.lost else "–")
    return table


def _mark(mutation: MutationResult, criterion: str) -> str:
    if criterion in mutation.missing:
        return _MISSING
    reaction = next((one for one in mutation.reactions if one.criterion == criterion), None)
    return _NOTHING if reaction is None else _MARKS.get(reaction.status, _NOTHING)


def summary_of(result: Sensitivity) -> Iterator[str]:
    """List what is missing, line by line."""
    yield _LEGEND
    for criterion in result.criteria:
        if criterion.cannot_fail:
            yield f"{criterion.id} reacts to {_STATES[criterion.state]}"
        for mutation in criterion.missing:
            yield f"{criterion.id} should react to {mutation} and does not"
    if result.undetected:
        yield f"No criterion reacts to: {', '.join(result.undetected)}"
    impossible = [one.id for one in result.mutations if not one.applied]
    if impossible:
        yield f"The reference cannot have these mistakes: {', '.join(impossible)}"
