"""Maps each part of the recorder to the events that may be missing or incomplete if it fails."""

from collections.abc import Mapping

from .events import KINDS

__all__ = ["LOSSES", "lost_by"]

_TRAINING = ("fit_start", "fit_end", "kept")

LOSSES: Mapping[str, tuple[str, ...]] = {
    # Names of Keras and TensorFlow that could not be hooked.
    "Model.__new__": ("model",),
    "Model.__call__": ("calls", "fit_end", "repeated_passes"),
    "Model.compile": ("compile",),
    "Model.fit": ("fit_start", "epoch", "fit_end", "kept"),
    "Model.evaluate": ("evaluate",),
    "Model.predict": ("predict", "repeated_passes"),
    "Model.train_on_batch": _TRAINING,
    "Model.get_weights": ("save",),
    "Model.set_weights": ("save", "kept"),
    "Model.save_weights": ("save",),
    "Model.load_weights": ("save", "kept"),
    "Model.export": ("calls",),
    "Sequential.pop": ("model", "kept"),
    "Layer.trainable": ("trainable",),
    "Loss.__call__": ("fit_start",),
    "Optimizer.apply": _TRAINING,
    "Optimizer.__setattr__": ("ignored",),
    "backend.function": ("calls",),
    "Sequence.on_epoch_begin": ("epoch",),
    "Session.run": ("model", "evaluate", "predict", *_TRAINING),
    "get_tensor_spec": ("fit_start",),
    "saving.save_model": ("save",),
    "saving.load_model": ("save", "kept"),
    "cloning.clone_model": ("save",),
    "FigureCanvasBase.print_figure": ("figure",),
    "RenderersConfig._build_mime_bundle": ("figure",),
    # The recorder's own functions.
    "install.<locals>.look": ("arrays",),
    "install.<locals>.read_notes": ("fit_start", "epoch", "fit_end", "kept"),
    "install.<locals>.see": ("figure",),
    "_Writer.write": ("arrays",),
    "_flags": ("trainable",),
    "describe_loss": ("fit_start",),
    "digests": ("fit_start", "fit_end"),
    "fill_epochs": ("fit_end",),
    "sample": ("kept",),
    "watch_ignored.<locals>.tell": ("ignored",),
    "ArrayBook.describe_pair": ("fit_start", "fit_end"),
    "CallWatch._trace": ("calls",),
    "CallWatch.cell_ended": ("calls", "repeated_passes"),
    "CallWatch.count": ("calls", "fit_end", "repeated_passes"),
    "EventLog.write": ("versions",),
    "_batch_size": ("fit_start",),
    "FitWatch._first_batch": ("fit_start",),
    "FitWatch._begin": ("fit_start",),
    "FitWatch._begin_bare": ("fit_start", "epoch", "fit_end", "kept"),
    "FitWatch._end": ("fit_end", "kept"),
    "FitWatch.batch_ended": ("kept",),
    "FitWatch.mark": ("kept",),
    "FitWatch.note_start": ("fit_start",),
    "FitWatch._settle": ("fit_end", "kept", "model"),
    "FitWatch._validation": ("fit_start",),
    "FitWatch.epoch_begun": ("epoch", "fit_end"),
    "FitWatch.epoch_ended": ("epoch", "fit_end"),
    "FitWatch.started": ("fit_start",),
    "FitWatch.started.<locals>.<lambda>": ("fit_start",),
    "FitWatch.step_begun": ("epoch", "fit_end"),
    "FitWatch.stop": ("stopped", "fit_end"),
    "FunctionWatch._count": ("calls", "repeated_passes"),
    "FunctionWatch._meant": ("calls",),
    "HandWatch._given": ("fit_end",),
    "HandWatch._taken": _TRAINING,
    "HandWatch.cell_ended": _TRAINING,
    "Keeper._add_fingerprints": ("kept",),
    "Keeper._keep_later": ("kept",),
    "Keeper._save": ("kept", "unkept"),
    "Keeper.cell_ended": ("kept", "unkept"),
    "Keeper.changed": ("kept", "unkept"),
    "Keeper.epoch_ended": ("kept",),
    "Keeper.fit_ended": ("kept",),
    "Keeper.keep_now": ("kept",),
    "Keeper.keep_sharers": ("kept",),
    "Keeper.shared_layers_changed": ("kept",),
    "LoopWatch._before": _TRAINING,
    "LoopWatch._given": ("fit_end",),
    "LoopWatch._note_loss": ("fit_start",),
    "LoopWatch._sample": ("kept",),
    "LoopWatch._settle": _TRAINING,
    "LoopWatch._step": _TRAINING,
    "LoopWatch.before_trainable": ("trainable", "fit_start", "fit_end"),
    "LoopWatch.cell_ended": _TRAINING,
    "LoopWatch.rebase": _TRAINING,
    "LoopWatch.settle": _TRAINING,
    "LoopWatch.progress": ("progress", *_TRAINING),
    "HandWatch.progress": ("progress", *_TRAINING),
    "LoopWatch.made": ("stopped",),
    "LoopWatch.note_weights": ("kept",),
    "LoopStops.watch": ("stopped", "progress"),
    "LoopStops.cell_ended": ("stopped", "progress"),
    "ModelBook.announce": ("model",),
    "ModelBook.announce_all": ("model",),
    "ModelBook.created": ("model",),
    "ModelBook.hold": ("kept",),
    "ModelBook.trained": ("model",),
    "Outputs.add": ("fit_start",),
    "ValueWatch._report": ("repeated_passes",),
    "ValueWatch.cell_ended": ("repeated_passes",),
    "ValueWatch.cell_started": ("repeated_passes",),
    "Watch._compiled": ("compile",),
    "Watch._evaluated": ("evaluate",),
    "Watch._hook_data": _TRAINING,
    "Watch._predicted": ("predict", "repeated_passes"),
    "Watch._remember_origin": ("save",),
    "Watch._saved": ("save", "kept"),
    "Watch._trainable_set": ("trainable",),
    "Watch._weights_set": ("save", "kept"),
    "Watch.cell_ended": ("calls", "repeated_passes", "model", *_TRAINING),
}
"""Name of a hook → kinds of events that may be missing or incomplete if it fails."""

_EVERYTHING = tuple(kind for kind in KINDS if kind not in {"gap", "unhooked", "end", "cell_start", "cell_end", "start"})


def lost_by(hook: str) -> tuple[str, ...]:
    """Return the kinds of events that a failure may have lost; all kinds for an unknown hook.

    Args:
        hook: The hook's name.
    """
    return LOSSES.get(hook, _EVERYTHING)
