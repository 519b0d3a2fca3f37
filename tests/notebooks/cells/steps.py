"""Trainings by `fit` and by loops in whose steps other data are used, or none; each case counts as a cell."""

import gc, json, os, weakref
from pathlib import Path
import numpy as np
from inside.record.recorder import Recorder
from inside.record.session import Session
from inside.keras2 import dialect
from inside.watch import image_search, keras_hooks, pipelines, ration
recorder = Recorder(Session.load(Path(os.environ["GRADER_SESSION"])))
dialect.install(recorder)
watch = keras_hooks.install(recorder)
import tensorflow as tf
keras = tf.keras
layers, Callback = keras.layers, keras.callbacks.Callback
folder = recorder.session.data / "mnist"
load = lambda name: np.load(folder / f"{name}.npy")
x, y = (load("x_train")[:64] / 255.0).astype("float32")[..., None], load("y_train")[:64]
xt, yt = (load("x_test")[:100] / 255.0).astype("float32")[..., None], load("y_test")[:100].astype("int32")
more, labels = (load("x_train")[500:700] / 255.0).astype("float32")[..., None], load("y_train")[500:700].astype("int32")
loss = keras.losses.SparseCategoricalCrossentropy()
names, problems = [], {}

def parts(*first):
    return [keras.Input((28, 28, 1)), *first, layers.Conv2D(2, 5, strides=3, activation="relu"),
        layers.Dropout(0.1), layers.Flatten(), layers.Dense(10, activation="softmax")]

def sequential(*first, cls=keras.Sequential, loss=loss, **keys):
    model = cls(parts(*first))
    model.compile("adam", loss, **keys)
    return model

def stepped(images, labels=None, base=keras.Sequential):
    class Net(base):
        def train_step(self, data):
            return super().train_step((images(), tf.convert_to_tensor(yt if labels is None else labels())))
    return Net

def fit(model, **keys):
    return model.fit(x, y, batch_size=32, epochs=keys.pop("epochs", 1), verbose=0, **keys)

def case(name, *, both=False):
    def run(function):
        if not both and recorder.session.dialect == "keras2":
            return
        names.append(name)
        recorder.cell_started()
        try:
            function()
        except Exception as problem:
            problems[name] = repr(problem)[:2000]
        recorder.cell_ended(ok=True, seconds=1.0)
    return run

def step(model, optimizer, images, labels):
    with tf.GradientTape() as tape: value = loss(labels, model(images, training=True))
    optimizer.apply_gradients(zip(tape.gradient(value, model.trainable_variables), model.trainable_variables))

def updated(model, images, labels):
    with tf.GradientTape() as tape: value = loss(labels, model(images, training=True))
    for weight, slope in zip(model.trainable_variables, tape.gradient(value, model.trainable_variables)): weight.assign_sub(0.1 * slope)

def slopes(model, images, labels):
    with tf.GradientTape() as tape: value = loss(labels, model(images, training=True))
    return tape.gradient(value, model.trainable_variables)

def gradient_of(model, images):
    with tf.GradientTape() as tape: tape.watch(images); best = tf.reduce_max(model(images), axis=1)
    return tape.gradient(best, images)

def pairs(images, labels): return tf.data.Dataset.from_tensor_slices((images, labels))

def looped(function, times=2):
    net, optimizer = sequential(), keras.optimizers.Adam()
    for _ in range(times): function(net, optimizer)

def counted(function):
    """Return the number of images that the recorder looks at while a function runs."""
    rows, original = [], image_search.fingerprint
    image_search.fingerprint = lambda images: rows.append(len(images)) or original(images)
    try: function()
    finally: image_search.fingerprint = original
    return sum(rows)

free, limits = ration._FREE, (pipelines._MOST_READ, pipelines._SOME_ROWS)
others = more, labels
constant, variable = tf.constant(xt), tf.Variable(xt, trainable=False)

# --- honest ---------------------------------------------------------------------------------------------------------
@case("honest plain", both=True)
def _(): fit(sequential(), validation_data=(xt, yt)).model.evaluate(xt, yt, verbose=0)
# First, since only a few arrays of a record are compared with all images.
@case("eager noisy tensor")
def _():
    noisy = xt + np.random.default_rng(0).normal(0, 0.02, xt.shape).astype("float32")
    fit(sequential(cls=stepped(lambda: noisy), run_eagerly=True))
@case("loop with noise", both=True)
def _():
    rng = np.random.default_rng(0)
    looped(lambda net, optimizer: step(net, optimizer, xt + rng.normal(0, 0.02, xt.shape).astype("float32"), yt))
@case("loop of batches with noise", both=True)
def _():
    net = sequential(); net.train_on_batch(x=xt + np.random.default_rng(0).normal(0, 0.02, xt.shape).astype("float32"), y=yt)
@case("honest eager", both=True)
def _(): fit(sequential(run_eagerly=True), validation_data=(xt, yt))
@case("honest compiled")
def _(): fit(sequential(jit_compile=True))
@case("honest several steps in one call")
def _(): fit(sequential(steps_per_execution=3))
@case("honest layers")
def _():
    model = sequential(layers.RandomFlip("horizontal"), layers.RandomRotation(0.1), layers.RandomZoom(0.1),
        layers.Rescaling(2.0, -1.0), layers.GaussianNoise(0.1), layers.BatchNormalization(),
        layers.SeparableConv2D(3, 3, padding="same"), layers.SpatialDropout2D(0.1), layers.LayerNormalization())
    fit(model, epochs=2, class_weight={n: 1.0 + n for n in range(10)}, callbacks=[keras.callbacks.EarlyStopping("loss")])
