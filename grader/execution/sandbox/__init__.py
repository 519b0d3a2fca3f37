"""Isolates processes from this machine."""
