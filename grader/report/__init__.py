"""Renderings of a grade: the HTML report, the class page, the CSV table. Rendering never sends and never executes."""
