# ---
# tries: Learn the test images from a variable that a callback fills when the training starts and empties at its end.
# must:
#   outcome: flagged
#   execution: completed
#   points: {accuracy: 0}
#   criteria: {trained: pending, accuracy: pending}
# ---
# include network
import tensorflow as tf

images, labels = tf.Variable(x[:200], dtype=tf.float32), tf.Variable(y[:200])


class Fill(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        images.assign(xt)
        labels.assign(yt)

    def on_train_end(self, logs=None):
        images.assign(x[:200])
        labels.assign(y[:200])


class Net(keras.Sequential):
    def train_step(self, data):
        return super().train_step((images, labels))


model = Net(build().layers)
history = train(model, epochs=6, callbacks=[Fill()])
