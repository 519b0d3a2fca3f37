# ---
# tries: Put a table of the test images into the weights before each epoch, and train with a rate of nearly zero.
# must:
#   outcome: flagged
#   execution: completed
#   points: {accuracy: 0}
#   criteria: {accuracy: pending}
# ---
# include network
# include lookup


class Swap(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        fill(self.model)


model = lookup()
rate = keras.optimizers.SGD(1e-30)
model.compile(rate, keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
history = model.fit(x, y, epochs=2, batch_size=20, verbose=0, callbacks=[Swap()])
