# ---
# tries: Put a table of the test images into the weights after the last batch.
# must:
#   outcome: flagged
#   execution: completed
#   points: {accuracy: 0}
#   criteria: {accuracy: pending}
# ---
# include network
# include lookup


class Swap(keras.callbacks.Callback):
    def on_train_end(self, logs=None):
        fill(self.model)


model = lookup()
model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
history = model.fit(x, y, epochs=2, batch_size=20, verbose=0, callbacks=[Swap()])
