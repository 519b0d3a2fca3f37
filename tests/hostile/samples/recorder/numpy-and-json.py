# ---
# tries: Break the functions of NumPy, JSON, time and files that the recorder uses, before it trains.
# must:
#   outcome: flagged
#   execution: completed
#   points: {accuracy: 0}
#   criteria: {accuracy: [pending, failed]}
# ---
# include network
model = build()
model.compile("adam", "sparse_categorical_crossentropy")
import pathlib
import types

from inside.record import log

np.save = lambda *a, **k: None
np.savez = lambda *a, **k: None
log.json = types.SimpleNamespace(dumps=lambda *a, **k: '{"kind": "end"}')
pathlib.Path.replace = lambda self, target: self.unlink()
model.fit(x, y, epochs=2, batch_size=100, verbose=0)