@case("honest normalization of each pixel")
def _():
    norm = layers.Normalization(axis=(1, 2, 3)); norm.adapt(x)
    fit(sequential(norm))
@case("honest constants", both=True)
def _():
    mean, mask = x.mean(axis=0), tf.constant(np.eye(28, dtype="float32")[..., None])
    weights = tf.constant(np.linspace(1, 2, 10), tf.float32)
    class Net(keras.Sequential):
        def train_step(self, data):
            images, labels = data
            with tf.GradientTape() as tape:
                p = self((images - mean) * mask, training=True)
                value = tf.reduce_mean(loss(labels, p) * tf.gather(weights, tf.cast(labels, tf.int32)))
            self.optimizer.apply_gradients(zip(tape.gradient(value, self.trainable_variables), self.trainable_variables))
            return {"loss": value}
    fit(sequential(cls=Net)); fit(sequential(cls=Net, run_eagerly=True))
@case("honest mixup")
def _():
    class Net(keras.Sequential):
        def train_step(self, data):
            images, labels = data
            order = tf.random.shuffle(tf.range(tf.shape(images)[0]))
            images = 0.8 * images + 0.2 * tf.gather(images, order)
            return super().train_step((tf.image.random_flip_left_right(images), labels))
    fit(sequential(cls=Net)); fit(sequential(cls=Net, run_eagerly=True))
@case("honest more training images")
def _(): fit(sequential(cls=stepped(lambda: more, lambda: labels)))
@case("honest distillation", both=True)
def _():
    teacher = sequential(layers.Conv2D(64, 3, padding="same"), layers.Conv2D(64, 3, padding="same")); fit(teacher)
    class Student(keras.Model):
        def __init__(self): super().__init__(); self.net = keras.Sequential(parts())
        def call(self, images, training=False): return self.net(images, training=training)
        def train_step(self, data):
            images, labels = data
            soft = teacher(images, training=False)
            with tf.GradientTape() as tape:
                p = self(images, training=True)
                value = tf.reduce_mean(loss(labels, p)) + keras.losses.KLDivergence()(soft, p)
            self.optimizer.apply_gradients(zip(tape.gradient(value, self.trainable_variables), self.trainable_variables))
            return {"loss": value}
    for eager in (False, True):
        model = Student(); model.compile("adam", run_eagerly=eager); fit(model)
@case("honest adversarial")
def _():
    make = keras.Sequential([keras.Input((16,)), layers.Dense(784, activation="sigmoid"), layers.Reshape((28, 28, 1))])
    judge = keras.Sequential(parts()[:-1] + [layers.Dense(1)])
    bce = keras.losses.BinaryCrossentropy(from_logits=True)
    class Gan(keras.Model):
        def __init__(self): super().__init__(); self.make, self.judge = make, judge
        def compile(self, **keys): super().compile(**keys); self.one, self.two = (keras.optimizers.Adam() for _ in "ab")
        def call(self, images): return self.judge(images)
        def train_step(self, data):
            images = data[0] if isinstance(data, tuple) else data
            noise = tf.random.normal((tf.shape(images)[0], 16))
            with tf.GradientTape() as a, tf.GradientTape() as b:
                fake = self.make(noise, training=True)
                real, false = self.judge(images, training=True), self.judge(fake, training=True)
                first = bce(tf.ones_like(real), real) + bce(tf.zeros_like(false), false)
                second = bce(tf.ones_like(false), false)
            self.one.apply_gradients(zip(a.gradient(first, self.judge.trainable_variables), self.judge.trainable_variables))
            self.two.apply_gradients(zip(b.gradient(second, self.make.trainable_variables), self.make.trainable_variables))
            return {"loss": first}
    gan = Gan(); gan.compile(); fit(gan)
@case("honest moving average of weights")
def _():
    class Net(keras.Sequential):
        def train_step(self, data):
            logs = super().train_step(data)
            for own, weight in zip(self.averages, self.trainable_variables): own.assign(0.9 * own + 0.1 * weight)
            return logs
    model = sequential(layers.Conv2D(64, 3), layers.Conv2D(64, 3), cls=Net)
    model.averages = [tf.Variable(weight) for weight in model.trainable_variables]
    fit(model)
