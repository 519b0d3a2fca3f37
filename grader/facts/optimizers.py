"""Facts about optimizers that checks, drafts and mutations need."""

__all__ = ["ADAPTIVE", "CLIPPING", "SCHEDULES"]

ADAPTIVE = frozenset(
    """adadelta adafactor adagrad adam adamax adamw ftrl lamb lion muon nadam rmsprop schedulefreeadamw""".split()  # noqa: SIM905 - a list of words
)
"""Optimizers that adapt the step size of each weight, in lower-case letters."""

CLIPPING = ("clipnorm", "clipvalue", "global_clipnorm")
"""Settings of an optimizer that clip gradients."""

SCHEDULES = ("ReduceLROnPlateau", "LearningRateScheduler")
"""Callbacks of Keras that change the learning rate, only before or after an epoch."""
