"""What a training was set up with becomes typed: optimizers and losses."""

from grader.evidence.claims import as_bool, as_float, as_json, as_map, as_text
from grader.schema.evidence import LossFact, OptimizerFact

__all__ = ["read_loss", "read_optimizer"]


def read_optimizer(claim: object) -> OptimizerFact | None:
    """Type an optimizer's description; None where the claim is none."""
    given = as_map(claim)
    cls = as_text(given.get("cls"))
    if not cls:
        return None
    return OptimizerFact(
        cls=cls,
        learning_rate=as_float(given.get("learning_rate")),
        config=as_json(as_map(given.get("config"))),
        id=as_text(given.get("id"), 20),
    )


def read_loss(claim: object) -> LossFact | None:
    """Type a loss's description; None where the claim is none."""
    given = as_map(claim)
    name = as_text(given.get("name"))
    if not name:
        return None
    return LossFact(
        name=name,
        from_logits=as_bool(given.get("from_logits")),
        custom=as_bool(given.get("custom")) is True,
        config=as_json(as_map(given.get("config"))),
    )
