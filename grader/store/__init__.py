"""Keeps what was executed, graded and sent: a results folder and one SQLite file in it."""
