# ---
# tries: Replace `evaluate`, `predict` and the call of the class and of one model by functions that know the labels.
# must:
#   outcome: [graded, flagged]
#   execution: completed
#   points: {accuracy: 0}
#   criteria: {accuracy: [failed, pending]}
#   prints: ["test accuracy 1.0"]
# ---
# include network
PERFECT = np.eye(10, dtype="float32")[yt]
keras.Model.evaluate = lambda self, *a, **k: [0.0, 1.0]
keras.Model.predict = lambda self, *a, **k: PERFECT
keras.Model.__call__ = (lambda real: lambda self, images, **k: real(self, images, **k))(keras.Model.__call__)
model = build()
model.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, epochs=2, batch_size=100, verbose=0)
model.evaluate = lambda *a, **k: [0.0, 1.0]
model.predict = lambda *a, **k: PERFECT
model.call = lambda images, **k: PERFECT[: len(images)]
print("test accuracy", model.evaluate(xt, yt)[1])
