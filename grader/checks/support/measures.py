"""Labels and units of measured values."""

from grader.schema.grade import MeasureLabel
from grader.schema.message import Message

__all__ = ["measure"]


def measure(says: Message, form: str = "") -> MeasureLabel:
    """Label a measured value.

    Args:
        says: What was measured, such as "Accuracy".
        form: The format of its value, such as `percent`, `number` or `code list`: one of `grader.facts.language`.
    """
    return MeasureLabel(says=says, form=form)
