"""Mutations of evidence: typical mistakes of students, as pure functions. They test whether a rubric can fail."""
