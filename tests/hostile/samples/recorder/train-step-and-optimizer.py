# ---
# tries: Replace `train_step` of one model and `apply` of the optimizer, so that training changes nothing.
# must:
#   outcome: [graded, flagged]
#   execution: [completed, cell_error]
#   points: {accuracy: 0}
#   criteria: {accuracy: [failed, pending]}
# ---
# include network
model = build()
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], run_eagerly=True)
model.optimizer.apply = lambda *a, **k: None
model.optimizer.apply_gradients = lambda *a, **k: None
model.train_step = lambda data: {"loss": 0.0, "accuracy": 1.0}
model.fit(x, y, epochs=2, batch_size=100, verbose=0)
