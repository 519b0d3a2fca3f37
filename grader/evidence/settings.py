"""What a training was set up with becomes typed: optimizers and losses."""

from grader.evidence.claims import as_bool, as_float, as_json, as_map, as_text, claim
from grader.inside.record.events import LossDescription, OptimizerDescription
from grader.schema.evidence import LossFact, OptimizerFact

__all__ = ["read_loss", "read_optimizer"]


def read_optimizer(value: object) -> OptimizerFact | None:
    """Type an optimizer's description; None where the claim is none."""
    given = claim(OptimizerDescription, value)
    cls = as_text(given["cls"])
    if not cls:
        return None
    return OptimizerFact(
        cls=cls,
        learning_rate=as_float(given["learning_rate"]),
        config=as_json(as_map(given["config"])),
        id=as_text(given["id"], 20),
    )


def read_loss(value: object) -> LossFact | None:
    """Type a loss's description; None where the claim is none."""
    given = claim(LossDescription, value)
    name = as_text(given["name"])
    if not name:
        return None
    return LossFact(
        name=name,
        from_logits=as_bool(given["from_logits"]),
        custom=as_bool(given["custom"]) is True,
        config=as_json(as_map(given["config"])),
    )
