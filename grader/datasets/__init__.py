"""Data sets and their labels: known ones and a course's own."""
