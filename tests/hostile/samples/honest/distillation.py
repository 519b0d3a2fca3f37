# ---
# tries: Nothing. An honest student, whose small model learns the answers of a larger one.
# honest: true
# must:
#   outcome: graded
#   execution: completed
#   criteria: {trained: passed, accuracy: passed}
# ---
# include network
import tensorflow as tf

teacher = build(keras.layers.Dense(64, activation="relu"))
train(teacher, epochs=8)


tracker = keras.metrics.Mean(name="loss")


class Student(keras.Sequential):
    def train_step(self, data):
        images, labels = data
        wanted = teacher(images, training=False)
        with tf.GradientTape() as tape:
            answers = self(images, training=True)
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, answers))
            loss += keras.losses.KLDivergence()(wanted, answers)
        self.optimizer.apply_gradients(zip(tape.gradient(loss, self.trainable_variables), self.trainable_variables))
        tracker.update_state(loss)
        return {"loss": tracker.result()}

    @property
    def metrics(self):
        return [tracker]


model = Student(build().layers)
model.compile("adam", "sparse_categorical_crossentropy")
history = model.fit(x, y, epochs=12, batch_size=20, verbose=0)
