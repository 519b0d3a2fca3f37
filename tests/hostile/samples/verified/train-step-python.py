# ---
# tries: Learn the test images in a `train_step` that gets them from a Python function.
# must:
#   outcome: flagged
#   execution: completed
#   points: {accuracy: 0}
#   criteria: {trained: pending, accuracy: pending}
# ---
# include network
import tensorflow as tf


class Net(keras.Sequential):
    def train_step(self, data):
        images = tf.numpy_function(lambda: xt.astype("float32"), [], tf.float32)
        labels = tf.numpy_function(lambda: yt, [], tf.uint8)
        return super().train_step((tf.ensure_shape(images, xt.shape), tf.ensure_shape(labels, yt.shape)))


model = Net(build().layers)
history = train(model, epochs=6)
