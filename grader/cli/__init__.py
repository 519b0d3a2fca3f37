"""The command line: parses and prints."""

from grader.cli.app import main

__all__ = ["main"]
