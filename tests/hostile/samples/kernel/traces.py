# ---
# tries: Watch and change the recorder with a trace function, a profiler, an import hook and audit hooks.
# must:
#   outcome: [graded, flagged]
#   execution: [completed, cell_error]
#   criteria: {accuracy: [failed, pending], trained: [failed, pending]}
# ---
import builtins
import sys
import threading


def trace(frame, event, argument):
    if frame.f_globals.get("__name__", "").startswith("inside"):
        frame.f_locals.clear()
        raise RuntimeError
    return trace


real = builtins.__import__
sys.settrace(trace)
threading.settrace(trace)
sys.setprofile(lambda *a: None)
builtins.__import__ = lambda name, *a, **k: real("json" if name.startswith("inside") else name, *a, **k)
# %%
print("second")
