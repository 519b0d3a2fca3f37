# Each cell makes the mistake that its title names, on a small network of its own. Cells begin with "# %% title".
# %% setup
import numpy as np
import matplotlib.pyplot as plt
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
# %% zero-kernel-initialiser
zeros = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        layers.Conv2D(8, 3, activation="relu", kernel_initializer=keras.initializers.Zeros()),
        layers.Flatten(),
        layers.Dense(10, activation="softmax"),
    ]
)
# %% too-many-first-filters
wide = keras.Sequential([keras.Input((100, 100, 3)), layers.Conv2D(512, 3), layers.Flatten(), layers.Dense(10)])
# %% filters-shrink-with-depth
shrinking = keras.Sequential(
    [keras.Input((28, 28, 1)), layers.Conv2D(64, 3), layers.Conv2D(32, 3), layers.Conv2D(8, 3), layers.Flatten(), layers.Dense(10)]
)
# %% large-kernels
large = keras.Sequential([keras.Input((28, 28, 1)), layers.Conv2D(8, 10), layers.Flatten(), layers.Dense(10)])
# %% kernel-larger-than-map
tight = keras.Sequential(
    [keras.Input((28, 28, 1)), layers.MaxPooling2D(7), layers.Conv2D(8, 7, padding="same"), layers.Flatten(), layers.Dense(10)]
)
# %% softmax-in-hidden-layer
hidden = keras.Sequential(
    [keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(64), layers.Activation("softmax"), layers.Dense(10, "softmax")]
)
# %% sigmoid-on-one-of-many
one_of_ten = small(layers.Dense(10, activation="sigmoid"))
train(one_of_ten, x, y)
# %% dropout-after-output
dropped = small(layers.Dense(10, activation="softmax"), layers.Dropout(0.5))
# %% softmax-with-from-logits
twice = small(layers.Dense(10, activation="softmax"))
train(twice, x, y, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
# %% logits-with-probability-loss
logits = small(layers.Dense(10))
train(logits, x, y)
# %% normalised-array-unused
x_scaled = x_all / 255.0
train(small(layers.Dense(10, activation="softmax")), x_all[:600], y)
# %% raw-pixels
unscaled = small(layers.Dense(10, activation="softmax"))
train(unscaled, x_all[:500], y[:500])
# %% validation-on-test-set
watched = small(layers.Dense(10, activation="softmax"))
train(watched, x, y, validation_data=(x_held[:300, ..., None] / 255.0, y_held[:300]))
# %% test-images-in-training-data
everything = small(layers.Dense(10, activation="softmax"))
x_both = np.concatenate([x_all[:400], x_held[:100]])[..., None] / 255.0
train(everything, x_both, np.concatenate([y_all[:400], y_held[:100]]))
# %% trainable-without-compile
tuned = small(layers.Dense(10, activation="softmax"))
train(tuned, x, y)
tuned.layers[1].trainable = False
tuned.fit(x, y, verbose=0)
# %% shared-layers-changed
old = small(layers.Dense(10, activation="softmax"))
train(old, x, y)
new = keras.Sequential([keras.Input((28, 28, 1)), *old.layers[:-1], layers.Dense(1, activation="sigmoid")])
train(new, x, (y == 5).astype("float32"), loss="binary_crossentropy")
old.evaluate(x_later, y_later, verbose=0)
# %% optimizer-reused
nadam = keras.optimizers.Nadam(1e-3)
one, other = small(layers.Dense(10, activation="softmax")), small(layers.Dense(10, activation="softmax"))
train(one, x, y, nadam)
other.compile(nadam, "sparse_categorical_crossentropy")
# %% mc-dropout-off
mc = small(layers.Dropout(0.5), layers.Dense(10, activation="softmax"))
train(mc, x, y)
mean = np.mean([mc.predict(x_later, verbose=0) for _ in range(10)], axis=0)
# %% selu-without-lecun
x_std = ((x_all[:600] - x_all[:600].mean()) / x_all[:600].std()).astype("float32")
glorot = keras.Sequential([keras.Input((28, 28)), layers.Flatten(), layers.Dense(50, "selu"), layers.Dense(10, "softmax")])
train(glorot, x_std, y)
# %% selu-inputs-not-standardised
lecun = keras.Sequential(
    [keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(50, "selu", kernel_initializer="lecun_normal"), layers.Dense(10, "softmax")]
)
train(lecun, x, y)
# %% selu-with-plain-dropout
plain_dropout = keras.Sequential(
    [
        keras.Input((28, 28)),
        layers.Flatten(),
        layers.Dense(50, "selu", kernel_initializer="lecun_normal"),
        layers.Dropout(0.2),
        layers.Dense(10, "softmax"),
    ]
)
train(plain_dropout, x_std, y)
# %% early-stopping-without-best-weights
stopper = keras.callbacks.EarlyStopping(monitor="val_loss", patience=2)
stopped = small(layers.Dense(10, activation="softmax"))
train(stopped, x[:100], y[:100], keras.optimizers.Adam(0.05), epochs=60, validation_data=(x_later, y_later), callbacks=[stopper])
# %% still-rising
slow = small(layers.Dense(10, activation="softmax"))
train(slow, x, y, keras.optimizers.SGD(0.01), epochs=8, batch_size=32)
# %% evaluation-on-other-scale
other_scale = small(layers.Dense(10, activation="softmax"))
train(other_scale, x, y)
other_scale.evaluate(x_all[50000:50200, ..., None], y_later, verbose=0)
# %% clone-unused
kept = small(layers.Dense(10, activation="softmax"))
train(kept, x, y)
spare = keras.models.clone_model(kept)
spare.set_weights(kept.get_weights())
onto = keras.Sequential([keras.Input((28, 28, 1)), *kept.layers[:-1], layers.Dense(1, activation="sigmoid")])
train(onto, x, (y == 5).astype("float32"), loss="binary_crossentropy")
# %% validation-split-on-sorted-labels
order = np.argsort(y)
by_class = small(layers.Dense(10, activation="softmax"))
train(by_class, x[order], y[order], validation_split=0.2)
# %% automatic-layer-name
{layer.name: layer for layer in by_class.layers}["dense_999"]
# %% databricks-only
spark.read.csv("digits.csv")
# %% conflict-markers
<<<<<<< HEAD
epochs = 5
=======
epochs = 10
>>>>>>> main
# %% name-from-elsewhere
print(made_below + 1)
# %% makes the name
made_below = 1
# %% unfinished-cell
y_one_hot = ### YOUR CODE HERE
# %% cells-out-of-order
plt.close("all")
# %% figure-without-labels
plt.plot([0.5, 0.7, 0.8])
plt.show()