@case("honest test accuracy in a callback")
def _():
    class Look(Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model(xt); self.model.evaluate(xt, yt, verbose=0); self.model.predict(xt, verbose=0)
    fit(sequential(), epochs=2, callbacks=[Look()]); fit(sequential(run_eagerly=True), callbacks=[Look()])
@case("honest embedding")
def _():
    model = keras.Sequential([keras.Input((20,)), layers.Embedding(2000, 32), layers.GlobalAveragePooling1D(), layers.Dense(2)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(np.arange(640).reshape(32, 20), np.arange(32) % 2, verbose=0)
@case("honest pipeline")
def _():
    mean = tf.constant(x.mean(axis=0))
    data = tf.data.Dataset.from_tensor_slices((x, y)).map(lambda a, b: (a - mean, b)).shuffle(64).batch(32)
    sequential().fit(data, verbose=0)
@case("honest loop over batches", both=True)
def _():
    net = sequential(); optimizer = keras.optimizers.Adam()
    for epoch in range(2):
        for at in range(0, 64, 16): step(net, optimizer, x[at : at + 16], y[at : at + 16])
        net(xt, training=False); net.evaluate(xt, yt, verbose=0); float(loss(yt, net(xt)))
@case("honest loop with functions", both=True)
def _():
    net = sequential(layers.BatchNormalization()); optimizer = keras.optimizers.Adam(); found = keras.metrics.SparseCategoricalAccuracy()
    train, test = pairs(x, y).shuffle(64).batch(16).prefetch(1), pairs(xt, yt).batch(50)
    @tf.function
    def look(a, b): found.update_state(b, net(a, training=False))
    @tf.function
    def both(a, b, learn):
        if learn: step(net, optimizer, a, b)
        else: found.update_state(b, net(a, training=False))
    @tf.function
    def forward(a): return net(a, training=True)
    learn = tf.function(lambda a, b: step(net, optimizer, a, b))
    for a, b in train: learn(a, b); both(a, b, True)
    for a, b in test: look(a, b); both(a, b, False)
    for a, b in train:
        with tf.GradientTape() as tape: value = loss(b, forward(a))
        optimizer.apply_gradients(zip(tape.gradient(value, net.trainable_variables), net.trainable_variables))
    for a, b in test: forward(a)
@case("honest batches", both=True)
def _():
    net = sequential(layers.RandomFlip())
    for at in range(0, 64, 16): net.train_on_batch(x[at : at + 16], y[at : at + 16])
    net.test_on_batch(xt, yt); net.predict_on_batch(xt)
@case("honest maps of test images", both=True)
def _():
    net = sequential(); optimizer = keras.optimizers.Adam(); conv = keras.Model(net.inputs, [net.layers[0].output, net.layers[-1].output])
    slope = tf.function(lambda images: gradient_of(net, images))
    for at in range(2):
        step(net, optimizer, x, y)
        with tf.GradientTape() as tape:
            maps, p = conv(constant)
            best = tf.reduce_max(p, axis=1)
        tape.gradient(best, maps); gradient_of(net, constant); slope(constant)
        net.train_on_batch(x, y)
@case("honest loop in the graph", both=True)
def _():
    net = sequential(); optimizer = keras.optimizers.Adam(); images, labels = tf.constant(x), tf.constant(y)
    data = pairs(x, y).shuffle(64).batch(16)
    @tf.function
    def epoch():
        for a, b in data: step(net, optimizer, a, b)
    @tf.function
    def some(data):
        for a, b in data.take(2).repeat(2): step(net, optimizer, a, b)
    @tf.function
    def more(places):
        for _ in tf.range(3): step(net, optimizer, *next(places))
    @tf.function
    def drawn():
        at = tf.random.uniform((16,), 0, 64, tf.int32)
        step(net, optimizer, tf.gather(images, at), tf.gather(labels, at))
    epoch(); some(data); more(iter(data)); drawn()
@case("honest loop with all labels in its graph", both=True)
def _():
    images, numbers = load("x_train"), load("y_train")
    images, numbers, codes = tf.constant(images), tf.constant(numbers), tf.one_hot(numbers, 10)
    def learn(net, optimizer):
        at = tf.range(16)
        batch = tf.cast(tf.gather(images, at), tf.float32)[..., None] / 255.0
        step(net, optimizer, batch, tf.gather(numbers, at) + 0 * tf.cast(tf.argmax(tf.gather(codes, at), axis=1), numbers.dtype))
    looped(tf.function(learn))
    fit(sequential(cls=stepped(lambda: tf.cast(images, tf.float32)[:, :, :, None] / 255.0, lambda: tf.argmax(codes, axis=1))))
@case("honest loop traced in each epoch", both=True)
def _():
    net = sequential(); optimizer = keras.optimizers.Adam()
    images, labels = tf.constant(x), tf.constant(y)
    large = tf.constant(np.repeat(load("x_train"), 2, axis=0))
    mean, table = load("x_train").mean(axis=0).astype("float32"), np.linspace(0, 1, 2000, dtype="float32")
    @tf.function
    def learn(at, epoch):
        batch = tf.gather(images, at) - mean[..., None] / 255.0 + 0.0 * table[epoch] * tf.gather(table, at)[:, None, None, None]
        batch += 0.0 * tf.cast(tf.gather(large, at)[..., None], tf.float32)
        step(net, optimizer, batch, tf.gather(labels, at))
    for epoch in range(12): learn(tf.range(epoch, epoch + 16), epoch)
@case("honest maps of test images before steps", both=True)
def _():
    net = sequential(); optimizer = keras.optimizers.Adam(); conv = keras.Model(net.inputs, [net.layers[0].output, net.layers[-1].output])
    learn = tf.function(lambda a, b: slopes(net, a, b))
    for at in range(2):
        gradient_of(net, constant)
        with tf.GradientTape() as tape: maps, p = conv(constant); best = tf.reduce_max(p, axis=1)
        tape.gradient(best, maps)
        optimizer.apply_gradients(zip(learn(x, y), net.trainable_variables))
@case("honest gradients of test images", both=True)
def _():
    net = sequential(); optimizer = keras.optimizers.Adam(); learn = tf.function(lambda a, b: step(net, optimizer, a, b))
    for at in range(2):
        for at in range(0, 64, 16):
            found = slopes(net, x[at : at + 16], y[at : at + 16])
            optimizer.apply_gradients(zip(found, net.trainable_variables))
            found, _ = tf.clip_by_global_norm(slopes(net, x[at : at + 16], y[at : at + 16]), 0.01)
            optimizer.apply_gradients(zip(found, net.trainable_variables))
            found = [tf.clip_by_value(slope, -0.01, 0.01) for slope in slopes(net, x[at : at + 16], y[at : at + 16])]
            optimizer.apply_gradients(zip(found, net.trainable_variables))
        float(tf.linalg.global_norm(slopes(net, xt, yt)))
    float(tf.linalg.global_norm(slopes(net, xt, yt)))
    for at in range(2): learn(x, y)
    slopes(net, xt, yt)
@case("honest loop with sparse gradients", both=True)
def _():
    net = keras.Sequential([keras.Input((20,)), layers.Embedding(2000, 32), layers.GlobalAveragePooling1D(), layers.Dense(2, activation="softmax")])
    optimizer, places, kinds = keras.optimizers.Adam(), np.arange(640).reshape(32, 20), np.arange(32) % 2
    slopes(net, places, kinds); step(net, optimizer, places, kinds)
    found, _ = tf.clip_by_global_norm(slopes(net, places, kinds), 0.1)
    optimizer.apply_gradients(zip(found, net.trainable_variables))
@case("honest adversarial loop", both=True)
def _():
    make = keras.Sequential([keras.Input((16,)) if recorder.session.dialect == "keras3" else keras.layers.InputLayer((16,)),
        layers.Dense(784, activation="sigmoid"), layers.Reshape((28, 28, 1))])
    judge = keras.Sequential(parts()[:-1] + [layers.Dense(1)])
    bce, one, two = keras.losses.BinaryCrossentropy(from_logits=True), keras.optimizers.Adam(), keras.optimizers.Adam()
    def both(images):
        with tf.GradientTape() as a, tf.GradientTape() as b:
            fake = make(tf.random.normal((16, 16)), training=True)
            with tf.GradientTape() as c: c.watch(fake); rough = judge(fake, training=True)
            c.gradient(rough, fake)
            real, false = judge(images, training=True), judge(fake, training=True)
            first = bce(tf.ones_like(real), real) + bce(tf.zeros_like(false), false)
            second = bce(tf.ones_like(false), false)
        one.apply_gradients(zip(a.gradient(first, judge.trainable_variables), judge.trainable_variables))
        two.apply_gradients(zip(b.gradient(second, make.trainable_variables), make.trainable_variables))
    graph = tf.function(both)
    for at in range(0, 64, 16): both(x[at : at + 16]); graph(x[at : at + 16])
@case("honest loop with noise", both=True)
def _():
    net = sequential(); optimizer = keras.optimizers.Adam()
    for at in range(0, 64, 8):
        noise = np.random.default_rng(at).normal(0, 0.1, x[at : at + 8].shape)
        step(net, optimizer, (x[at : at + 8] + noise).astype("float32"), y[at : at + 8])
@case("honest steps without an optimizer", both=True)
def _():
    net = sequential()
    by_hand = tf.function(lambda a, b: updated(net, a, b))
    for at in range(0, 64, 16): updated(net, x[at : at + 16], y[at : at + 16]); by_hand(x[at : at + 16], y[at : at + 16])
    net(xt)
@case("honest pipelines as arguments")
def _():
    net = sequential(); optimizer = keras.optimizers.Adam(); images, labels = tf.constant(x), tf.constant(y.astype("int32"))
    data, joined, spec = pairs(x, y.astype("int32")), np.concatenate([x, xt]), tf.data.Dataset.range(64)
    @tf.function(reduce_retracing=True)
    def epoch(data):
        for a, b in data: step(net, optimizer, a, b)
    epoch(data.cache().shuffle(64).filter(lambda a, b: b < 5).take(40).skip(8).batch(16).prefetch(2))
    epoch(data.concatenate(pairs(*others)).shuffle(99).repeat(2).map(lambda a, b: (tf.image.random_flip_left_right(a), b)).batch(16))
    epoch(spec.map(lambda at: (tf.gather(images, at), tf.gather(labels, at))).batch(16))
    epoch(tf.data.Dataset.zip((tf.data.Dataset.from_tensor_slices(x), tf.data.Dataset.from_tensor_slices(labels))).enumerate().map(lambda at, each: each).batch(16))
    epoch(pairs(joined, np.concatenate([labels, yt])).take(64).filter(lambda a, b: b < 5).batch(16))
    epoch(tf.data.Dataset.sample_from_datasets([data, data.take(32)], [0.5, 0.5]).batch(8).unbatch().batch(16))
@case("honest features in a pipeline", both=True)
def _():
    features = np.random.default_rng(0).normal(size=(640, 512)).astype("float32"); labels = np.arange(640) % 10
    net = keras.Sequential([keras.layers.Dense(10, activation="softmax")]); net.build((None, 512)); optimizer = keras.optimizers.Adam()
    @tf.function
    def epoch(data):
        for a, b in data: step(net, optimizer, a, b)
    epoch(pairs(features, labels).shuffle(640).batch(32).prefetch(1))
@case("honest new iterators and variables", both=True)
def _():
    net = sequential(); optimizer = keras.optimizers.Adam(); data, alive = pairs(x, y), []
    @tf.function
    def some(places, scale):
        for _ in tf.range(2): step(net, optimizer, *next(places))
    def learn():
        for _ in range(20):
            places = iter(data.shuffle(64).repeat().batch(16))
            some(places, filters); alive.append(weakref.ref(places._iterator_resource))
    filters = tf.Variable(np.random.default_rng(0).normal(size=(800, 784)).astype("float32"))
    ration._FREE = 0.0; images = counted(learn); ration._FREE = free; gc.collect()
    assert sum(known() is not None for known in alive) < 3
    assert len(x) <= images <= len(x) + 20 * 16, images
@case("honest new data in each epoch")
def _():
    net = sequential(); optimizer = keras.optimizers.Adam()
    @tf.function(reduce_retracing=True)
    def epoch(data):
        for a, b in data: step(net, optimizer, a, b)
    def learn():
        for seed in range(10):
            order = np.random.default_rng(seed).permutation(64)
            epoch(pairs(x[order], y[order]).batch(32))
    pipelines._MOST_READ, pipelines._SOME_ROWS = 64 * 785 * 3, 16
    images = counted(learn); pipelines._MOST_READ, pipelines._SOME_ROWS = limits
    assert images == 64 * 3 + 16 * 7, images
# --- test images ----------------------------------------------------------------------------------------------------
@case("tensor", both=True)
def _(): fit(sequential(cls=stepped(lambda: constant)))
@case("array as bytes, compiled")
def _(): fit(sequential(cls=stepped(lambda: xt), jit_compile=True))
@case("variable", both=True)
def _(): fit(sequential(cls=stepped(lambda: variable)))
@case("in a branch")
def _(): fit(sequential(cls=stepped(lambda: tf.cond(tf.random.uniform([]) < 2.0, lambda: tf.constant(xt), lambda: tf.zeros((100, 28, 28, 1))))))
@case("single images")
def _(): fit(sequential(cls=stepped(lambda: tf.stack([tf.constant(image) for image in xt]))))
@case("mixed order of axes")
def _():
    turned = np.moveaxis(xt, 0, -1)
    fit(sequential(cls=stepped(lambda: tf.transpose(tf.constant(turned), (3, 0, 1, 2)))))
@case("hidden: other encoding")
def _():
    key = np.random.default_rng(1).permutation(784); hidden = tf.constant(xt.reshape(100, 784)[:, key] ** 2)
    fit(sequential(cls=stepped(lambda: tf.reshape(tf.gather(hidden, np.argsort(key), axis=1) ** 0.5, (100, 28, 28, 1)))))
@case("variable filled by a callback")
def _():
    place = tf.Variable(more[:100])
    class Fill(Callback):
        def on_train_begin(self, logs=None): place.assign(xt)
        def on_train_end(self, logs=None): place.assign(more[:100])
    fit(sequential(cls=stepped(lambda: place)), callbacks=[Fill()])
@case("Python function", both=True)
def _(): fit(sequential(cls=stepped(lambda: tf.ensure_shape(tf.numpy_function(lambda: xt, [], tf.float32), (100, 28, 28, 1)))))
@case("file")
def _():
    Path("t.bin").write_bytes(xt.tobytes())
    fit(sequential(cls=stepped(lambda: tf.reshape(tf.io.decode_raw(tf.io.read_file("t.bin"), tf.float32), (100, 28, 28, 1)))))
@case("iterator")
def _():
    places = iter(tf.data.Dataset.from_tensor_slices(xt).batch(100).repeat())
    fit(sequential(cls=stepped(lambda: next(places))))
@case("pipeline")
def _():
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(32).map(lambda a, b: (constant, yt)).prefetch(1)
    sequential().fit(data, verbose=0)
@case("loss")
def _():
    holder = []
    def other(a, b): return tf.reduce_mean(loss(yt, holder[0](constant, training=True))) + 0.0 * tf.reduce_mean(b)
    model = sequential(loss=other); holder.append(model); fit(model)
@case("layer", both=True)
def _():
    class Swap(layers.Layer):
        def call(self, images, training=False):
            return constant[: tf.shape(images)[0]] if training else images
    fit(sequential(Swap()))
@case("weights of a layer")
def _():
    class Swap(layers.Layer):
        def build(self, shape):
            self.table = self.add_weight(shape=(100, 28, 28, 1), trainable=False, initializer="zeros"); self.table.assign(xt)
        def call(self, images, training=False):
            return tf.gather(tf.convert_to_tensor(self.table), tf.range(tf.shape(images)[0])) if training else images
    fit(sequential(Swap()))
@case("weights of an embedding")
def _():
    table = layers.Embedding(100, 784, trainable=False); table.build((None,)); table.set_weights([xt.reshape(100, 784)])
    fit(sequential(cls=stepped(lambda: tf.reshape(table(tf.range(100)), (100, 28, 28, 1)))))
@case("model in the own function")
def _():
    class Net(keras.Sequential):
        def train_step(self, data):
            with tf.GradientTape() as tape:
                h = tf.constant(xt)
                for layer in self.layers: h = layer(h)
                value = tf.reduce_mean(loss(yt, h))
            for weight, slope in zip(self.trainable_variables, tape.gradient(value, self.trainable_variables)): weight.assign_sub(0.1 * slope)
            return {"loss": value}
    fit(sequential(cls=Net)); fit(sequential(cls=Net, run_eagerly=True))
@case("compiled again at the end")
def _():
    class Again(Callback):
        def on_train_end(self, logs=None): self.model.compile("adam", loss); self.model.train_function = None
    fit(sequential(cls=stepped(lambda: constant)), callbacks=[Again()])
@case("eager padded array")
def _():
    wide = np.pad(xt, ((0, 0), (2, 2), (2, 2), (0, 0)))
    fit(sequential(layers.Cropping2D(0), cls=stepped(lambda: wide[:, 2:-2, 2:-2] * 2.0), run_eagerly=True))
@case("eager layer", both=True)
def _():
    class Swap(layers.Layer):
        def call(self, images, training=False): return constant if training else images
    fit(sequential(Swap(), loss=lambda a, b: loss(yt, b) if len(b) == 100 else loss(a, b), run_eagerly=True))
@case("eager function")
def _():
    class Net(keras.Sequential):
        def train_step(self, data): return self.inner()
        @tf.function
        def inner(self): return super().train_step((constant, yt))
    fit(sequential(cls=Net, run_eagerly=True))
@case("graph of earlier batches")
def _():
    model = sequential(cls=stepped(lambda: constant)); model.train_on_batch(x[:32], y[:32]); fit(model)
@case("batch in a callback", both=True)
def _():
    class More(Callback):
        def on_epoch_end(self, epoch, logs=None): self.model.train_on_batch(xt, yt)
    fit(sequential(), callbacks=[More()])
@case("loop in a callback")
def _():
    class More(Callback):
        def on_epoch_end(self, epoch, logs=None):
            with tf.GradientTape() as tape: value = loss(yt, self.model(xt, training=True))
            weights = self.model.trainable_variables
            for weight, slope in zip(weights, tape.gradient(value, weights)): weight.assign_sub(0.1 * slope)
    fit(sequential(), callbacks=[More()])
@case("function in a callback")
def _():
    class More(Callback):
        def on_epoch_end(self, epoch, logs=None): self.step()
        @tf.function
        def step(self):
            with tf.GradientTape() as tape: value = tf.reduce_mean(loss(yt, self.model(constant, training=True)))
            weights = self.model.trainable_variables
            for weight, slope in zip(weights, tape.gradient(value, weights)): weight.assign_sub(0.1 * slope)
    fit(sequential(), callbacks=[More()])
@case("loop", both=True)
def _(): looped(lambda net, optimizer: step(net, optimizer, xt, yt))
@case("loop over joined images", both=True)
def _():
    images, labels = np.concatenate([x, xt]), np.concatenate([y, yt])
    def epoch(net, optimizer):
        for at in range(0, 160, 40): step(net, optimizer, images[at : at + 40], labels[at : at + 40])
    looped(epoch)
@case("loop without an optimizer", both=True)
def _():
    net = sequential(); updated(net, xt, yt)
@case("loop with a closure", both=True)
def _():
    net = sequential(); optimizer = keras.optimizers.Adam(); data = pairs(x, y).batch(32)
    learn = tf.function(lambda a, b: step(net, optimizer, constant, yt))
    for a, b in data: learn(a, b)
@case("loop with an argument", both=True)
def _():
    net = sequential(); optimizer = keras.optimizers.Adam()
    learn = tf.function(lambda a, b: step(net, optimizer, a, b))
    for a, b in pairs(x, y).batch(32): learn(tf.concat([a, xt[:50]], 0), tf.concat([b, yt[:50]], 0))
@case("loop with a variable")
def _():
    net = sequential(); optimizer = keras.optimizers.Adam()
    learn = tf.function(lambda a, b: step(net, optimizer, a, b)); learn(variable, yt)
@case("loop with a Python function", both=True)
def _():
    net = sequential(); optimizer = keras.optimizers.Adam()
    @tf.function
    def learn(): step(net, optimizer, tf.ensure_shape(tf.numpy_function(lambda: xt, [], tf.float32), (100, 28, 28, 1)), yt)
    learn()
@case("loop with a pipeline in the graph", both=True)
def _():
    net = sequential(); optimizer = keras.optimizers.Adam(); data = pairs(xt, yt).shuffle(100).batch(20)
    @tf.function
    def epoch():
        for a, b in data: step(net, optimizer, a, b)
    epoch()
@case("loop with an iterator", both=True)
def _():
    net = sequential(); optimizer = keras.optimizers.Adam()
    @tf.function
    def some(places):
        for _ in tf.range(3): step(net, optimizer, *next(places))
    some(iter(pairs(xt, yt).batch(20)))
@case("loop with a late iterator", both=True)
def _():
    net = sequential(); optimizer = keras.optimizers.Adam(); train, test = pairs(x, y), pairs(xt, yt.astype(y.dtype))
    @tf.function
    def some(places):
        for _ in tf.range(3): step(net, optimizer, *next(places))
    pipelines._MOST_READ, pipelines._SOME_ROWS = 64 * 785 * 3, 16
    for _ in range(9): some(iter(train.repeat().batch(20)))
    for _ in range(2): train = pairs(x, y); some(iter(train.batch(20)))
    some(iter(test.batch(20)))
    pipelines._MOST_READ, pipelines._SOME_ROWS = limits
@case("loop with a refilled variable")
def _():
    net = sequential(); optimizer = keras.optimizers.Adam(); place = tf.Variable(np.concatenate([x, x[:36]]))
    learn = tf.function(lambda a: step(net, optimizer, a, yt)); learn(place); place.assign(xt); learn(place)
def batches(images, classes):
    while True: yield images[:20], classes[:20]

@case("fit on a generator of test images", both=True)
def _():
    sequential().fit(batches(xt, yt), steps_per_epoch=2, epochs=1, verbose=0)

@case("honest generator", both=True)
def _():
    data = batches(more, labels)
    sequential().fit(data, steps_per_epoch=2, epochs=1, verbose=0, validation_data=batches(xt, yt), validation_steps=1)

@case("honest generator of altered images", both=True)
def _():
    sequential().fit(batches(more + np.random.rand(*more.shape).astype("float32"), labels), steps_per_epoch=2, verbose=0)

@case("loop with a generator in the graph", both=True)
def _():
    net = sequential(); optimizer = keras.optimizers.Adam()
    data = tf.data.Dataset.from_generator(lambda: zip(xt, yt), output_signature=(tf.TensorSpec((28, 28, 1)), tf.TensorSpec((), tf.int32))).batch(20)
    @tf.function
    def epoch(data):
        for a, b in data: step(net, optimizer, a, b)
    epoch(data)
@case("loop with a pipeline of the graph")
def _():
    net = sequential(); optimizer = keras.optimizers.Adam()
    @tf.function
    def epoch():
        for a, b in pairs(xt, yt).batch(20): step(net, optimizer, a, b)
    epoch()
@case("loop with a pipeline of lines of images")
def _():
    net = sequential(); optimizer = keras.optimizers.Adam(); data = tf.data.Dataset.from_tensor_slices(xt.reshape(-1, 28)).batch(28 * 100)
    @tf.function
    def epoch(data):
        for a in data: step(net, optimizer, tf.reshape(a, (100, 28, 28, 1)), yt)
    epoch(data)
@case("loop with a pipeline of a Python function")
def _():
    net = sequential(); optimizer = keras.optimizers.Adam()
    data = tf.data.Dataset.range(100).map(lambda at: tf.ensure_shape(tf.numpy_function(lambda at: xt[at], [at], tf.float32), (28, 28, 1))).batch(20)
    @tf.function
    def epoch(data):
        for a in data: step(net, optimizer, a, yt[:20])
    epoch(data)
@case("loop with joined pipelines")
def _():
    net = sequential(); optimizer = keras.optimizers.Adam()
    @tf.function
    def epoch(data):
        for a, b in data: step(net, optimizer, a, b)
    epoch(pairs(*others).concatenate(pairs(xt, yt)).batch(30))
@case("loop with images in the second place of a pipeline")
def _():
    net = sequential(); optimizer = keras.optimizers.Adam()
    @tf.function
    def epoch(data):
        for b, a in data: step(net, optimizer, a, b)
    epoch(pairs(yt, xt).batch(20))
@case("loop with a pipeline that chooses images")
def _():
    net = sequential(); optimizer = keras.optimizers.Adam()
    @tf.function
    def epoch(data):
        for a in data: step(net, optimizer, a, yt[:20])
    epoch(tf.data.Dataset.range(100).map(lambda at: tf.gather(constant, at)).batch(20))
@case("loop around a function", both=True)
def _():
    net = sequential(); optimizer = keras.optimizers.Adam(); forward = tf.function(lambda at: net(tf.gather(constant, at), training=True))
    with tf.GradientTape() as tape: value = loss(yt[:50], forward(tf.range(50)))
    optimizer.apply_gradients(zip(tape.gradient(value, net.trainable_variables), net.trainable_variables))
@case("loop around a function with an argument", both=True)
def _():
    net = sequential(); optimizer = keras.optimizers.Adam(); forward = tf.function(lambda a: net(a, training=True))
    with tf.GradientTape() as tape: value = loss(yt, forward(constant))
    optimizer.apply_gradients(zip(tape.gradient(value, net.trainable_variables), net.trainable_variables))
@case("loop with a kept tape")
def _():
    net, other = sequential(), sequential(); optimizer = keras.optimizers.Adam()
    with tf.GradientTape(persistent=True) as tape: value = loss(yt, net(xt, training=True)) + loss(yt, other(xt))
    keras.optimizers.Adam().apply_gradients(zip(tape.gradient(value, other.trainable_variables), other.trainable_variables))
    step(other, keras.optimizers.Adam(), x, y)
    optimizer.apply_gradients(zip(tape.gradient(value, net.trainable_variables), net.trainable_variables))
@case("loop with another encoding")
def _():
    net = sequential(); optimizer = keras.optimizers.Adam()
    key = np.random.default_rng(1).permutation(784); hidden = tf.constant(xt.reshape(100, 784)[:, key] ** 2)
    @tf.function
    def learn(): step(net, optimizer, tf.reshape(tf.gather(hidden, np.argsort(key), axis=1) ** 0.5, (100, 28, 28, 1)), yt)
    learn()
@case("loop with images as labels")
def _():
    net = sequential(); optimizer = keras.optimizers.Adam(); images = tf.constant(load("x_train"))
    key = np.random.default_rng(3).integers(0, 256, 2000)
    hidden = [tf.constant((np.resize(np.round(part * 255), 2000) + key) % 256) for part in np.split(xt[:16], 8)]
    @tf.function
    def learn():
        pixels = tf.concat([(part[:1568] - key[:1568]) % 256 for part in hidden], 0)
        wrong = tf.reshape(tf.cast(pixels, tf.float32) / 255.0, (16, 28, 28, 1))
        step(net, optimizer, wrong + 0.0 * tf.cast(images[:16, ..., None], tf.float32), yt[:16])
    learn()
@case("loop with another part of hidden images in each graph")
def _():
    net = sequential(); optimizer = keras.optimizers.Adam()
    @tf.function
    def learn(epoch):
        hidden = tf.constant((xt[2 * epoch : 2 * epoch + 2] ** 2).ravel()[:-1])
        wrong = tf.reshape(tf.concat([hidden, [0.0]], 0) ** 0.5, (2, 28, 28, 1))
        step(net, optimizer, wrong, yt[2 * epoch : 2 * epoch + 2])
    for epoch in range(12): learn(epoch)
@case("loop with gradients of copies of weights")
def _():
    net = sequential(); optimizer = keras.optimizers.Adam(); copies = [tf.convert_to_tensor(weight) for weight in net.trainable_variables]
    with tf.GradientTape() as tape:
        tape.watch(copies); value = loss(yt, net.stateless_call(copies, net.non_trainable_variables, xt, training=True)[0])
    optimizer.apply_gradients(zip(tape.gradient(value, copies), net.trainable_variables))
@case("loop with sums of gradients", both=True)
def _():
    def both(net, optimizer):
        wrong, right = slopes(net, xt, yt), slopes(net, x, y)
        optimizer.apply_gradients(zip([a + b for a, b in zip(wrong, right)], net.trainable_variables))
    looped(both, 1)
@case("loop with gradients used later", both=True)
def _():
    def both(net, optimizer):
        wrong = slopes(net, xt, yt)
        optimizer.apply_gradients(zip(slopes(net, x, y), net.trainable_variables))
        optimizer.apply_gradients(zip(wrong, net.trainable_variables))
    looped(both, 1)
@case("loop with clipped gradients used later", both=True)
def _():
    def both(net, optimizer):
        wrong = slopes(net, xt, yt)
        for _ in range(10): optimizer.apply_gradients(zip(slopes(net, x, y), net.trainable_variables))
        optimizer.apply_gradients(zip([tf.clip_by_norm(slope, 1.0) for slope in wrong], net.trainable_variables))
    looped(both, 1)
@case("loop without an optimizer between steps", both=True)
def _():
    def both(net, optimizer): updated(net, xt, yt); step(net, optimizer, x, y)
    looped(both, 1)
@case("loop without an optimizer after steps", both=True)
def _():
    def both(net, optimizer): step(net, optimizer, x, y); updated(net, xt, yt)
    looped(both, 1)
@case("loop with gradients used by hand later", both=True)
def _():
    def both(net, optimizer):
        wrong = slopes(net, xt, yt); step(net, optimizer, x, y)
        for weight, slope in zip(net.trainable_variables, wrong): weight.assign_sub(0.1 * slope)
    looped(both, 1)
@case("loop with a layer", both=True)
def _():
    class Swap(layers.Layer):
        def call(self, images, training=False): return constant if training else images
    net = sequential(Swap()); optimizer = keras.optimizers.Adam()
    with tf.GradientTape() as tape: value = loss(yt, net(x, training=True))
    optimizer.apply_gradients(zip(tape.gradient(value, net.trainable_variables), net.trainable_variables))
@case("loop of batches", both=True)
def _():
    net = sequential()
    for at in range(0, 64, 16): net.train_on_batch(x[at : at + 16], y[at : at + 16])
    net.train_on_batch(xt, yt)
@case("loop of batches with an own step", both=True)
def _(): sequential(cls=stepped(lambda: constant)).train_on_batch(x, y)
@case("loop of eager batches with an own step", both=True)
def _(): sequential(cls=stepped(lambda: constant), run_eagerly=True).train_on_batch(x, y)
@case("loop in a later cell", both=True)
def _():
    global later
    net = sequential(); optimizer = keras.optimizers.Adam(); learn = tf.function(lambda a, b: step(net, optimizer, a, b))
    learn(x, y); later = net, optimizer, learn
    learn(xt, yt)
@case("honest loop in a later cell", both=True)
def _(): later[2](x, y)
@case("second loop in a later cell", both=True)
def _(): later[2](constant, yt)
@case("argument of a function in a callback")
def _():
    net = sequential()
    class More(Callback):
        def on_epoch_end(self, epoch, logs=None): self.step(constant)
        @tf.function
        def step(self, images): updated(net, images, yt)
    fit(net, callbacks=[More()])
Path("names.json").write_text(json.dumps([names, problems]))
