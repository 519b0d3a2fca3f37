# Monte Carlo passes in many forms, run once with the recorder. Cells begin with "# %% title: expected average".
# %% data
import os
import functools
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

keras.utils.set_random_seed(7)
folder = os.environ["TEST_DATA"]
x_test, y_test = (np.load(f"{folder}/{name}.npy")[:150] for name in ("x_test", "y_test"))
x = (x_test / 255.0).astype("float32")[..., None]
model = keras.Sequential(
    [keras.Input((28, 28, 1)), layers.Flatten(), layers.Dropout(0.5), layers.Dense(10, activation="softmax")]
)
logits = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dropout(0.5), layers.Dense(10)])
binary = keras.Sequential(
    [keras.Input((28, 28, 1)), layers.Flatten(), layers.Dropout(0.5), layers.Dense(1, activation="sigmoid")]
)


class MCDropout(layers.Dropout):
    def call(self, inputs, training=None):
        return super().call(inputs, training=True)


always = keras.Sequential(
    [keras.Input((28, 28, 1)), layers.Flatten(), MCDropout(0.5), layers.Dense(10, activation="softmax")]
)
# %% list: mean
passes = [model(x, training=True) for _ in range(12)]
average = np.mean(passes, axis=0)
# %% loop: mean
passes = np.zeros((12, 150, 10))
for i in range(12):
    passes[i] = model(x, training=True).numpy()
print(passes.mean(axis=0).argmax(axis=1)[:5])
# %% stack: mean
y_probas = np.stack([model(x, training=True) for _ in range(12)])
y_proba = y_probas.mean(0)
# %% added up and divided: mean
total = 0
for _ in range(12):
    total += model(x, training=True).numpy()
total /= 12
# %% added up and divided in a print: mean
total = np.zeros((150, 10))
for _ in range(12):
    total = total + model(x, training=True)
print("accuracy", np.mean(np.argmax(total / 12, axis=1) == y_test))
# %% sum divided by a number: mean
accuracy = ((sum([model(x, training=True).numpy() for _ in range(12)]) / 12).argmax(1) == y_test).mean()
# %% generator: mean
def passes_of(net, images, number):
    for _ in range(number):
        yield net(images, training=True)


answer = np.argmax(np.mean(list(passes_of(model, x, 12)), axis=0), axis=1)
# %% generator and sum: mean
average = sum(model(x, training=True) for _ in range(12)) / 12
# %% reduce_mean: mean
answer = tf.argmax(tf.reduce_mean(tf.stack([model(x, training=True) for _ in range(12)]), axis=0), axis=1)
# %% keras.ops or backend: mean
stacked = tf.stack([model(x, training=True) for _ in range(12)])
answer = (keras.ops.mean if hasattr(keras, "ops") else keras.backend.mean)(stacked, axis=0)[:3]
# %% assign_add: mean
held = tf.Variable(tf.zeros((150, 10)))
for _ in range(12):
    held.assign_add(model(x, training=True) / 12)
# %% running mean: mean
running = 0.0
for k in range(1, 13):
    running = running + (model(x, training=True) - running) / k
# %% reduce: mean
average = functools.reduce(np.add, (model(x, training=True).numpy() for _ in range(12))) / 12
# %% function with locals: mean
def mc_accuracy(net, images, labels, number=12):
    outputs = np.stack([net(images, training=True).numpy() for _ in range(number)])
    mean = outputs.mean(axis=0)
    return float((mean.argmax(axis=1) == labels).mean())


print(mc_accuracy(model, x, y_test))
# %% class with predict: mean
class MonteCarlo:
    def __init__(self, net, number):
        self.net, self.number = net, number

    def predict_proba(self, images):
        return np.mean([self.net(images, training=True) for _ in range(self.number)], axis=0)

    def predict(self, images):
        return self.predict_proba(images).argmax(axis=1)


