# ---
# tries: Learn the test images in a loss that calls the model with them.
# must:
#   outcome: flagged
#   execution: completed
#   points: {accuracy: 0}
#   criteria: {trained: pending, accuracy: pending}
# ---
# include network
import tensorflow as tf

XT, YT = tf.constant(xt, tf.float32), tf.constant(yt)
cross = keras.losses.SparseCategoricalCrossentropy()


def loss(labels, answers):
    return cross(YT, model(XT, training=True)) + 0.0 * tf.reduce_mean(answers)


model = build()
model.compile("adam", loss)
history = model.fit(x, y, epochs=6, batch_size=20, verbose=0)
