"""Texts for students in place of a finding that gives away what the rubric expects."""

from collections.abc import Mapping

from grader.schema.grade import CriterionStatus, StudentView
from grader.schema.message import Message, MessageLike, as_message, say, sentences

__all__ = ["manual_view", "private_view"]

_READ_BY_A_PERSON = say("A person reads this answer.")
_PRIVATE: Mapping[CriterionStatus, Message] = {
    "passed": say("This criterion is met. The course does not show how it is judged."),
    "partial": say("This criterion is met in part. The course does not show how it is judged."),
    "failed": say("This criterion is not met. The course does not show how it is judged."),
    "pending": say("A person decides on this criterion."),
    "skipped": say("This criterion was not judged."),
}


def manual_view(remark: MessageLike = "") -> StudentView:
    """Replace the guide of a manual criterion.

    Args:
        remark: A sentence that students also see, such as why the notebook was not run.
    """
    return StudentView(says=sentences(_READ_BY_A_PERSON, remark))


def private_view(status: CriterionStatus, advice: MessageLike = "") -> StudentView:
    """Replace the finding of a private criterion.

    Args:
        status: Its verdict, which students see.
        advice: The rubric's own advice, which is written for students.
    """
    missed = bool(advice) and status not in {"passed", "pending"}
    return StudentView(says=_PRIVATE[status], advice_says=as_message(advice) if missed else None)
