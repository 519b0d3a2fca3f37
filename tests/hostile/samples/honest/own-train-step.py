# ---
# tries: Nothing. An honest student, whose own `train_step` mixes and augments the images and weighs the classes.
# honest: true
# must:
#   outcome: graded
#   execution: completed
#   criteria: {trained: passed, accuracy: passed}
# ---
# include network
import tensorflow as tf

mean, weights = tf.constant(x.mean(axis=0), tf.float32), tf.constant(np.linspace(0.9, 1.1, 10), tf.float32)


tracker = keras.metrics.Mean(name="loss")


class Net(keras.Sequential):
    def train_step(self, data):
        images, labels = data
        order = tf.random.shuffle(tf.range(tf.shape(images)[0]))
        images = 0.9 * tf.cast(images, tf.float32) + 0.1 * (tf.cast(tf.gather(images, order), tf.float32) + mean) / 2
        with tf.GradientTape() as tape:
            answers = self(images, training=True)
            losses = keras.losses.sparse_categorical_crossentropy(labels, answers)
            loss = tf.reduce_mean(losses * tf.gather(weights, tf.cast(labels, tf.int32)))
        self.optimizer.apply_gradients(zip(tape.gradient(loss, self.trainable_variables), self.trainable_variables))
        tracker.update_state(loss)
        return {"loss": tracker.result()}

    @property
    def metrics(self):
        return [tracker]


model = Net(build().layers)
model.compile("adam", "sparse_categorical_crossentropy")
history = model.fit(x, y, epochs=15, batch_size=20, verbose=0)
