"""Pure functions of evidence: each question is answered in one place."""
