"""Every old form has its old meaning in the Keras 2 dialect: one row per form, all in one real process."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import grader
from grader.inside.keras2.dialect import MOVED
from grader.inside.keras2.forms import FORMS
from tests.support.forked_python import forked_python
from tests.support.inside_alone import inside_alone

ROOT = Path(grader.__file__).parent
DRIVER = Path(__file__).parents[2] / "support" / "run_cells.py"
DOCUMENT = ROOT.parent / "docs" / "keras2.md"


@dataclass(frozen=True, slots=True)
class Row:
    """A form, in a cell that asserts its meaning."""

    name: str
    code: str
    forms: tuple[str, ...] = ()
    """Ids of all its `emulated` events."""
    error: str | None = None
    """Part of the cell's error; None if it has none."""


START = """
import json, pickle, warnings
import numpy as np
import keras
import tensorflow as tf
from keras import backend as K
rng = np.random.default_rng(0)
x = rng.random((64, 8, 8, 1)).astype("float32")
y = np.arange(64) % 3
def make(units=3):
    return keras.models.Sequential([keras.layers.Flatten(input_shape=(8, 8, 1)),
                                    keras.layers.Dense(units, activation="softmax")])
def trained(optimizer, epochs=1, **fit):
    m = make()
    m.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return m, m.fit(x, y, batch_size=16, epochs=epochs, verbose=0, **fit)
def batches(size=16):
    while True:
        for start in range(0, 64, size):
            yield x[start:start + size], y[start:start + size]
"""

DECAY = """
def weights_after(optimizer, steps):
    v = tf.Variable([1.0, -2.0])
    for _ in range(steps):
        optimizer.apply_gradients([(2 * v, v)])
    return v.numpy()
expected = np.array([1.0, -2.0])
for n in range(40):
    expected = expected - 0.05 / (1 + 0.1 * n) * 2 * expected
assert np.allclose(weights_after(keras.optimizers.SGD(lr=0.05, decay=0.1), 40), expected, rtol=1e-5)
"""

ONE_OPTIMIZER = """
o = keras.optimizers.Adam(0.01)
first, _ = trained(o)
assert int(o.iterations) == 4
second, h = trained(o)
assert int(o.iterations) == 8 and np.isfinite(h.history["loss"][0])
assert all(np.any(np.asarray(o.get_slot(v, "m"))) for m in (first, second) for v in m.trainable_variables)
"""

SHARED_SLOTS = """
v, w = tf.Variable(1.0), tf.Variable(1.0)
o = keras.optimizers.SGD(0.1, momentum=0.9)
for _ in range(3):
    o.apply_gradients([(v * 1.0, v)])
o.apply_gradients([(w * 1.0, w)])
assert abs(float(w) - 0.9) < 1e-6
"""

MONITORED = """
class Stop(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs={}):
        assert logs.get('val_acc') == logs['val_accuracy'] and 'acc' in logs
        self.model.stop_training = epoch == 1
stop = keras.callbacks.EarlyStopping(monitor='val_acc', patience=50)
plateau = keras.callbacks.ReduceLROnPlateau(monitor='val_acc', patience=0, factor=0.5, min_delta=2.0)
save = keras.callbacks.ModelCheckpoint('best-{epoch:02d}-{val_acc:.2f}.h5', monitor='val_acc', save_best_only=True)
m, h = trained(keras.optimizers.SGD(0.1), epochs=5, validation_data=(x, y), callbacks=[stop, plateau, save, Stop()])
import glob
assert len(h.epoch) == 2 and stop.best == max(h.history['val_accuracy'])
assert glob.glob(f"best-01-{h.history['val_accuracy'][0]:.2f}.h5")
assert np.allclose(h.history['lr'], [0.1, 0.1]) and abs(float(m.optimizer.learning_rate) - 0.05) < 1e-7
"""

PHASE = """
drop = keras.models.Sequential([keras.layers.Flatten(input_shape=(8, 8, 1)), keras.layers.Dropout(0.5)])
run = K.function([drop.layers[0].input, K.learning_phase()], [drop.layers[1].output])
assert np.array_equal(run([x, 0])[0], x.reshape(64, 64))
assert (run([x, 1])[0] == 0).mean() > 0.3
plain = K.function([drop.input], [drop.output])
assert np.array_equal(plain([x])[0], x.reshape(64, 64))
assert np.array_equal(plain(model_inputs=[x])[0], x.reshape(64, 64))
assert np.array_equal(K.function([drop.input], drop.output)([x]), x.reshape(64, 64))
"""

