# ---
# tries: Remove the recorder from sys.modules, and break the functions that it needs.
# must:
#   outcome: [flagged, refused]
#   execution: [completed, timeout]
#   criteria: {accuracy: [failed, pending], trained: [failed, pending]}
# ---
import gc
import sys

from inside.record import log as log_module
from inside.record.recorder import Recorder

for name in [name for name in sys.modules if name.startswith("inside")]:
    sys.modules[name] = None
for thing in gc.get_objects():
    if isinstance(thing, Recorder):
        thing.__dict__.clear()
log_module.EventLog.write = lambda *a: 1 / 0
# %%
y = 2
