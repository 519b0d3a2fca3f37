# ---
# tries: Learn the test images in the graph of a function, while the loop around it iterates the training images.
# must:
#   outcome: flagged
#   execution: completed
#   points: {accuracy: 0}
#   criteria: {trained: pending, accuracy: pending}
# ---
# include network
import tensorflow as tf

model, optimizer = build(), keras.optimizers.Adam()
XT, YT = tf.constant(xt, tf.float32), tf.constant(yt)
data = tf.data.Dataset.from_tensor_slices((x.astype("float32"), y)).shuffle(400).batch(20)


@tf.function
def step(images, labels):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(YT, model(XT, training=True)))
    optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))


for epoch in range(6):
    for images, labels in data:
        step(images, labels)