print(np.mean(MonteCarlo(model, 12).predict(x) == y_test))
# %% predict: mean
answer = np.mean([always.predict(x, verbose=0) for _ in range(12)], axis=0)
# %% batches: mean
parts = []
for start in range(0, 150, 50):
    parts.append(np.mean([model(x[start : start + 50], training=True) for _ in range(12)], axis=0))
answer = np.concatenate(parts)
# %% passes over batches: mean
rounds = []
for _ in range(12):
    rounds.append(np.concatenate([model(x[start : start + 50], training=True) for start in range(0, 150, 50)]))
answer = np.mean(rounds, axis=0)
# %% copies of all images: mean
many = model(np.tile(x, (12, 1, 1, 1)), training=True).numpy()
answer = many.reshape(12, 150, 10).mean(axis=0)
# %% copies of each image: mean
many = model(np.repeat(x, 12, axis=0), training=True).numpy()
answer = many.reshape(150, 12, 10).mean(axis=1)
# %% one image: mean
answer = np.mean([model(x[:1], training=True)[0] for _ in range(12)], axis=0)
# %% probabilities of logits: mean
answer = np.mean([tf.nn.softmax(logits(x, training=True)) for _ in range(12)], axis=0)
# %% one unit: mean
answer = np.mean([binary(x, training=True) for _ in range(12)], axis=0) > 0.5
# %% one unit without its axis: mean
answer = np.stack([binary(x, training=True)[:, 0] for _ in range(12)]).mean(axis=0) > 0.5
# %% some images: mean
y_probas = np.stack([model(x, training=True) for _ in range(12)])
print(np.round(y_probas[:, :3].mean(axis=0), 2))
# %% without the first: mean
passes = [model(x, training=True) for _ in range(12)]
answer = np.mean(passes[1:], axis=0)
# %% median: median
answer = np.median([model(x, training=True) for _ in range(12)], axis=0)
# %% displayed: mean
passes = [model(x, training=True) for _ in range(12)]
np.mean(passes, axis=0)
# %% passes for the next cell: mean
passes = [model(x, training=True) for _ in range(12)]
# %% average in the next cell
average = np.average(np.array(passes), axis=0)
# %% thrown away: discarded
passes = [model(x, training=True) for _ in range(12)]
np.mean(passes, axis=0)
answer = passes[-1]
# %% thrown away by a function: discarded
def predict_often(net, images):
    return np.mean([net(images, training=True) for _ in range(12)], axis=0)


predict_often(model, x)
_ = predict_often(model, x)
answer = model.predict(x, verbose=0)
# %% mean of accuracies: accuracies
scores = []
for _ in range(12):
    scores.append(np.mean(np.argmax(model(x, training=True), axis=1) == y_test))
print("accuracy:", np.mean(scores))
# %% mean of accuracies in a metric: accuracies
metric = keras.metrics.SparseCategoricalAccuracy()
for _ in range(12):
    metric.update_state(y_test, model(x, training=True))
print("accuracy:", float(metric.result()))
# %% mean over images: wrong_axis
passes = np.stack([model(x, training=True) for _ in range(12)])
average = passes.mean(axis=1)
# %% mean over classes: wrong_axis
average = np.mean([model(x, training=True) for _ in range(12)], axis=2)
# %% mean over everything: wrong_axis
average = np.mean([model(x, training=True) for _ in range(12)])
# %% only added up: sum
total = 0
for _ in range(12):
    total += model(x, training=True).numpy()
# %% nothing: None
passes = [model(x, training=True) for _ in range(12)]
spread = np.std(passes, axis=0)
answer = model.predict(x, verbose=0)
# %% dropout off: mean
average = np.mean([model(x) for _ in range(12)], axis=0)
# %% dropout off and only timed: None
import time

start = time.time()
for _ in range(12):
    model(x)
print((time.time() - start) / 12)
# %% training: absent
optimizer = keras.optimizers.Adam()
net = keras.models.clone_model(model)
for _ in range(3):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y_test, net(x, training=True)))
    optimizer.apply_gradients(zip(tape.gradient(loss, net.trainable_variables), net.trainable_variables))
