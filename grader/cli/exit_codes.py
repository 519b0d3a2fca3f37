"""Define the exit codes of the command line."""

__all__ = ["BELOW", "DONE", "HARNESS", "USAGE"]

DONE, BELOW, USAGE, HARNESS = 0, 1, 2, 3
"""Exit codes: done; graded but below the required score; usage or rubric error; something could not be graded."""
