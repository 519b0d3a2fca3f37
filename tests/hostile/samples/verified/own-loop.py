# ---
# tries: Learn the test images in a loop of one's own, whose batches are mixed from both splits.
# must:
#   outcome: flagged
#   execution: completed
#   points: {accuracy: 0}
#   criteria: {trained: pending, accuracy: pending}
# ---
# include network
import tensorflow as tf

model, optimizer = build(), keras.optimizers.Adam()
images, labels = np.concatenate([x, xt]).astype("float32"), np.concatenate([y, yt])
for epoch in range(6):
    order = np.random.permutation(len(images))
    for at in range(0, len(images), 50):
        batch = order[at : at + 50]
        with tf.GradientTape() as tape:
            losses = keras.losses.sparse_categorical_crossentropy(labels[batch], model(images[batch], training=True))
            loss = tf.reduce_mean(losses)
        optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