PASSES = """
first = keras.models.Sequential([keras.layers.Flatten(input_shape=(8, 8, 1)), keras.layers.Dropout(0.5, name='last'),
                                 keras.layers.Dense(3)])
run = K.function([first.layers[0].input, K.learning_phase()], [first.layers[-2].output, first.layers[-1].output])
for _ in range(5):
    run([x, 1])
run([x, 0])
halfway = K.function([first.input, K.learning_phase()], (first.get_layer('last').output,))
assert len(halfway([x, 1])) == 1
K.set_learning_phase(1)
assert (K.function(first.input, first.get_layer('last').output)(x) == 0).mean() > 0.3
K.clear_session()
"""

KERAS_1 = """
from keras.layers import Convolution2D, MaxPooling2D, Dropout, Dense, Flatten
from keras.models import Sequential
m = Sequential()
m.add(Convolution2D(4, 3, 3, border_mode='same', init='he_normal', W_regularizer=keras.regularizers.l2(0.5),
                    input_shape=(8, 8, 1), dim_ordering='tf', subsample=(2, 2)))
m.add(MaxPooling2D(pool_size=(2, 2), border_mode='same', dim_ordering='default'))
m.add(Dropout(p=0.25))
m.add(Flatten())
m.add(Dense(output_dim=5, init='uniform', bias=False))
conv = m.layers[0]
assert conv.kernel_size == (3, 3) and conv.strides == (2, 2) and conv.padding == 'same'
assert type(conv.kernel_initializer).__name__ == 'HeNormal' and abs(float(conv.kernel_regularizer.l2) - 0.5) < 1e-6
assert m.layers[2].rate == 0.25 and m.layers[4].units == 5 and m.layers[4].bias is None
assert m.output_shape == (None, 5)
assert Sequential.from_config(m.get_config()).count_params() == m.count_params()
"""

SCIKIT = """
from keras.wrappers.scikit_learn import KerasClassifier
from sklearn.model_selection import cross_val_score, GridSearchCV
def build(units=8, rate=0.05):
    m = keras.models.Sequential([keras.layers.Dense(units, activation='relu', input_dim=4),
                                 keras.layers.Dense(2, activation='softmax')])
    m.compile(loss='categorical_crossentropy', optimizer=keras.optimizers.Adam(rate))
    return m
points = rng.normal(size=(60, 4)); sides = np.where(points[:, 0] > 0, 'right', 'left')
estimator = KerasClassifier(build_fn=build, epochs=8, batch_size=5, verbose=0)
scores = cross_val_score(estimator, points, sides, cv=2)
assert scores.shape == (2,) and scores.mean() > 0.7, scores
search = GridSearchCV(estimator, {'units': [4]}, cv=2).fit(points, sides)
assert search.best_params_ == {'units': 4}
assert set(search.predict(points)) <= {'left', 'right'} and search.predict_proba(points).shape == (60, 2)
"""

