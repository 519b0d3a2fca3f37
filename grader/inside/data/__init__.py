"""Data sets for notebooks, served through every library that loads them."""
