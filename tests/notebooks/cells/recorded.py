# A notebook such as students write, run once in each dialect. Cells begin with "# %% title".
# %% data
import json, os
import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

noted = {}
folder = os.environ["TEST_DATA"]
x_train, y_train, x_test, y_test = (np.load(f"{folder}/{n}.npy") for n in ("x_train", "y_train", "x_test", "y_test"))
x_raw = x_train
x_train = (x_train / 255.0).astype("float32")[..., None]
x_test = (x_test / 255.0).astype("float32")[..., None]
never_used = x_raw / 127.0
# %% build
model = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        layers.Conv2D(4, 3, activation="relu", name="conv"),
        layers.MaxPooling2D(4),
        layers.Flatten(),
        layers.Dropout(0.3),
        layers.Dense(10, activation="softmax", name="out"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
other = keras.Sequential([layers.Flatten(), layers.Dense(10)])
never_compiled = keras.Sequential([keras.Input((5,)), layers.Dense(3)])
# %% timed fit
#!%%time
h = model.fit(
    x_train,
    y_train,
    epochs=2,
    batch_size=64,
    validation_split=0.1,
    verbose=0,
    callbacks=[keras.callbacks.EarlyStopping(patience=5, restore_best_weights=True)],
)
noted["history"] = {k: [float(v) for v in vs] for k, vs in h.history.items()}
noted["params"] = h.params
noted["same"] = model.history is h
# %% freeze
noted["evaluate"] = [float(v) for v in model.evaluate(x_test, y_test, verbose=0)]
p = model.predict(x_test, verbose=0)
model.get_layer("conv").trainable = False
model.compile(keras.optimizers.SGD(0.01), loss=keras.losses.SparseCategoricalCrossentropy(), metrics=["accuracy"])
model.fit(x_train, y_train, epochs=1, verbose=0, validation_data=(x_test, y_test))
# %% monte carlo
few = x_test[:50]
mc = np.stack([model(few, training=True) for _ in range(4)])
plain = [model(few) for _ in range(3)]
# %% eager loop
opt = keras.optimizers.Adam()
loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
ds = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(1000).batch(32)
for i, (xb, yb) in enumerate(ds):
    if i == 7:
        break
    with tf.GradientTape() as tape:
        loss = loss_fn(yb, other(xb, training=True))
    grads = tape.gradient(loss, other.trainable_variables)
    opt.apply_gradients(zip(grads, other.trainable_variables))


# %% loop by hand
by_hand = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])
for start in range(0, 60, 20):
    with tf.GradientTape() as tape:
        loss = loss_fn(y_train[start : start + 20], by_hand(x_train[start : start + 20], training=True))
    for weight, gradient in zip(by_hand.trainable_variables, tape.gradient(loss, by_hand.trainable_variables)):
        weight.assign_sub(0.1 * gradient)
# %% gradient looked at
with tf.GradientTape() as tape:
    loss = loss_fn(y_train[:20], by_hand(x_train[:20]))
steep = tape.gradient(loss, by_hand.trainable_variables)
# %% graph by hand
@tf.function
def hand_step(xb, yb):
    with tf.GradientTape() as tape:
        loss = loss_fn(yb, by_hand(xb, training=True))
    for weight, gradient in zip(by_hand.trainable_variables, tape.gradient(loss, by_hand.trainable_variables)):
        weight.assign_sub(0.1 * gradient)


for xb, yb in ds.take(3):
    hand_step(xb, yb)
# %% graph by hand again
for xb, yb in ds.take(2):
    hand_step(xb, yb)
# %% graph loop
@tf.function
def step(xb, yb):
    with tf.GradientTape() as tape:
        loss = loss_fn(yb, other(xb, training=True))
    grads = tape.gradient(loss, other.trainable_variables)
    opt.apply_gradients(zip(grads, other.trainable_variables))
    return loss


for xb, yb in ds.take(5):
    step(xb, yb)
