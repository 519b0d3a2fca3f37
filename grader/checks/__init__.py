"""Checks judge one thing each; diagnostics recognise mistakes. Both are pure functions of the evidence."""

from grader.checks.registry import all_checks, all_diagnostics, check, diagnostic

__all__ = ["all_checks", "all_diagnostics", "check", "diagnostic"]
