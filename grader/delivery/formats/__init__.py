"""Formats of `grader export`, one module for each."""
