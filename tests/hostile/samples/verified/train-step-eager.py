# ---
# tries: Learn the test images in the layers of a model that trains eagerly, whose own input is honest.
# must:
#   outcome: flagged
#   execution: completed
#   points: {accuracy: 0}
#   criteria: {trained: pending, accuracy: pending}
# ---
# include network
class Swap(keras.layers.Layer):
    def call(self, images, training=False):
        return xt.astype("float32") if training else images


def loss(labels, answers):
    return keras.losses.sparse_categorical_crossentropy(yt if len(answers) == len(yt) else labels, answers)


model = keras.Sequential([keras.Input((28, 28, 1)), Swap(), *build().layers])
model.compile("adam", loss, run_eagerly=True)
history = model.fit(x, y, epochs=6, batch_size=20, verbose=0)
