"""Data sets, served to a notebook by whatever name it loads them."""
