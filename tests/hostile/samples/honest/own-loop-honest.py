# ---
# tries: Nothing. An honest student, whose own loop tests the model after each epoch and looks at its gradients.
# honest: true
# must:
#   outcome: graded
#   execution: completed
#   criteria: {trained: passed, accuracy: passed}
# ---
# include network
import tensorflow as tf

model, optimizer = build(), keras.optimizers.Adam()
data = tf.data.Dataset.from_tensor_slices((x.astype("float32"), y)).shuffle(400).batch(20).prefetch(1)
test = tf.data.Dataset.from_tensor_slices((xt.astype("float32"), yt)).batch(50)
accuracy = keras.metrics.SparseCategoricalAccuracy()


@tf.function
def step(images, labels, learn):
    if not learn:
        accuracy.update_state(labels, model(images, training=False))
        return
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, model(images, training=True)))
    optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))


for epoch in range(15):
    for images, labels in data:
        step(images, labels, True)
    for images, labels in test:
        step(images, labels, False)
    print(float(accuracy.result()))
images = tf.constant(xt[:4], tf.float32)
with tf.GradientTape() as tape:
    tape.watch(images)
    best = tf.reduce_max(model(images), axis=1)
print(tape.gradient(best, images).shape)
