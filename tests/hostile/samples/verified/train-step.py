# ---
# tries: Learn the test images in a train_step, while `fit` is given the training images.
# must:
#   outcome: flagged
#   execution: completed
#   points: {accuracy: 0}
#   criteria: {trained: pending, accuracy: pending}
# ---
# include network
import tensorflow as tf

XT, YT = tf.constant(xt, tf.float32), tf.constant(yt)


class Net(keras.Sequential):
    def train_step(self, data):
        return super().train_step((XT, YT))


model = Net(build().layers)
history = train(model, epochs=6)