ROWS = (
    Row("start", START),
    Row("lr", "assert abs(float(keras.optimizers.SGD(lr=0.25).learning_rate) - 0.25) < 1e-7", ("optimizer.lr",)),
    Row("decay", DECAY, ("optimizer.lr", "optimizer.decay")),
    Row(
        "decay in fit",
        "m, h = trained(keras.optimizers.SGD(lr=0.01, decay=1e-3), epochs=3)\nassert int(m.optimizer.iterations) == 12",
        ("optimizer.lr", "optimizer.decay"),
    ),
    Row("rate by name", "m, h = trained('sgd')\nassert type(m.optimizer) is keras.optimizers.SGD"),
    Row("classes", "assert keras.optimizers.Adam is tf.keras.optimizers.Adam is tf.optimizers.Adam"),
    Row(
        "later keyword",
        "o = keras.optimizers.Adam(lr=0.5, weight_decay=0.1)\n"
        "assert o.weight_decay == 0.1 and float(o.learning_rate) == 0.5",
        ("optimizer.lr",),
    ),
    Row(
        "AdamW",
        "m, h = trained(keras.optimizers.AdamW(lr=0.5))\nassert float(m.optimizer.lr) == 0.5",
        ("optimizer.lr",),
    ),
    Row(
        "optimizer.lr",
        "m, h = trained('adam')\nm.optimizer.lr = 0.5\nassert float(m.optimizer.lr) == 0.5\n"
        "m.optimizer.lr.assign(0.25)\n"
        "assert float(m.optimizer.learning_rate) == 0.25",
        ("optimizer.lr_attribute",),
    ),
    Row(
        "scheduler is no student",
        "trained('sgd', epochs=2, callbacks=[keras.callbacks.LearningRateScheduler(lambda e: 0.1),\n"
        "                                    keras.callbacks.ReduceLROnPlateau(monitor='loss')])",
    ),
    Row(
        "K.set_value",
        "m, h = trained('sgd')\nK.set_value(m.optimizer.lr, 0.5)\nassert K.get_value(m.optimizer.lr) == 0.5\n"
        "from tensorflow.keras import backend as TK\nTK.set_value(m.optimizer.learning_rate, 0.25)\n"
        "assert TK.get_value(m.optimizer.learning_rate) == 0.25",
        ("optimizer.lr_attribute", "backend.set_value", "backend.get_value"),
    ),
    Row(
        "lower case",
        "from keras.optimizers import adamax\no = adamax(lr=0.5)\nassert type(o) is keras.optimizers.Adamax\n"
        "assert type(keras.optimizers.sgd(0.1)) is keras.optimizers.SGD",
        ("optimizer.lower_case", "optimizer.lr"),
    ),
    Row("one optimizer, two models", ONE_OPTIMIZER, ("optimizer.shared",)),
    Row("fresh moments", SHARED_SLOTS, ("optimizer.shared",)),
    Row("legacy", "assert keras.optimizers.legacy.SGD is keras.optimizers.SGD"),
    Row(
        "predict_classes",
        "m, h = trained('sgd')\nassert np.array_equal(m.predict_classes(x), m.predict(x).argmax(axis=1))\n"
        "one = keras.models.Sequential([keras.layers.Flatten(), keras.layers.Dense(1, activation='sigmoid')])\n"
        "assert one.predict_classes(x).shape == (64, 1) and one.predict_classes(x).dtype == 'int32'",
        ("models.predict_classes",),
    ),
    Row(
        "predict_proba",
        "assert np.array_equal(m.predict_proba(x), m.predict(x))",
        ("models.predict_proba",),
    ),
    Row(
        "generators",
        "h = m.fit_generator(batches(), steps_per_epoch=4, epochs=2, verbose=0,\n"
        "                    validation_data=batches(), validation_steps=1)\n"
        "assert len(h.history['val_loss']) == 2\nassert len(m.evaluate_generator(batches(), steps=2)) == 2\n"
        "assert m.predict_generator(batches(), 2).shape == (32, 3)",
        ("models.fit_generator", "models.evaluate_generator", "models.predict_generator"),
    ),
    Row(
        "samples",
        "before = int(m.optimizer.iterations)\n"
        "h = m.fit_generator(batches(), samples_per_epoch=60, nb_epoch=2, verbose=0, validation_data=batches(8), "
        "nb_val_samples=16, nb_worker=1, max_q_size=5)\n"
        "assert int(m.optimizer.iterations) - before == 8 and h.params['steps'] == 4 and len(h.epoch) == 2\n"
        "assert m.predict_generator(batches(), val_samples=30).shape == (32, 3)",
        (
            "models.fit_generator",
            "models.samples",
            "models.nb_epoch",
            "models.generator_keywords",
            "models.predict_generator",
        ),
    ),
    Row("nb_epoch", "assert len(m.fit(x, y, nb_epoch=3, verbose=0).epoch) == 3", ("models.nb_epoch",)),
    Row(
        "input, output",
        "a = keras.layers.Input((4,))\nn = keras.models.Model(input=a, output=keras.layers.Dense(2)(a))\n"
        "assert n.output_shape == (None, 2)",
        ("models.input_output",),
    ),
    Row("Keras 1", KERAS_1, ("layers.keras1", "layers.positional_kernel")),
    Row(
        "rows and columns",
        "c = keras.layers.Convolution2D(nb_filter=2, nb_row=3, nb_col=5)\n"
        "assert c.kernel_size == (3, 5) and c.filters == 2",
        ("layers.keras1",),
    ),
    Row("unknown keyword", "keras.layers.Dense(3, nonsense=1)", (), "nonsense"),
    Row(
        "regularizers",
        "assert abs(float(keras.regularizers.WeightRegularizer(l2=0.5).l2) - 0.5) < 1e-6",
        ("regularizers.keras1",),
    ),
    Row(
        "strides of tf.keras",
        "from tensorflow.keras.layers import Conv2D\nassert Conv2D(4, 3, 3).strides == (3, 3)",
    ),
    Row("updates", "assert list(m.layers[1].updates) == []", ("layers.updates",)),
    Row(
        "history acc",
        "m, h = trained('sgd', epochs=2, validation_split=0.25)\n"
        "assert h.history['acc'] == h.history['accuracy'] and h.history['val_acc'] == h.history['val_accuracy']\n"
        "assert sorted(h.history) == ['accuracy', 'loss', 'val_accuracy', 'val_loss'] and len(h.history) == 4\n"
        "assert 'acc' in h.history and h.history.get('acc') and h.history.get('nonsense') is None\n"
        "assert type(pickle.loads(pickle.dumps(h.history))) is dict and json.loads(json.dumps(h.history)) == h.history",
        ("history.acc",),
    ),
    Row("history of another name", "h.history['top_acc']", (), "top_acc"),
    Row(
        "metrics acc",
        "n = make()\nn.compile('sgd', 'sparse_categorical_crossentropy', metrics=['acc'])\n"
        "h = n.fit(x, y, verbose=0)\nassert sorted(h.history) == ['acc', 'loss'] and h.history['acc']",
    ),
    Row("history accuracy", "assert h.history['accuracy'] == h.history['acc']", ("history.accuracy",)),
    Row(
        "history learning_rate",
        "stop = keras.callbacks.ReduceLROnPlateau()\n"
        "m, h = trained('sgd', validation_split=0.25, callbacks=[stop])\n"
        "assert h.history['learning_rate'] == h.history['lr'] and 'learning_rate' not in list(h.history)",
        ("history.learning_rate", "history.lr"),
    ),
    Row(
        "version",
        "from tensorflow import keras as k1\nimport tensorflow.keras as k2\nimport tensorflow.compat.v1 as tf1\n"
        "np.testing.assert_equal({k.__version__ for k in (k1, k2, tf.keras, tf1.keras)}, {keras.__version__})",
    ),
    Row("monitored acc", MONITORED, ("history.acc", "history.lr")),
    Row(
        "reset_states",
        "q = keras.metrics.Mean()\nq.update_state(4.0)\nq.reset_states()\nassert float(q.result()) == 0.0",
        ("metrics.reset_states",),
    ),
    Row("K.function", PHASE, ("backend.function",)),
    Row("K.function passes", PASSES, ("backend.function", "backend.old_name")),
    Row(
        "K.mean",
        "def loss(t, p):\n    return K.sqrt(K.mean(K.square(t - p), axis=-1))\n"
        "n = keras.models.Sequential([keras.layers.Flatten(), keras.layers.Dense(1)])\nn.compile('sgd', loss)\n"
        "mean = float(K.mean(loss(y[:, None] * 1.0, n.predict(x, verbose=0))))\n"
        "assert abs(n.evaluate(x, y * 1.0, verbose=0) - mean) < 1e-4",
        ("backend.old_name",),
    ),
    Row(
        "dim ordering",
        "assert K.image_dim_ordering() == 'tf'\nK.set_image_dim_ordering('th')\n"
        "assert K.image_data_format() == 'channels_first'\nK.set_image_dim_ordering('tf')",
        ("backend.image_dim_ordering",),
    ),
    Row(
        "session",
        "from keras.backend.tensorflow_backend import set_session\nconfig = tf.ConfigProto()\n"
        "config.gpu_options.allow_growth = True\nset_session(tf.Session(config=config))\nK.clear_session()",
        ("moved.backend.tensorflow_backend", "tensorflow1", "backend.set_session"),
    ),
    Row(
        "seed",
        "tf.set_random_seed(3)\na = float(tf.random.uniform([]))\ntf.random.set_seed(3)\n"
        "assert a == float(tf.random.uniform([]))",
        ("tensorflow1",),
    ),
    Row("placeholder", "tf.placeholder(tf.float32)", (), "no attribute 'placeholder'"),
    Row("get_session", "K.get_session()", (), "no attribute 'get_session'"),
    Row("gradients", "K.gradients(m.output, m.input)", ("backend.old_name",), "tf.gradients is not supported"),
    Row("scikit-learn", SCIKIT, ("wrappers.scikit_learn",)),
    Row(
        "np_utils as an attribute",
        "assert keras.utils.np_utils.to_categorical([1], 2).shape == (1, 2)\n"
        "assert keras.layers.normalization.BatchNormalization is keras.layers.BatchNormalization\n"
        "assert tf.keras.utils.np_utils.to_categorical([1], 2).shape == (1, 2)",
        ("moved.utils.np_utils", "moved.layers.normalization"),
    ),
    Row("objectives", "from keras.objectives import categorical_crossentropy", ("moved.objectives",)),
    Row(
        "h5",
        "m, h = trained(keras.optimizers.SGD(lr=0.125, momentum=0.9))\nm.save('m.h5')\n"
        "n = keras.models.load_model('m.h5')\nassert type(n.optimizer) is keras.optimizers.SGD\n"
        "assert float(n.optimizer.learning_rate) == 0.125 and np.array_equal(n.predict(x), m.predict(x))\n"
        "n.fit(x, y, verbose=0)\nm.save_weights('w.hdf5'); n.load_weights('w.hdf5')\nm.save('m.keras')\n"
        "assert keras.models.load_model('m.keras').optimizer.momentum == 0.9",
        ("optimizer.lr",),
    ),
    Row(
        "plot_model",
        "keras.utils.plot_model(m)\nassert keras.utils.vis_utils.plot_model is keras.utils.plot_model",
        ("moved.utils.vis_utils",),
    ),
    Row("drawn model", "keras.utils.model_to_dot(m).create(prog='dot', format='svg')", (), "install pydot"),
    Row("LeakyReLU", "assert abs(float(keras.layers.LeakyReLU(alpha=0.25).alpha) - 0.25) < 1e-7"),
    Row(
        "input shapes",
        "n = keras.models.Sequential([keras.layers.InputLayer([10, 10, 3]), keras.layers.Conv2D(2, 3),\n"
        "    keras.layers.Dense(4, input_shape=(99,))])\nassert n.output_shape == (None, 8, 8, 4)",
    ),
    Row(
        "compile by position",
        "n = make()\nn.compile('nadam', 'sparse_categorical_crossentropy', ['accuracy'])\n"
        "assert 'accuracy' in n.fit(x, y, verbose=0).history",
        ("optimizer.default_rate",),
    ),
    Row(
        "aliases",
        "assert tf.losses.MeanSquaredError is keras.losses.MeanSquaredError and tf.metrics.Mean is keras.metrics.Mean\n"
        "assert tf.initializers.HeNormal is keras.initializers.HeNormal",
    ),
    Row(
        "subclassed",
        "class Net(keras.Model):\n    def __init__(self, output):\n        super().__init__()\n"
        "        self.a = keras.layers.Flatten(); self.b = keras.layers.Dense(output)\n"
        "    def call(self, z):\n        return self.b(self.a(z))\n"
        "n = Net(output=3)\n"
        "n.compile('adam', keras.losses.SparseCategoricalCrossentropy(from_logits=True), ['accuracy'])\n"
        "assert 'accuracy' in n.fit(x, y, verbose=0).history",
    ),
    Row(
        "augmentation",
        "from keras.preprocessing.image import ImageDataGenerator\n"
        "flow = ImageDataGenerator(width_shift_range=1).flow(x, y, batch_size=16)\n"
        "assert int(np.ceil(60 / flow.batch_size)) == 4\n"
        "b = make()\nb.compile('sgd', 'sparse_categorical_crossentropy')\n"
        "assert b.fit_generator(flow, samples_per_epoch=60, nb_epoch=1, verbose=0).params['steps'] == 4",
        ("models.fit_generator", "models.samples", "models.nb_epoch"),
    ),
    Row("to_categorical", "from keras.utils import to_categorical\nassert to_categorical([1], 3).shape == (1, 3)"),
    Row(
        "numpy",
        "assert np.float is float and np.Inf == np.inf and np.array([1]).astype(np.int).dtype.kind == 'i'",
        ("numpy.removed",),
    ),
    Row("numpy's own errors", "np.nonsense", (), "no attribute 'nonsense'"),
    Row(
        "ticks",
        "import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nax.set_xlim(0, 5)\n"
        "ax.set_xticks(np.arange(4) + 0.5, 4 / 10)\n"
        "assert len(ax.get_xticks(minor=True)) == 4\nax.set_yticks([0, 1], ['a', 'b'])\n"
        "assert [t.get_text() for t in ax.get_yticklabels()] == ['a', 'b']\nplt.close(fig)",
        ("matplotlib.set_ticks",),
    ),
    Row(
        "style",
        "import matplotlib.pyplot as plt\nplt.style.use(['ggplot', 'seaborn-whitegrid'])\n"
        "assert plt.rcParams['axes.grid'] and plt.rcParams['axes.facecolor'] == 'white'\nplt.style.use('default')",
        ("matplotlib.style",),
    ),
    Row("no style", "plt.style.use('seaborn-nothing')", (), "is not a valid package style"),
    Row("default rate", "assert abs(float(keras.optimizers.Adadelta(learning_rate=1.0).learning_rate) - 1) < 1e-7"),
)

