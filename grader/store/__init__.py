"""Storage of executions, grades and sent results: a results folder with one SQLite file."""
