# ---
# tries: Train on the test images in a callback of a training on the training images.
# must:
#   outcome: flagged
#   execution: completed
#   points: {accuracy: 0}
#   criteria: {trained: pending, accuracy: pending}
# ---
# include network
class More(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        for _ in range(10):
            self.model.train_on_batch(xt, yt)


model = build()
history = train(model, epochs=6, callbacks=[More()])
