"""Grade CNN assignments: execute once, grade many times, deliver anywhere."""

__version__ = "0.1.0"
