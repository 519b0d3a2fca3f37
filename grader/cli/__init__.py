"""Parse the command line and print results."""

from grader.cli.app import main

__all__ = ["main"]
