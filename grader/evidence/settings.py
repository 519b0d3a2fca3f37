"""Convert descriptions of optimizers and losses to facts."""

from grader.evidence.claims import as_bool, as_float, as_json, as_map, as_text, claim
from grader.inside.record.events import LossDescription, OptimizerDescription
from grader.schema.evidence import LossFact, OptimizerFact

__all__ = ["read_loss", "read_optimizer"]


def read_optimizer(value: object) -> OptimizerFact | None:
    """Convert an optimizer's description to a fact; None if the claim does not describe one."""
    optimizer = claim(OptimizerDescription, value)
    cls = as_text(optimizer["cls"])
    if not cls:
        return None
    return OptimizerFact(
        cls=cls,
        learning_rate=as_float(optimizer["learning_rate"]),
        config=as_json(as_map(optimizer["config"])),
        id=as_text(optimizer["id"], 20),
    )


def read_loss(value: object) -> LossFact | None:
    """Convert a loss's description to a fact; None if the claim does not describe one."""
    loss = claim(LossDescription, value)
    name = as_text(loss["name"])
    if not name:
        return None
    return LossFact(
        name=name,
        from_logits=as_bool(loss["from_logits"]),
        custom=as_bool(loss["custom"]) is True,
        config=as_json(as_map(loss["config"])),
    )
