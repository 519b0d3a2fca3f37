"""Describe what two submissions have in common, each kind of evidence with its figures and its score."""

from collections.abc import Mapping
from dataclasses import dataclass

from grader.facts.error_overlap import Overlap
from grader.facts.passages import Alignment
from grader.facts.traces import LoadedTrace, Traces, TrainingTrace
from grader.schema.message import Message, say, say_count, sentences
from grader.schema.similarity import Sign, SignKind

__all__ = [
    "LEAST_SCORE",
    "Twins",
    "common_errors",
    "copied_weights",
    "equal_counts",
    "equal_errors",
    "impossible_training",
    "same_file",
    "same_training",
    "same_weights_file",
    "similar_code",
    "similar_text",
    "twins_of",
    "with_passages",
]

LEAST_SCORE = 0.3
"""Similar code or text with a lower score is not mentioned."""
_ENOUGH: Mapping[SignKind, float] = {"code": 20.0, "text": 10.0}
"""Weight of shared fingerprints for full evidence; less counts in proportion."""
_FILE, _COPIED, _IMPOSSIBLE, _ERRORS, _COUNTS = 1.0, 0.95, 0.95, 0.9, 0.35
_SAME_TRAINING = 0.35
"""Score of a training that two submissions define in the same way, and not by the starter's code."""


def similar_code(shared: float, part: float) -> Sign | None:
    """Describe similar code; None for little.

    Args:
        shared: Weight of the common fingerprints.
        part: Common part of the own code of the submission that has less of it.
    """
    score = part * min(1.0, shared / _ENOUGH["code"])
    if score < LEAST_SCORE:
        return None
    says = say(
        "{part:percent} of the smaller submission's own code is also in the other, up to names, numbers, comments "
        "and order.",
        part=round(part, 2),
    )
    return Sign(kind="code", score=round(score, 4), says=says, figures={"part": round(part, 4)})


def similar_text(shared: float, part: float) -> Sign | None:
    """Describe equal texts and comments; None for few. Many equal words count even if they are a small part.

    Args:
        shared: Weight of the common fingerprints.
        part: Common part of the own texts of the submission that has less of them.
    """
    amount = min(1.0, shared / _ENOUGH["text"])
    score = amount * max(part, min(1.0, shared / (4 * _ENOUGH["text"])))
    if score < LEAST_SCORE:
        return None
    says = say(
        "{part:percent} of the smaller submission's own texts and comments is also in the other, word for word.",
        part=round(part, 2),
    )
    return Sign(kind="text", score=round(score, 4), says=says, figures={"part": round(part, 4)})


@dataclass(frozen=True, slots=True)
class Twins:
    """Two trainings with the same result."""

    first: TrainingTrace
    second: TrainingTrace
    layers: int
    """Number of layers with equal weights; 0 if only the losses are equal."""
    possible: bool
    """Whether two students can get this result without copying it."""


def twins_of(one: Traces, other: Traces) -> tuple[Twins, ...]:
    """List the trainings of two submissions that have equal weights or equal losses."""
    found = []
    for x in one.trainings:
        for y in other.trainings:
            layers = len(x.results & y.results)
            if layers or (x.losses and x.losses == y.losses):
                seeds = one.seed == other.seed or (one.own_seed and other.own_seed)
                found.append(Twins(x, y, layers, possible=x.recipe == y.recipe and seeds))
    return tuple(found)


def impossible_training(twin: Twins) -> Sign:
    """Describe equal results of trainings that differ."""
    kind = "weights" if twin.layers else "history"
    what = _equal_results(twin)
    says = sentences(
        what, say("Their architecture, settings or seeds differ, so that two trainings cannot have the same result.")
    )
    return Sign(kind=kind, score=_IMPOSSIBLE, says=says, figures={"layers": twin.layers})


def _equal_results(twin: Twins) -> Message:
    if not twin.layers:
        return say("The losses of both trainings are equal to the last digit.")
    return say_count(
        "After both trainings, {count:number} layer has the same weights.",
        "After both trainings, {count:number} layers have the same weights.",
        twin.layers,
    )


