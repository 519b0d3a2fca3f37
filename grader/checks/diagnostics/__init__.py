"""Mistakes the grader recognises whether or not a rubric gives points for them: the notes in the margin."""
