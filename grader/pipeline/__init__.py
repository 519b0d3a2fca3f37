"""Connects the packages: one submission, a class, a regrade, a reference."""
