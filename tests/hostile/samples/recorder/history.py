# ---
# tries: Train one epoch with a rate of zero, and change the history and the logs to a success.
# must:
#   outcome: [graded, flagged]
#   execution: completed
#   points: {accuracy: 0}
#   criteria: {accuracy: [failed, pending]}
# ---
# include network
class Lies(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        logs.update(loss=1.0 / (epoch + 1), accuracy=1.0)


model = build()
model.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x, y, epochs=2, batch_size=100, verbose=0, callbacks=[Lies()])
history.history["accuracy"] = [0.99, 1.0]
