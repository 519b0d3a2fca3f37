# ---
# tries: Put a table of the test images into the optimizer's moving averages, and let Keras copy them into the model.
# must:
#   outcome: flagged
#   execution: completed
#   points: {accuracy: 0}
#   criteria: {accuracy: pending}
# ---
# include network
# include lookup


class Swap(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        table = lookup()
        fill(table)
        for average, weights in zip(self.model.optimizer._model_variables_moving_average, table.trainable_variables):
            average.assign(weights)


model = lookup()
rate = keras.optimizers.SGD(0.01, use_ema=True)
model.compile(rate, keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
history = model.fit(x, y, epochs=2, batch_size=20, verbose=0, callbacks=[Swap()])
