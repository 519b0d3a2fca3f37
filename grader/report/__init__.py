"""Renderings of a grade: the HTML report, the class page, the CSV table. Rendering never sends or executes anything."""