STANDALONE = (
    Row("standalone start", "import keras\nfrom keras.layers import Conv2D, Convolution2D"),
    Row("kernel", "assert Conv2D(4, 3, 5).kernel_size == (3, 5)", ("layers.positional_kernel",)),
    Row("strides by name", "assert Conv2D(4, 3, strides=3).strides == (3, 3)"),
    Row("no rate", "keras.optimizers.Adadelta()", ("optimizer.default_rate",)),
    Row("plain Adam", "keras.optimizers.Adam()"),
)

KERAS_3 = (
    Row(
        "history in Keras 3",
        START
        + "m, h = trained('sgd', epochs=2, validation_split=0.25, callbacks=[keras.callbacks.ReduceLROnPlateau()])\n"
        "assert h.history['acc'] == h.history['accuracy'] and h.history['val_acc'] == h.history['val_accuracy']\n"
        "assert h.history['lr'] == h.history['learning_rate']\n"
        "assert sorted(h.history) == ['accuracy', 'learning_rate', 'loss', 'val_accuracy', 'val_loss']\n"
        "assert type(pickle.loads(pickle.dumps(h.history))) is dict and h.history.get('nonsense') is None",
        ("history.acc", "history.lr"),
    ),
    Row(
        "accuracy of acc in Keras 3",
        "n = make()\nn.compile('sgd', 'sparse_categorical_crossentropy', metrics=['acc'])\n"
        "h = n.fit(x, y, verbose=0)\nassert sorted(h.history) == ['acc', 'loss'] and h.history['accuracy']",
        ("history.accuracy",),
    ),
    Row(
        "logs in Keras 3",
        "class Stop(keras.callbacks.Callback):\n    def on_epoch_end(self, epoch, logs={}):\n"
        "        self.model.stop_training = logs.get('acc') > -1\n"
        "save = keras.callbacks.ModelCheckpoint('best-{epoch:02d}-{val_acc:.2f}.keras')\n"
        "m, h = trained('sgd', epochs=5, validation_split=0.25, callbacks=[Stop(), save])\n"
        "import glob\nassert len(h.epoch) == 1 and glob.glob('best-01-*.keras')",
        ("history.acc",),
    ),
    Row("environment in Keras 3", "import numpy as np\nassert np.float is float", ("numpy.removed",)),
    Row("Keras 3 stays", "import keras\nkeras.optimizers.Adam(lr=0.1)", (), "not recognized"),
    Row(
        "plot_model in Keras 3", "keras.utils.plot_model(keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]))"
    ),
    Row("no layers' keywords", "keras.layers.Dense(3, init='uniform')", (), "Unrecognized"),
    Row(
        "lr set",
        "o = keras.optimizers.Adam(0.25)\nfor _ in range(3):\n    o.lr = 0.5\n"
        "assert float(o.learning_rate) == 0.25 and o.lr == 0.5",
    ),
    Row(
        "lr set in a callback",
        "class Fall(keras.callbacks.Callback):\n    def on_epoch_begin(self, epoch, logs=None):\n"
        "        self.model.optimizer.lr = 0.125\n"
        "m = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])\nm.compile('sgd', 'mse')\n"
        "m.fit(np.ones((4, 3)), np.ones(4), verbose=0, callbacks=[Fall()])",
    ),
    Row("decay given", "keras.optimizers.SGD(0.01, decay=1e-4)"),
    Row("learning_rate set", "o.learning_rate = 0.5\nassert float(o.learning_rate) == 0.5"),
    Row(
        "lr of a class of their own",
        "class Mine(keras.optimizers.SGD):\n    def __init__(self, lr):\n        super().__init__(lr)\n"
        "        self.lr = lr\nMine(0.5).lr = 0.25",
    ),
    Row("no decay", "keras.optimizers.SGD(0.01, decay=0.0)"),
    Row("lr read", "keras.optimizers.SGD(0.01).lr", (), "no attribute 'lr'"),
)

