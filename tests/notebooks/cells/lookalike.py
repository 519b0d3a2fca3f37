# Each cell looks like the mistake that its title names and does not make it. Cells begin with "# %% title".
# %% setup
import numpy as np
import matplotlib.pyplot as plt
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

(x_all, y_all), (x_held, y_held) = keras.datasets.mnist.load_data()
x, y = x_all[:600, ..., None] / 255.0, y_all[:600]
x_later, y_later = x_all[50000:50200, ..., None] / 255.0, y_all[50000:50200]


def small(*last, first=()):
    return keras.Sequential([keras.Input((28, 28, 1)), *first, layers.Flatten(), layers.Dense(16, "relu"), *last])


def train(net, x, y, optimizer="adam", loss="sparse_categorical_crossentropy", epochs=1, **more):
    net.compile(optimizer, loss, metrics=["accuracy"])
    return net.fit(x, y, epochs=epochs, verbose=0, **more)
# %% zero-kernel-initialiser: biases begin at zero, and the output layer may
zeros = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        layers.Conv2D(8, 3, activation="relu", bias_initializer=keras.initializers.Zeros()),
        layers.Flatten(),
        layers.Dense(10, activation="softmax", kernel_initializer="zeros"),
    ]
)
# %% too-many-first-filters: 64 of them see 27 numbers each, and 512 come later
wide = keras.Sequential(
    [keras.Input((32, 32, 3)), layers.Conv2D(64, 3), layers.MaxPooling2D(4), layers.Conv2D(512, 3), layers.Flatten(), layers.Dense(10)]
)
# %% filters-shrink-with-depth: a 1 by 1 convolution is a bottleneck
shrinking = keras.Sequential(
    [keras.Input((28, 28, 1)), layers.Conv2D(32, 3), layers.Conv2D(64, 3), layers.Conv2D(8, 1), layers.Flatten(), layers.Dense(10)]
)
# %% large-kernels: 7 by 7 is usual in a first layer
large = keras.Sequential([keras.Input((28, 28, 1)), layers.Conv2D(8, 7), layers.Flatten(), layers.Dense(10)])
# %% kernel-larger-than-map: as large as the map
tight = keras.Sequential(
    [keras.Input((28, 28, 1)), layers.MaxPooling2D(7), layers.Conv2D(8, 4), layers.Flatten(), layers.Dense(10)]
)
# %% softmax-in-hidden-layer: attention weighs with softmax
inputs = keras.Input((28, 28, 1))
features = layers.Dense(8, "relu")(layers.Flatten()(inputs))
weighed = layers.Multiply()([features, layers.Dense(8, "softmax")(features)])
attention = keras.Model(inputs, layers.Dense(10, "softmax")(weighed))
# %% sigmoid-on-one-of-many: five or not, and several at once
five = small(layers.Dense(1, activation="sigmoid"))
train(five, x, (y == 5).astype("float32"), loss="binary_crossentropy")
# %% dropout-after-output: before the output
dropped = small(layers.Dropout(0.5), layers.Dense(10, activation="softmax"))
# %% softmax-with-from-logits: logits
twice = small(layers.Dense(10))
train(twice, x, y, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
# %% logits-with-probability-loss: softmax in a layer of its own
logits = small(layers.Dense(10), layers.Softmax())
train(logits, x, y)
# %% normalised-array-unused: the scaled copy is the one that is used
x_scaled = x_all[:600] / 255.0
train(small(layers.Dense(10, activation="softmax")), x_scaled, y)
# %% raw-pixels: the network scales them
unscaled = small(layers.Dense(10, activation="softmax"), first=[layers.Rescaling(1 / 255)])
train(unscaled, x_all[:500], y[:500])
# %% validation-on-test-set: the last training images
watched = small(layers.Dense(10, activation="softmax"))
train(watched, x, y, validation_data=(x_later, y_later))
watched.evaluate(x_held[:300, ..., None] / 255.0, y_held[:300], verbose=0)
# %% test-images-in-training-data: stacked of training images
everything = small(layers.Dense(10, activation="softmax"))
x_both = np.concatenate([x_all[:400], x_all[59900:]])[..., None] / 255.0
train(everything, x_both, np.concatenate([y_all[:400], y_all[59900:]]))
# %% trainable-without-compile: compiled again
tuned = small(layers.Dense(10, activation="softmax"))
train(tuned, x, y)
tuned.layers[1].trainable = False
train(tuned, x, y)
tuned.layers[1].trainable = True
train(tuned, x, y)
# %% shared-layers-changed: built on a clone
old = small(layers.Dense(10, activation="softmax"))
train(old, x, y)
clone = keras.models.clone_model(old)
clone.set_weights(old.get_weights())
new = keras.Sequential([keras.Input((28, 28, 1)), *clone.layers[:-1], layers.Dense(1, activation="sigmoid")])
train(new, x, (y == 5).astype("float32"), loss="binary_crossentropy")
old.evaluate(x_later, y_later, verbose=0)
# %% optimizer-reused: one for each network, and one network compiled again
one, other = small(layers.Dense(10, activation="softmax")), small(layers.Dense(10, activation="softmax"))
train(one, x, y, keras.optimizers.Nadam(1e-3))
train(other, x, y, keras.optimizers.Nadam(1e-3))
# %% mc-dropout-off: called with training=True
mc = small(layers.Dropout(0.5), layers.Dense(10, activation="softmax"))
train(mc, x, y)
mean = tf.reduce_mean(tf.stack([mc(x_later, training=True) for _ in range(10)]), axis=0)
# %% selu-without-lecun: ELU begins as it likes
x_std = ((x_all[:600] - x_all[:600].mean()) / x_all[:600].std()).astype("float32")
elu = keras.Sequential([keras.Input((28, 28)), layers.Flatten(), layers.Dense(50, "elu"), layers.Dense(10, "softmax")])
train(elu, x_std, y)
# %% selu-inputs-not-standardised: standardised
lecun = keras.Sequential(
    [keras.Input((28, 28)), layers.Flatten(), layers.Dense(50, "selu", kernel_initializer="lecun_normal"), layers.Dense(10, "softmax")]
)
train(lecun, x_std, y)
# %% selu-with-plain-dropout: alpha dropout
alpha = keras.Sequential(
    [
        keras.Input((28, 28)),
        layers.Flatten(),
        layers.Dense(50, "selu", kernel_initializer="lecun_normal"),
        layers.AlphaDropout(0.2),
        layers.Dense(10, "softmax"),
    ]
)
train(alpha, x_std, y)
# %% early-stopping-without-best-weights: they are brought back
stopper = keras.callbacks.EarlyStopping(monitor="val_loss", patience=2, restore_best_weights=True)
stopped = small(layers.Dense(10, activation="softmax"))
train(stopped, x[:100], y[:100], keras.optimizers.Adam(0.05), epochs=60, validation_data=(x_later, y_later), callbacks=[stopper])
# %% still-rising: long at its best
quick = small(layers.Dense(10, activation="softmax"))
train(quick, x[:60], y[:60], keras.optimizers.Adam(0.01), epochs=40)
# %% evaluation-on-other-scale: the model divides by 255 itself
other_scale = small(layers.Dense(10, activation="softmax"), first=[layers.Rescaling(1 / 255)])
train(other_scale, x_all[:600, ..., None], y)
other_scale.evaluate(x_all[50000:50200, ..., None], y_later, verbose=0)
# %% clone-unused: the copy keeps the weights from before the training
kept = small(layers.Dense(10, activation="softmax"))
train(kept, x, y)
spare = keras.models.clone_model(kept)
spare.set_weights(kept.get_weights())
onto = keras.Sequential([keras.Input((28, 28, 1)), *kept.layers[:-1], layers.Dense(1, activation="sigmoid")])
train(onto, x, (y == 5).astype("float32"), loss="binary_crossentropy")
spare.predict(x_later, verbose=0)
# %% validation-split-on-sorted-labels: shuffled again
order = np.random.default_rng(1).permutation(np.argsort(y))
by_class = small(layers.Dense(10, activation="softmax"))
train(by_class, x[order], y[order], validation_split=0.2)
# %% automatic-layer-name: a name that a dictionary of another kind lacks
try:
    {"dense": 1}["dense_999"]
except KeyError:
    print(by_class.layers[-1].name)
# %% databricks-only: a variable of the notebook
spark = np.arange(3)
print(spark)
# %% conflict-markers: in a text
print("""
<<<<<<< HEAD
=======
>>>>>>> main
""")
# %% softmax-with-from-logits: the loss that trains a generator receives the critic's logits
critic = keras.Sequential([keras.Input((784,)), layers.Dense(8, "relu"), layers.Dense(1)])
maker = keras.Sequential([keras.Input((16,)), layers.Dense(784, "sigmoid")])
cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
critic_optimizer, maker_optimizer = keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3)
for real in np.split(x.reshape(-1, 784).astype("float32")[:128], 4):
    with tf.GradientTape() as tape:
        both = tf.concat([maker(tf.random.normal((32, 16))), real], axis=0)
        critic_loss = cross_entropy(tf.concat([tf.zeros((32, 1)), tf.ones((32, 1))], axis=0), critic(both))
    critic_optimizer.apply(tape.gradient(critic_loss, critic.trainable_variables), critic.trainable_variables)
    with tf.GradientTape() as tape:
        maker_loss = cross_entropy(tf.ones((32, 1)), critic(maker(tf.random.normal((32, 16)))))
    maker_optimizer.apply(tape.gradient(maker_loss, maker.trainable_variables), maker.trainable_variables)
