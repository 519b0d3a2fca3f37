"""Facts about optimizers that checks and mutations need."""

__all__ = ["CLIPPING"]

CLIPPING = ("clipnorm", "clipvalue", "global_clipnorm")
"""Settings of an optimizer that clip gradients."""