# %% graph loop again
for xb, yb in ds.take(6):
    step(xb, yb)
# %% graph trial
@tf.function
def tried(xb):
    return other(xb, training=False)


_ = [tried(xb) for xb, _ in ds.take(2)]
# %% graph passes
@tf.function
def dropped(xb):
    return other(xb, training=True)


_ = [dropped(xb) for xb, _ in ds.take(2)]
# %% loop in a function


def train_loop(network, optimizer):
    @tf.function
    def own_step(xb, yb):
        with tf.GradientTape() as tape:
            loss = loss_fn(yb, network(xb, training=True))
        optimizer.apply_gradients(zip(tape.gradient(loss, network.trainable_variables), network.trainable_variables))

    for _, (xb, yb) in zip(range(9), ds):
        own_step(xb, yb)


train_loop(other, keras.optimizers.SGD(0.01))
# %% mapped
other.compile("adam", loss="mse")
_ = other.fit(ds.map(lambda a, b: (a, tf.one_hot(b, 10))), epochs=1, verbose=0)
# %% copies
model.save("saved.keras")
loaded = keras.models.load_model("saved.keras")
copy = keras.models.clone_model(model)
copy.set_weights(model.get_weights())


# %% functions
def train_one():
    inner = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10, name="d")])
    inner.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    inner.fit(x_train[:500], y_train[:500], verbose=0)


train_one()
train_one()
# %% reused name
net = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10)])
net.compile("sgd", "mse")
net.fit(x_train[:64], np.eye(10)[y_train[:64]], verbose=0)
net = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(11), layers.Dense(10)])
net.compile("sgd", "mse")
_ = net.fit(x_train[:64], np.eye(10)[y_train[:64]], verbose=0)
# %% wrong call
model.fit(x_train, y_train[:5], verbose=0)
# %% transfer
base = keras.Sequential(
    [keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(8, activation="relu", name="hidden")], name="base"
)
top = keras.Sequential([base, layers.Dense(10, activation="softmax", name="top_out")])
base.trainable = False
top.compile("sgd", "sparse_categorical_crossentropy")
_ = top.fit(x_train[:320], y_train[:320], verbose=0)
# %% functional
inp = keras.Input((28, 28, 1), name="pixels")
a = layers.Conv2D(2, 3, padding="same", name="left")(inp)
b = layers.Conv2D(2, 5, padding="same", name="right")(inp)
out = layers.Dense(10, name="logits")(layers.Flatten(name="flat")(layers.Concatenate(name="both")([a, b])))
branched = keras.Model(inp, out)


# %% operations
pixels = keras.Input((28, 28, 1))
plain = layers.Dense(10, name="plain")(layers.Flatten(name="flattened")(1.0 - pixels / 255.0))
worked = keras.Model(pixels, keras.activations.softmax(plain))
worked.compile("sgd", "sparse_categorical_crossentropy")
_ = worked.fit(x_train[:320], y_train[:320], verbose=0)


# %% own classes
class MCDropout(layers.Dropout):
    def call(self, inputs, training=None):
        return super().call(inputs, training=True)


