"""Make the files of an assignment from the instructor's own notebook."""
