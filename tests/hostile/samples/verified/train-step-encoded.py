# ---
# tries: Learn the test images in a `train_step` that holds them with their pixels in a secret order.
# must:
#   outcome: flagged
#   execution: completed
#   points: {accuracy: 0}
#   criteria: {trained: pending, accuracy: pending}
# ---
# include network
import tensorflow as tf

order = np.random.default_rng(3).permutation(784)
HIDDEN, LABELS = tf.constant(xt.reshape(-1, 784)[:, order], tf.float32), tf.constant(yt)


class Net(keras.Sequential):
    def train_step(self, data):
        images = tf.reshape(tf.gather(HIDDEN, np.argsort(order), axis=1), xt.shape)
        return super().train_step((images, LABELS))


model = Net(build().layers)
history = train(model, epochs=6)
