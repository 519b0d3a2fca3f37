# Training loops that would run for ever. The session's limits stop them. Cells begin with "# %% title".
# %% data
import json, os, time
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

noted = {}
folder = os.environ["TEST_DATA"]
x, y = np.load(f"{folder}/x_train.npy"), np.load(f"{folder}/y_train.npy").astype("int64")
x = (x / 255.0).astype("float32").reshape(-1, 784)
loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
ds = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(500).batch(50)
val = tf.data.Dataset.from_tensor_slices((x[:200], y[:200])).batch(20)


def build():
    made = keras.Sequential([keras.Input((784,)), layers.Dense(10)])
    made.optimizer_of_mine = keras.optimizers.SGD(0.01)
    return made


def eager_step(net, optimizer, a, b):
    with tf.GradientTape() as tape:
        value = loss_of(b, net(a, training=True))
    grads = tape.gradient(value, net.trainable_variables)
    optimizer.apply_gradients(zip(grads, net.trainable_variables))
    return float(value)


# %% while true
forever = build()
steps = 0
while True:
    eager_step(forever, forever.optimizer_of_mine, x[:50], y[:50])
    steps += 1
noted["while true"] = steps
# %% epochs over batches
graphed = build()
sgd = keras.optimizers.SGD(0.01)


@tf.function
def graph_step(a, b):
    with tf.GradientTape() as tape:
        value = loss_of(b, graphed(a, training=True))
    grads = tape.gradient(value, graphed.trainable_variables)
    sgd.apply_gradients(zip(grads, graphed.trainable_variables))
    return value


EPOCHS, losses, val_batches = 10**6, [], []
for epoch in range(EPOCHS):
    total = 0.0
    for a, b in ds:
        total += float(graph_step(a, b))
        time.sleep(0.005)
    losses.append(total)
    seen = 0
    for a, b in val:
        graphed(a, training=False)
        seen += 1
    val_batches.append(seen)
noted["epochs over batches"] = [len(losses), epoch + 1, len(val_batches), sorted(set(val_batches))]
# %% the graph again
for again in range(10**6):
    for a, b in ds:
        graph_step(a, b)
# %% in a function
inner = build()


def train(net, epochs):
    done = 0
    for number in range(epochs):
        for a, b in ds:
            value = eager_step(net, net.optimizer_of_mine, a, b)
            if value > 0:
                continue
            done = -1
        done += 1
    else:
        done = None
    return done, number


noted["in a function"] = train(inner, 10**6)
# %% adversarial
generator = keras.Sequential([keras.Input((8,)), layers.Dense(784)])
discriminator = keras.Sequential([keras.Input((784,)), layers.Dense(1)])
d_opt, g_opt = keras.optimizers.SGD(0.001), keras.optimizers.SGD(0.001)
turns = 0
while turns < 10**9:
    noise = tf.random.normal((16, 8))
    with tf.GradientTape() as tape:
        d_loss = tf.reduce_mean(discriminator(generator(noise))) - tf.reduce_mean(discriminator(x[:16]))
    d_opt.apply_gradients(zip(tape.gradient(d_loss, discriminator.trainable_variables), discriminator.trainable_variables))
    with tf.GradientTape() as tape:
        g_loss = -tf.reduce_mean(discriminator(generator(noise)))
    g_opt.apply_gradients(zip(tape.gradient(g_loss, generator.trainable_variables), generator.trainable_variables))
    turns += 1
noted["adversarial"] = turns
# %% on batches
batched = build()
batched.compile("sgd", loss_of)
for _ in range(10**9):
    batched.train_on_batch(x[:50], y[:50])
# %% by hand
handmade = build()
for _ in range(10**9):
    with tf.GradientTape() as tape:
        value = loss_of(y[:50], handmade(x[:50]))
    for weight, slope in zip(handmade.trainable_variables, tape.gradient(value, handmade.trainable_variables)):
        weight.assign_sub(0.01 * slope)
# %% one model after another
rates, results = [0.1, 0.01], []
for rate in rates:
    candidate = build()
    count = 0
    while True:
        eager_step(candidate, candidate.optimizer_of_mine, x[:50], y[:50])
        count += 1
    results.append(count)
noted["one model after another"] = len(results)
# %% no training
counts = []
for number in range(2000):
    counts.append(graphed(x[:1]).shape[0])
noted["no training"] = sum(counts)
# %% a limit for the other
short = build()
for _ in range(5):
    eager_step(short, short.optimizer_of_mine, x[:50], y[:50])
# %% a long training
from inside.watch import loop_stops

loop_stops._FIRST_NOTE = loop_stops._NOTE_EVERY = 0.2
long = build()
while True:
    for a, b in ds:
        eager_step(long, long.optimizer_of_mine, a, b)
# %% a long one by hand
loop_stops._FIRST_NOTE = loop_stops._NOTE_EVERY = 0.2
long_by_hand = build()
while True:
    with tf.GradientTape() as tape:
        value = loss_of(y[:50], long_by_hand(x[:50]))
    for weight, slope in zip(long_by_hand.trainable_variables, tape.gradient(value, long_by_hand.trainable_variables)):
        weight.assign_sub(0.01 * slope)
# %% near the deadline
import gc
from inside.record.recorder import Recorder

recorder = next(found for found in gc.get_objects() if isinstance(found, Recorder))
recorder.deadline = time.time() + recorder.session.reserve
late = build()
for _ in range(10**9):
    eager_step(late, late.optimizer_of_mine, x[:50], y[:50])
noted["near the deadline"] = True
# %% a lost interruption
recorder.deadline = time.time()


def endless():
    try:
        return [eager_step(late, late.optimizer_of_mine, x[:50], y[:50]) for _ in range(10**9)]
    except KeyboardInterrupt:
        return "lost"


noted["a lost interruption"] = [endless() for _ in range(2)]
# %% in a comprehension
recorder.deadline = time.time()
everything = [eager_step(late, late.optimizer_of_mine, x[:50], y[:50]) for _ in range(10**9)]
# %% the last cell
noted["the last cell"] = True
json.dump(noted, open(os.environ["TEST_NOTES"], "w"))
