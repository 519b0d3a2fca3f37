"""How sure a measured share is; the formula itself is `grader.facts.statistics`, which every room may use."""

from grader.facts.statistics import Z_95, wilson

__all__ = ["Z_95", "wilson"]
