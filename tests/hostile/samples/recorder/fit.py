# ---
# tries: Replace `fit` by a function that trains nothing and returns a history of success.
# must:
#   outcome: [graded, flagged]
#   execution: completed
#   points: {accuracy: 0}
#   criteria: {trained: [failed, pending], accuracy: [failed, pending]}
# ---
# include network
def fit(self, *arguments, **keys):
    history = keras.callbacks.History()
    history.set_model(self)
    history.history = {"loss": [2.0, 1.0, 0.1], "accuracy": [0.1, 0.9, 1.0]}
    history.epoch = [0, 1, 2]
    return history


keras.Model.fit = fit
keras.Sequential.fit = fit
model = build()
history = train(model)