class Scaled(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = layers.Dense(10)

    def call(self, inputs):
        return self.inner(inputs) * 0.5


special = keras.Sequential(
    [keras.Input((28, 28, 1)), layers.Flatten(), MCDropout(0.5, name="mc"), Scaled(name="scaled"), layers.Softmax()]
)
special.compile("adam", "sparse_categorical_crossentropy")
_ = special.fit(x_train[:320], y_train[:320], verbose=0)
# %% repeated predictions
mc_probas = np.mean([special.predict(few, verbose=0) for _ in range(3)], axis=0)
same = [model.predict(np.array(few), verbose=0) for _ in range(3)]
# %% sliced loop
for i in range(0, 320, 32):
    xb, yb = x_train[i : i + 32], y_train[i : i + 32]
    with tf.GradientTape() as tape:
        loss = loss_fn(yb, other(xb, training=True))
    opt.apply_gradients(zip(tape.gradient(loss, other.trainable_variables), other.trainable_variables))
# %% one batch again and again
for _ in range(4):
    with tf.GradientTape() as tape:
        loss = loss_fn(y_train[:64], other(x_train[:64], training=True))
    opt.apply_gradients(zip(tape.gradient(loss, other.trainable_variables), other.trainable_variables))
# %% one cycle
class Rising(keras.callbacks.Callback):
    step = 0

    def on_batch_begin(self, batch, logs=None):
        self.step += 1
        keras.backend.set_value(self.model.optimizer.lr, 0.01 * min(self.step, 11 - self.step)) if hasattr(
            self.model.optimizer, "lr"
        ) else self.model.optimizer.learning_rate.assign(0.01 * min(self.step, 11 - self.step))


shared_optimizer = keras.optimizers.SGD(0.5)
branched.compile(shared_optimizer, loss_fn)
_ = branched.fit(x_train[:320], y_train[:320], verbose=0, callbacks=[Rising()])
other.compile(shared_optimizer, loss_fn)


# %% subclass
class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.flat = layers.Flatten()
        self.last = layers.Dense(10, name="last")

    def call(self, inputs, training=False):
        return self.last(self.flat(inputs))


sub = Net()
sub.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
_ = sub.fit(x_train[:320], y_train[:320], verbose=0)
# %% lambda
lam = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        layers.Lambda(lambda t: t * 2.0, output_shape=(28, 28, 1)),
        layers.Flatten(),
        layers.Dense(10),
    ]
)
lam.compile("adam", "mse")
_ = lam.fit(x_train[:64], np.eye(10)[y_train[:64]], verbose=0)


# %% python only
class Stubborn(keras.Model):
    def __init__(self):
        super().__init__()
        self.flat = layers.Flatten()
        self.last = layers.Dense(10)

    def call(self, inputs, training=False):
        if not tf.executing_eagerly():
            raise RuntimeError("only in Python")
        return self.last(self.flat(inputs))


stubborn = Stubborn()
stubborn(x_train[:2])
stubborn.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), run_eagerly=True)
_ = stubborn.fit(x_train[:320], y_train[:320], verbose=0)
noted["stubborn"] = np.asarray(stubborn(x_test)).tolist()


# %% rates
class Cycle(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_begin(self, batch, logs=None):
        rate = 0.001 * (1 + len(self.seen))
        self.model.optimizer.learning_rate.assign(rate)
        self.seen.append(rate)


cycle = Cycle()
net.compile(keras.optimizers.SGD(0.5), "mse")
_ = net.fit(x_train[:320], np.eye(10)[y_train[:320]], epochs=2, verbose=0, callbacks=[cycle])
noted["cycle"] = cycle.seen
# %% schedule
net.compile(keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)), "mse")
_ = net.fit(x_train[:320], np.eye(10)[y_train[:320]], epochs=2, verbose=0)
# %% several steps in one call
net.compile(keras.optimizers.SGD(0.1), "mse", steps_per_execution=4)
_ = net.fit(x_train[:320], np.eye(10)[y_train[:320]], epochs=2, verbose=0)
# %% plateau
net.compile(keras.optimizers.SGD(0.5), "mse")
_ = net.fit(
    x_train[:64],
    np.eye(10)[y_train[:64]],
    epochs=3,
    verbose=0,
    callbacks=[keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))],
)
# %% real batches
onehot = np.eye(10)[y_train[:320]]


class Pieces(keras.utils.Sequence):
    def __len__(self):
        return 4

    def __getitem__(self, place):
        return x_train[40 * place : 40 * place + 40], onehot[40 * place : 40 * place + 40]


def pieces():
    while True:
        yield x_train[:48], onehot[:48]


