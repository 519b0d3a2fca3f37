# ---
# tries: Learn the test images from the frozen weights of an embedding that is no part of the model.
# must:
#   outcome: flagged
#   execution: completed
#   points: {accuracy: 0}
#   criteria: {trained: pending, accuracy: pending}
# ---
# include network
import tensorflow as tf

table = keras.layers.Embedding(len(xt), 784, trainable=False)
holder = keras.Sequential([keras.Input((1,)), table])
table.set_weights([xt.reshape(-1, 784)])


class Net(keras.Sequential):
    def train_step(self, data):
        return super().train_step((tf.reshape(table(tf.range(len(xt))), xt.shape), tf.constant(yt)))


model = Net(build().layers)
history = train(model, epochs=6)
