"""Draft a rubric from the evidence of a solution: evidence → proposals → draft → YAML text, without effects."""