def same_training(twin: Twins, origin: Message | None) -> Sign:
    """Describe equal results of equal trainings.

    Args:
        twin: The trainings.
        origin: The honest reason why both have this training; None if there is none.
    """
    kind = "weights" if twin.layers else "history"
    if origin is not None:
        says = sentences(
            _equal_results(twin),
            say("The grader's seed gives the same result to the same training, and {origin}.", origin=origin),
        )
        return Sign(kind=kind, score=0.0, says=says, figures={"layers": twin.layers})
    says = sentences(
        _equal_results(twin),
        say(
            "The grader's seed gives the same result to the same training, but only these two define this training, "
            "in code that is not the starter's."
        ),
    )
    return Sign(kind=kind, score=_SAME_TRAINING, says=says, figures={"layers": twin.layers})


def equal_errors(count: int, *, excused: bool) -> Sign:
    """Describe models with exactly the same errors.

    Args:
        count: Number of misclassified images.
        excused: Whether both have the same training for an honest reason.
    """
    says = say_count(
        "Both models misclassify exactly the same {count:number} image.",
        "Both models misclassify exactly the same {count:number} images.",
        count,
    )
    figures = {"first": count, "second": count, "common": count}
    return Sign(kind="errors", score=0.0 if excused else _ERRORS, says=says, figures=figures)


def common_errors(overlap: Overlap, *, excused: bool) -> Sign:
    """Describe models with more common errors than expected.

    Args:
        overlap: The common errors.
        excused: Whether both have the same training for an honest reason.
    """
    first, second = overlap.errors
    says = say(
        "The models misclassify {first:number} and {second:number} images, of which {common:number} are the same; "
        "about {expected:number} are expected by chance.",
        first=first,
        second=second,
        common=overlap.common,
        expected=round(overlap.expected),
    )
    figures = {"first": first, "second": second, "common": overlap.common, "expected": round(overlap.expected, 1)}
    score = 0.0 if excused else _ERRORS * overlap.excess**2
    return Sign(kind="errors", score=round(score, 4), says=says, figures=figures)


def same_file(*, own: bool) -> Sign:
    """Describe two equal files.

    Args:
        own: Whether they contain anything that is not the starter's.
    """
    if not own:
        return Sign(kind="file", score=0.0, says=say("Both handed in the same file, which contains only the starter."))
    return Sign(kind="file", score=_FILE, says=say("Both handed in the same file."))


def equal_counts(one: Traces, other: Traces) -> Sign | None:
    """Describe equal execution counts; None if they differ or are no evidence."""
    if not one.counts or one.counts != other.counts:
        return None
    counts = sorted(one.counts)
    says = say(
        "The code cells of both files have the same execution counts, with the same gaps: {counts:list}.",
        counts=[str(count) for count in counts],
    )
    return Sign(kind="counts", score=_COUNTS, says=says, figures={"counts": counts})


def copied_weights(trainer: Traces, user: Traces, layers: int) -> Sign:
    """Describe weights that one submission trained and the other uses.

    Args:
        trainer: The submission with the training.
        user: The submission without it.
        layers: Number of layers.
    """
    says = say_count(
        "{user:raw} uses weights of {count:number} layer that {trainer:raw} trained.",
        "{user:raw} uses weights of {count:number} layers that {trainer:raw} trained.",
        layers,
        user=user.submission,
        trainer=trainer.submission,
    )
    return Sign(kind="weights", score=_COPIED, says=says, figures={"layers": layers})


def same_weights_file(one: LoadedTrace, other: LoadedTrace, layers: int) -> Sign:
    """Describe weights that both load from a file and few others have.

    Args:
        one: The file of the first submission.
        other: The file of the second.
        layers: Number of layers with equal weights.
    """
    says = say(
        "Both load the same weights from a file ({first:code} and {second:code}), "
        "which the other submissions do not have.",
        first=one.path,
        second=other.path,
    )
    return Sign(kind="weights", score=_COPIED, says=says, figures={"layers": layers})


def with_passages(sign: Sign, alignment: Alignment) -> Sign:
    """Add the similar passages to a sign."""
    figures = {
        **sign.figures,
        "tokens": alignment.tokens,
        "literals": alignment.literals,
        "equal_literals": alignment.equal_literals,
    }
    return sign.model_copy(update={"passages": alignment.passages, "figures": figures})
