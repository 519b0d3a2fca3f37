"""How sure a measured share is; the formula itself is `grader.schema.statistics`, which every room may use."""

from grader.schema.statistics import Z_95, wilson

__all__ = ["Z_95", "wilson"]
