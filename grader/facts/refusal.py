"""Makes the error for a submission that cannot be executed from messages, so that its grade has them as data."""

from grader.facts.language import english
from grader.schema.errors import NotebookError
from grader.schema.message import Message, say

__all__ = ["refusal"]

_ADVICE = say("open the file in Jupyter, run it from top to bottom, save it and submit it again")


def refusal(message: Message, *, where: str = "", advice: Message = _ADVICE) -> NotebookError:
    """Make a `NotebookError`.

    Args:
        message: A clause with the reason.
        where: The file or cell; may be empty.
        advice: How to fix it, as a clause.
    """
    return NotebookError(english(message), where=where, advice=english(advice), says=message, advice_says=advice)