RUNS = {"keras2": ROWS, "keras2-alone": STANDALONE, "keras3": KERAS_3}
FORKED = {"keras2", "keras3"}
"""Runs that find TensorFlow imported, as in a warm kernel; in the other one a cell imports Keras first."""


@dataclass(frozen=True, slots=True)
class Ran:
    results: dict[str, dict[str, Any]]
    events: list[dict[str, Any]]
    numbers: dict[str, int]

    def of(self, kind: str, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["kind"] == kind and event["cell"] == self.numbers[name]]


def _run(folder: Path, run: str, rows: tuple[Row, ...]) -> Ran:
    for name in ("out", "work", "home", "tmp", "data"):
        (folder / name).mkdir()
    session = {
        "version": 1, "out": str(folder / "out"), "data": str(folder / "data"), "datasets": [],
        "dialect": run.partition("-")[0], "seed": 7, "fit_time": 60, "deadline": time.time() + 600, "reserve": 5,
        "max_models_mib": 50, "max_output_kib": 64, "graded_dataset": "mnist",
    }  # fmt: skip
    (folder / "session.json").write_text(json.dumps(session), encoding="utf-8")
    request = {
        "inside": str(inside_alone()), "session": str(folder / "session.json"),
        "results": str(folder / "results.json"), "cells": [row.code for row in rows], "hooks": True,
    }  # fmt: skip
    (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
    own = {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp"), "MPLBACKEND": "agg"}
    env = {"PATH": "/usr/bin:/bin", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", **own}
    words = [str(DRIVER), str(folder / "request.json")]
    if run in FORKED:
        ran = forked_python(run, words, env, folder / "work", timeout=580)
    else:
        ran = subprocess.run(
            [sys.executable, *words], cwd=folder / "work", env=env, capture_output=True, text=True, check=False
        )
    assert ran.returncode == 0, ran.stderr[-4000:]
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    lines = (folder / "out/events.jsonl").read_text(encoding="utf-8").splitlines()
    names = [row.name for row in rows]
    return Ran(
        dict(zip(names, results, strict=True)),
        [json.loads(line) for line in lines],
        {name: number for number, name in enumerate(names, 1)},
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Ran]:
    class Made(dict[str, Ran]):
        def __missing__(self, run: str) -> Ran:
            self[run] = _run(tmp_path_factory.mktemp(run), run, RUNS[run])
            return self[run]

    return Made()


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("run", "row"), [pytest.param(run, row, id=f"{run}-{row.name}") for run, rows in RUNS.items() for row in rows]
)
def test_a_form_has_its_old_meaning_and_says_so(runs: Mapping[str, Ran], run: str, row: Row) -> None:
    result = runs[run].results[row.name]
    if row.error is None:
        assert result["error"] is None, result["output"][-3000:]
    else:
        assert row.error in (result["error"] or ["", ""])[1], result["output"][-3000:]
    told = runs[run].of("emulated", row.name)
    assert {event["form"] for event in told} == set(row.forms)
    assert all(event["message"] == FORMS[event["form"]].message for event in told if event["form"] in FORMS)


@pytest.mark.tensorflow
@pytest.mark.parametrize("run", RUNS)
def test_every_part_of_the_layer_fits_the_installed_keras(runs: Mapping[str, Ran], run: str) -> None:
    assert [event for event in runs[run].events if event["kind"] in {"gap", "unhooked"}] == []


@pytest.mark.tensorflow
def test_a_backend_function_is_no_network_and_its_passes_are_those_of_the_network_it_ends_with(
    runs: Mapping[str, Ran],
) -> None:
    described = {
        event["model"]["id"]: event["model"]["name"] for event in runs["keras2"].of("model", "K.function passes")
    }
    assert list(described.values()) == ["first"]
    calls = {event["training"]: event for event in runs["keras2"].of("calls", "K.function passes")}
    assert {event["model"] for event in calls.values()} == set(described)
    assert {phase: (event["repeats"], event["outputs_differ"]) for phase, event in calls.items()} == {
        True: (5, True),
        False: (1, None),
    }
    assert calls[True]["x"]["shape"] == [64, 8, 8, 1]


@pytest.mark.tensorflow
def test_the_record_shows_the_public_optimizer_and_the_rate_that_was_used(runs: Mapping[str, Ran]) -> None:
    (compiled,) = runs["keras2"].of("compile", "decay in fit")
    assert compiled["optimizer"]["cls"] == "SGD"
    assert compiled["optimizer"]["learning_rate"] == 0.01
    assert compiled["optimizer"]["config"]["decay"] == 0.001
    (fit,) = runs["keras2"].of("fit_end", "decay in fit")
    # 64 rows in batches of 16: the last step of the epochs is the 4th, 8th and 12th.
    assert fit["rates"] == pytest.approx([0.01 / (1 + 0.001 * step) for step in (3, 7, 11)], rel=1e-6)
    assert fit["step_rates"] == pytest.approx([0.01 / (1 + 0.001 * step) for step in range(12)], rel=1e-6)


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["history acc", "monitored acc", "samples", "nb_epoch", "augmentation"])
def test_a_training_in_an_old_form_is_recorded_as_any_other(runs: Mapping[str, Ran], name: str) -> None:
    (fit,) = runs["keras2"].of("fit_end", name)
    assert fit["status"] in {"completed", "stopped_early"}
    assert fit["epochs"] == len(fit["history"]["loss"])
    assert not {"acc", "val_acc"} & set(fit["history"])


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("name", "form", "value"),
    [
        ("lr set", "optimizer.lr", 0.5),
        ("lr set in a callback", "optimizer.lr", 0.125),
        ("decay given", "optimizer.decay", 0.0001),
    ],
)
def test_what_keras_3_takes_and_does_not_heed_is_recorded_once_a_cell(
    runs: Mapping[str, Ran], name: str, form: str, value: float
) -> None:
    (event,) = runs["keras3"].of("ignored", name)
    assert (event["form"], event["value"]) == (form, value)


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["learning_rate set", "lr of a class of their own", "no decay", "lr read"])
def test_what_only_looks_like_it_is_not(runs: Mapping[str, Ran], name: str) -> None:
    assert runs["keras3"].of("ignored", name) == []


@pytest.mark.tensorflow
def test_what_has_its_old_meaning_is_not_ignored(runs: Mapping[str, Ran]) -> None:
    assert [event for event in runs["keras2"].events if event["kind"] == "ignored"] == []


def test_every_form_has_a_row_that_uses_it() -> None:
    used = {form for rows in RUNS.values() for row in rows for form in row.forms}
    assert set(FORMS) - used == set()
    assert all(form in FORMS or form.partition(".")[2] in MOVED for form in used)


def test_every_form_is_documented_with_its_test() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for form, known in FORMS.items():
        (line,) = [line for line in text.splitlines() if line.startswith(f"| `{form}` |")]
        named = [row.name for rows in RUNS.values() for row in rows if form in row.forms and f"“{row.name}”" in line]
        assert named, form
        assert known.modern.replace("|", "\\|") in line