# %% figure-without-labels: a drawing without axes
fig, ax = plt.subplots()
ax.scatter([0, 1], [0, 1], s=500)
ax.plot([0, 1], [0, 1])
ax.axis("off")
plt.show()
# %% figure-without-labels: classes have names
plt.bar(["cat", "dog"], [0.2, 0.8])
plt.ylabel("probability")
plt.show()
# %% kernel-larger-than-map: not the student's layers
base = keras.applications.MobileNetV2(weights=None, alpha=0.35, input_shape=(32, 32, 3), include_top=False)
on_base = keras.Model(base.input, layers.Dense(10)(layers.GlobalAveragePooling2D()(base.output)))
# %% filters-shrink-with-depth: the encoder of an autoencoder
images = keras.Input((28, 28, 1))
codes = layers.Dense(8)(layers.Flatten()(layers.Conv2D(8, 3, strides=2)(layers.Conv2D(32, 3, strides=2)(images))))
encoder = keras.Model(images, codes)
decoded = layers.Reshape((28, 28, 1))(layers.Dense(784, "sigmoid")(codes))
autoencoder = keras.Model(images, decoded)
# %% name-from-elsewhere: a slip of the pen
try:
    print(kreas.__version__)
except NameError:
    print(keras.__version__)
# %% makes the name
made_below = 1
# %% unfinished-cell: filled in, with the comment left
### YOUR CODE HERE
y_one_hot = keras.utils.to_categorical(y, 10)
# %% cells-out-of-order
plt.close("all")
# %% figure-without-labels: pictures have none
plt.imshow(x_all[0], cmap="gray")
plt.show()