ignored = {"batch_size": 16} if hasattr(keras, "ops") else {}
_ = net.fit(tf.data.Dataset.from_tensor_slices((x_train[:320], onehot)).batch(80), verbose=0, **ignored)
_ = net.fit(pieces(), steps_per_epoch=3, verbose=0)
_ = net.fit(Pieces(), verbose=0)
_ = net.fit(tf.data.Dataset.from_tensor_slices((x_train[:320], onehot)).batch(80).unbatch().batch(20), verbose=0)
# %% parts of a pipeline
whole = tf.data.Dataset.from_tensor_slices((x_train[:320], onehot)).map(lambda a, b: (a, b))
_ = net.fit(whole.skip(80).shuffle(64).batch(40), validation_data=whole.take(80).batch(40), verbose=0)
_ = net.fit(whole.batch(40).skip(6), validation_data=whole.shard(4, 1).batch(40), verbose=0)
_ = net.fit(whole.shuffle(320).skip(80).batch(40), verbose=0)
# %% mixed precision
scaled = keras.mixed_precision.LossScaleOptimizer(keras.optimizers.Adam(0.002, clipnorm=1.0))
net.compile(scaled, "mse")
_ = net.fit(x_train[:320], onehot, verbose=0)
scaled = keras.mixed_precision.LossScaleOptimizer(keras.optimizers.Nadam(0.003))
for _ in range(2):
    with tf.GradientTape() as tape:
        value = tf.reduce_mean((net(x_train[:32], training=True) - onehot[:32]) ** 2)
    scaled.apply_gradients(zip(tape.gradient(value, net.trainable_variables), net.trainable_variables))
# %% three hundred epochs
# The test shortens the budget here, so that no other training of this notebook can run into it.
import gc
from inside.record.session import Session
session = next(found for found in gc.get_objects() if isinstance(found, Session))
object.__setattr__(session, "fit_time", 1.0)
stop = keras.callbacks.EarlyStopping(monitor="loss", patience=10**6)


# On a busy machine, one epoch may take longer than any short budget. So the recorder gets a clock of which each epoch
# takes 0.3 s.
class Clock(keras.callbacks.Callback):
    now = 0.0

    def monotonic(self):
        return self.now

    def time(self):
        return real_time.time()

    def on_epoch_end(self, epoch, logs=None):
        self.now += 0.3


from inside.watch import fits
real_time, clock = fits.time, Clock()
fits.time = clock
h = net.fit(x_train, np.eye(10)[y_train], epochs=100000, verbose=0, callbacks=[stop, clock])
fits.time = real_time
noted["long"] = {"epochs": len(h.epoch), "stopped_epoch": stop.stopped_epoch, "history": len(h.history["loss"])}
# %% one endless epoch
h = net.fit(
    tf.data.Dataset.from_tensor_slices((x_train, np.eye(10)[y_train])).repeat().batch(32),
    epochs=3,
    steps_per_epoch=10**7,
    verbose=0,
)
noted["endless"] = len(h.epoch)


object.__setattr__(session, "fit_time", 600.0)
# %% early
class Stop(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            self.model.stop_training = True


_ = net.fit(x_train[:64], np.eye(10)[y_train[:64]], epochs=9, verbose=0, callbacks=[Stop()])


# %% interrupt
class Interrupt(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise KeyboardInterrupt


net.fit(x_train[:64], np.eye(10)[y_train[:64]], epochs=9, verbose=0, callbacks=[Interrupt()])
# %% batches
net.compile("sgd", "mse")
for i in range(4):
    net.train_on_batch(x_train[:32], np.eye(10)[y_train[:32]])


# %% metrics inside
class Probe(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.evaluate(x_test[:100], np.eye(10)[y_test[:100]], verbose=0)


_ = net.fit(
    x_train[:64], np.eye(10)[y_train[:64]], verbose=0, callbacks=Probe(), validation_data=(x_test, np.eye(10)[y_test])
)
# %% notes
json.dump(noted, open(os.environ["TEST_NOTES"], "w"))
