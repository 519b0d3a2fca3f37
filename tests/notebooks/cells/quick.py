# Trainings, predictions and loops of a quick run. Cells begin with "# %% title"; `note` writes values for the test.
# %% build
import json
import os
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow import keras

noted = {}


def note(**values):
    noted.update(values)
    Path(os.environ["TEST_NOTES"]).write_text(json.dumps(noted))


(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train, x_test = x_train[..., None] / 255.0, x_test[..., None] / 255.0


def build():
    model = keras.Sequential(
        [
            keras.layers.Input((28, 28, 1)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


model = build()
# %% fit
seen = []
callback = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: seen.append(epoch))
history = model.fit(x_train, y_train, epochs=6, batch_size=64, validation_split=0.1, callbacks=[callback], verbose=0)
note(epochs=seen, curve=len(history.history["val_accuracy"]), params=history.params["steps"])
# %% many epochs
history = model.fit(x_train, y_train, epochs=300, validation_data=(x_test, y_test), verbose=0)
note(many=[len(history.history["loss"]), len(history.history["val_loss"]), history.epoch[-1]])
# %% own stop
stop = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: setattr(model, "stop_training", epoch == 1))
history = model.fit(x_train, y_train, epochs=9, callbacks=[stop], verbose=0)
note(stopped=len(history.history["loss"]))
# %% fewer batches than the limit
history = model.fit(x_train[:64], y_train[:64], epochs=2, batch_size=64, verbose=0)
# %% pipeline
batches = tf.data.Dataset.from_tensor_slices((x_train, y_train)).batch(50)
history = model.fit(batches, epochs=3, validation_data=batches, verbose=0)
note(pipeline=len(history.history["val_loss"]))
# %% sequence


class Pairs(keras.utils.Sequence):
    def __init__(self, **keys):
        super().__init__(**keys)
        self.ends = 0

    def __len__(self):
        return 9

    def __getitem__(self, place):
        return x_train[place * 8 : place * 8 + 8], y_train[place * 8 : place * 8 + 8]

    def on_epoch_end(self):
        self.ends += 1


pairs = Pairs()
history = model.fit(pairs, epochs=3, validation_data=Pairs(), verbose=0)
note(sequence=len(history.history["val_loss"]), finished=pairs.ends)
# %% evaluate
note(results=len(model.evaluate(x_test, y_test, verbose=0)))
# %% predict
predicted = model.predict(x_test, verbose=0)
called = model(x_test, training=True)
again = model(x_test, training=True)
note(predicted=list(predicted.shape), called=list(called.shape), right=float(np.mean(predicted.argmax(1) == y_test)))
note(differ=bool(np.any(called.numpy() != again.numpy())))
# %% loop
other = build()
optimizer, loss = keras.optimizers.Adam(), keras.losses.SparseCategoricalCrossentropy()
steps = 0
while True:
    with tf.GradientTape() as tape:
        value = loss(y_train[:32], other(x_train[:32], training=True))
    gradients = tape.gradient(value, other.trainable_variables)
    optimizer.apply_gradients(zip(gradients, other.trainable_variables))
    steps += 1
# %% end
note(steps=steps)
