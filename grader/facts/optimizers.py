"""Facts about optimizers that checks and mutations need."""

__all__ = ["ADAPTIVE", "CLIPPING"]

ADAPTIVE = frozenset({"adam", "adamw", "nadam", "adamax", "rmsprop", "adagrad", "adadelta", "ftrl", "lion"})
"""Optimizers that adapt the step size of each weight, in lower-case letters."""

CLIPPING = ("clipnorm", "clipvalue", "global_clipnorm")
"""Settings of an optimizer that clip gradients."""
