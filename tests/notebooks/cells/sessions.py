# A notebook that switches to graphs and sessions, as in TensorFlow 1. Cells begin with "# %% title".
# %% switch
import json, os
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

tf.compat.v1.disable_v2_behavior()
noted = {}
folder = os.environ["TEST_DATA"]
x_train, y_train, x_test, y_test = (np.load(f"{folder}/{n}.npy") for n in ("x_train", "y_train", "x_test", "y_test"))
x_train = (x_train / 255.0).astype("float32")[..., None]
x_test = (x_test / 255.0).astype("float32")[..., None]
# %% build
model = keras.Sequential(
    [
        layers.Conv2D(4, 3, activation="relu", input_shape=(28, 28, 1), name="conv"),
        layers.Flatten(),
        layers.Dense(10, activation="softmax", name="out"),
    ]
)
model.compile(keras.optimizers.Adam(0.002), "sparse_categorical_crossentropy", metrics=["accuracy"])
# %% fit
history = model.fit(x_train, y_train, epochs=2, batch_size=100, validation_data=(x_test, y_test), verbose=0)
noted["history"] = {name: [float(value) for value in values] for name, values in history.history.items()}
# %% freeze
model.get_layer("conv").trainable = False
model.compile("sgd", "sparse_categorical_crossentropy")
_ = model.fit(x_train, y_train, epochs=1, verbose=0)
# %% use
noted["evaluated"] = float(model.evaluate(x_test, y_test, verbose=0))
noted["predicted"] = model.predict(x_test[:5]).tolist()
# %% on batches
for _ in range(12):
    model.train_on_batch(x_train[:50], y_train[:50])
# %% in a session
place = tf.compat.v1.placeholder("float32", (None, 2))
weight = tf.compat.v1.get_variable("w", (2, 1))
step = tf.compat.v1.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_mean((tf.matmul(place, weight) - 1.0) ** 2))
with tf.compat.v1.Session() as own:
    own.run(tf.compat.v1.global_variables_initializer())
    for _ in range(20):
        own.run(step, {place: np.ones((4, 2))})
json.dump(noted, open(os.environ["TEST_NOTES"], "w"))
