"""Grades a class on many machines with Ray."""
