# ruff: noqa: RUF001 - Chinese has commas of its own
"""Small notebooks as students write them: one ordinary notebook, and what each of the others does differently."""

from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

__all__ = ["NOTEBOOKS", "write_notebook"]

BEFORE = (
    "The network has two convolutions with ReLU, dropout against overfitting, then flatten and a dense softmax layer "
    "that gives one probability for each of the ten digits. Kernels of 3 by 3 are enough, since strokes are short."
)
AFTER = (
    "The curves show that the loss falls from epoch to epoch and that the accuracy rises on both training and "
    "validation data, so there is no overfitting yet."
)
ORDINARY = {
    "text": BEFORE,
    "import": """
import numpy as np, matplotlib.pyplot as plt, tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers
""",
    "data": """
(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train, y_train = x_train[:2600, ..., None] / 255.0, y_train[:2600]
x_test = x_test[..., None] / 255.0
""",
    "model": """
model = keras.Sequential([
    keras.Input((28, 28, 1)),
    layers.Conv2D(8, 3, strides=2, activation="relu"), layers.Conv2D(16, 3, strides=2, activation="relu"),
    layers.Flatten(), layers.Dropout(0.2), layers.Dense(10, activation="softmax"),
])
""",
    "compile": 'model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])',
    "fit": "history = model.fit(x_train, y_train, epochs=2, batch_size=32, validation_split=0.1, verbose=0)",
    "plot": """
for metric in ("loss", "accuracy"):
    plt.plot(history.history[metric]); plt.plot(history.history["val_" + metric])
    plt.xlabel("epoch"); plt.ylabel(metric); plt.show()
""",
    "more": "",
    "words": AFTER,
}
"""Parts of the ordinary notebook, in order; `text` and `words` are text cells."""

NOTEBOOKS: dict[str, dict[str, str]] = {
    "subclassed": {
        "model": """
class Net(keras.Model):
    def __init__(self):
        super().__init__()
        self.first = layers.Conv2D(8, 3, strides=2, activation="relu")
        self.second = layers.Conv2D(16, 3, strides=2, activation="relu")
        self.flat, self.drop, self.out = layers.Flatten(), layers.Dropout(0.2), layers.Dense(10)

    def call(self, x, training=False):
        return self.out(self.drop(self.flat(self.second(self.first(x))), training=training))

model = Net()
""",
        "compile": (
            'model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])'
        ),
    },
    "reshaped_inside": {
        "data": """
(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train, y_train = x_train[:2600], y_train[:2600]
""",
        "model": """
model = keras.Sequential([
    keras.Input((28, 28)), layers.Reshape((28, 28, 1)), layers.Rescaling(1 / 255),
    layers.Conv2D(8, 3, strides=2, activation="relu"), layers.Conv2D(16, 3, strides=2, activation="relu"),
    layers.Flatten(), layers.Dropout(0.2), layers.Dense(10, activation="softmax"),
])
""",
    },
    "graph_loop": {
        "compile": "",
        "fit": """
optimizer, loss_of = keras.optimizers.Adam(), keras.losses.SparseCategoricalCrossentropy()
batches = tf.data.Dataset.from_tensor_slices((x_train.astype("float32"), y_train)).shuffle(500).batch(50)
tests = tf.data.Dataset.from_tensor_slices((x_test.astype("float32")[:500], y_test[:500])).batch(250)
right, mean = keras.metrics.SparseCategoricalAccuracy(), keras.metrics.Mean()

@tf.function
def train_step(x, y):
    with tf.GradientTape() as tape:
        p = model(x, training=True)
        loss = loss_of(y, p)
    optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
    mean(loss)

@tf.function
def test_step(x, y):
    right(y, model(x, training=False))

losses, accuracies = [], []
for epoch in range(3):
    for x, y in batches:
        train_step(x, y)
    for x, y in tests:
        test_step(x, y)
    losses.append(float(mean.result())); accuracies.append(float(right.result()))
    mean.reset_state(); right.reset_state()
""",
        "plot": """
for name, values in {"loss": losses, "accuracy": accuracies}.items():
    plt.plot(values); plt.xlabel("epoch"); plt.ylabel(name); plt.show()
""",
    },
    "pipeline": {
        "data": """
(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()

def prepare(x, y):
    return tf.cast(x, tf.float32)[..., None] / 255.0, tf.one_hot(y, 10)

def batches(x, y):
    return tf.data.Dataset.from_tensor_slices((x, y)).map(prepare).shuffle(1000).batch(32).prefetch(2)

train, val = batches(x_train[:2600], y_train[:2600]), batches(x_train[58000:], y_train[58000:])
""",
        "compile": (
            'model.compile("adam", keras.losses.CategoricalCrossentropy(label_smoothing=0.1), metrics=["accuracy"])'
        ),
        "fit": "history = model.fit(train, epochs=2, validation_data=val, verbose=0)",
    },
    "worse_later": {
        "more": """
model = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10, activation="softmax")])
model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train[:500], y_train[:500], epochs=1, verbose=0)
""",
    },
    "two_scales": {
        "fit": "history = model.fit(x_train, y_train, epochs=4, batch_size=32, validation_split=0.1, verbose=0)",
        "plot": """
fig, left = plt.subplots()
right = left.twinx()
smooth = [history.history["loss"][0]]
for value in history.history["loss"][1:]:
    smooth.append(0.8 * smooth[-1] + 0.2 * value)
left.plot(smooth); left.set_xlabel("epoch"); left.set_ylabel("loss")
right.plot(history.history["accuracy"]); right.set_ylabel("accuracy")
fig.savefig("curves.png"); plt.close(fig)
""",
    },
    "chinese": {
        "text": (
            "本网络由两个卷积层、展平层、随机失活层和全连接层组成。卷积层用来提取局部特征，随机失活层用来防止过拟合，"
            "最后的全连接层输出十个类别的概率。"
        ),
        "words": "从学习曲线可以看出，损失在每一轮训练中都在下降，准确率不断上升，没有出现过拟合现象。",
    },
    "in_function": {
        "model": "",
        "compile": "",
        "fit": """
def main():
    net = keras.Sequential([
        keras.Input((28, 28, 1)),
        layers.Conv2D(8, 3, strides=2, activation="relu"), layers.Conv2D(16, 3, strides=2, activation="relu"),
        layers.Flatten(), layers.Dropout(0.2), layers.Dense(10, activation="softmax"),
    ])
    net.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return net.fit(x_train, y_train, epochs=2, batch_size=32, validation_split=0.1, verbose=2)

if __name__ == "__main__":
    history = main()
""",
    },
    "trained_on_test": {
        "data": """
(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x = np.concatenate([x_train[:1300], x_test[:1300]])[..., None] / 255.0
y = np.concatenate([y_train[:1300], y_test[:1300]])
order = np.random.permutation(len(x))
x_train, y_train = x[order], y[order]
""",
    },
    "loaded_again": {
        "fit": """
first = model.fit(x_train, y_train, epochs=2, batch_size=32, validation_split=0.1, verbose=0)
model.save("digits.keras")
del model
model = keras.models.load_model("digits.keras")
second = model.fit(x_train, y_train, epochs=1, batch_size=32, validation_split=0.1, verbose=0)
""",
        "plot": """
for metric in ("loss", "accuracy"):
    plt.plot(first.history[metric] + second.history[metric]); plt.xlabel("epoch"); plt.ylabel(metric); plt.show()
""",
    },
    "from_a_generator": {
        "fit": """
def endless(x, y, size=32):
    while True:
        chosen = np.random.randint(0, len(x), size)
        yield x[chosen], y[chosen]

history = model.fit(endless(x_train, y_train), steps_per_epoch=80, epochs=2, verbose=0,
                    validation_data=(x_test[:500], y_test[:500]))
""",
    },
    "batch_by_batch": {
        "fit": """
losses, accuracies = [], []
for epoch in range(2):
    order = np.random.permutation(2400)
    for start in range(0, 2400, 40):
        batch = order[start : start + 40]
        loss, _ = model.train_on_batch(x_train[batch], y_train[batch])
    losses.append(loss)
    accuracies.append(model.evaluate(x_train[2400:], y_train[2400:], verbose=0)[1])
""",
        "plot": """
for name, values in {"loss": losses, "accuracy": accuracies}.items():
    plt.plot(values); plt.xlabel("epoch"); plt.ylabel(name); plt.show()
""",
    },
    "without_optimizer": {
        "compile": "",
        "fit": """
loss_of, losses, accuracies = keras.losses.SparseCategoricalCrossentropy(), [], []
for epoch in range(2):
    for start in range(0, 2400, 20):
        with tf.GradientTape() as tape:
            loss = loss_of(y_train[start : start + 20], model(x_train[start : start + 20], training=True))
        for weight, slope in zip(model.trainable_variables, tape.gradient(loss, model.trainable_variables)):
            weight.assign_sub(0.1 * slope)
    losses.append(float(loss))
    accuracies.append(np.mean(np.argmax(model(x_train[2400:], training=False), axis=1) == y_train[2400:]))
""",
        "plot": """
for name, values in {"loss": losses, "accuracy": accuracies}.items():
    plt.plot(values); plt.xlabel("epoch"); plt.ylabel(name); plt.show()
""",
    },
    "rate_set_in_vain": {
        "import": """
import numpy as np, matplotlib.pyplot as plt
import keras
from keras import layers, ops
""",
        "fit": """
history = model.fit(x_train, y_train, epochs=2, batch_size=32, validation_split=0.1, verbose=0)
model.optimizer.lr = 1e-4
""",
    },
    "decay_in_vain": {
        "import": """
import numpy as np, matplotlib.pyplot as plt
import keras
from keras import layers, ops
""",
        "compile": """
optimizer = keras.optimizers.Adam(learning_rate=1e-3, decay=1e-4)
model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
""",
    },
    "keras_1": {
        "import": """
import numpy as np
import matplotlib.pyplot as plt
from keras.datasets import mnist
from keras.models import Sequential
from keras.layers.core import Dense, Dropout, Activation, Flatten
from keras.layers.convolutional import Convolution2D, MaxPooling2D
from keras.utils import np_utils
from keras.optimizers import SGD
""",
        "data": """
(x_train, y_train), (x_test, y_test) = mnist.load_data()
x_train = x_train[:2600].reshape(-1, 28, 28, 1).astype("float32") / 255
y_train = np_utils.to_categorical(y_train[:2600], 10)
""",
        "model": """
model = Sequential()
model.add(Convolution2D(8, 3, 3, border_mode="valid", input_shape=(28, 28, 1)))
model.add(Activation("relu"))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Dropout(0.25))
model.add(Flatten())
model.add(Dense(10))
model.add(Activation("softmax"))
""",
        "compile": """
sgd = SGD(lr=0.05, decay=1e-6, momentum=0.9, nesterov=True)
model.compile(loss="categorical_crossentropy", optimizer=sgd, metrics=["accuracy"])
""",
        "fit": "history = model.fit(x_train, y_train, batch_size=32, nb_epoch=2, verbose=0, validation_split=0.1)",
        "plot": """
plt.plot(history.history["acc"]); plt.plot(history.history["val_acc"])
plt.ylabel("accuracy"); plt.xlabel("epoch"); plt.show()
plt.plot(history.history["loss"]); plt.plot(history.history["val_loss"])
plt.ylabel("loss"); plt.xlabel("epoch"); plt.show()
""",
    },
    "from_colab": {
        "import": """
%tensorflow_version 2.x
from google.colab import drive
drive.mount("/content/drive")
!pip install -q tensorflow==2.4 tqdm
% matplotlib inline
import cv2
from tqdm.notebook import tqdm
import numpy as np, matplotlib.pyplot as plt, tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers
plt.style.use("seaborn-whitegrid")
""",
        "more": """
model.save("/content/drive/MyDrive/digits.keras")
for _ in tqdm(range(2)):
    pass
""",
    },
    "from_tfds": {
        "data": """
import tensorflow_datasets as tfds
(train, test), info = tfds.load("mnist", split=["train", "test"], as_supervised=True, with_info=True)

def prepare(image, label):
    return tf.cast(image, tf.float32) / 255.0, label

train = train.map(prepare).take(2600).cache().shuffle(2600).batch(32).prefetch(2)
test = test.map(prepare).batch(128)
""",
        "fit": "history = model.fit(train, epochs=2, validation_data=test, verbose=0)",
    },
    "two_inputs": {
        "model": """
image, row = keras.Input((28, 28, 1)), keras.Input((784,))
maps = layers.Conv2D(16, 3, strides=2, activation="relu")(layers.Conv2D(8, 3, strides=2, activation="relu")(image))
both = layers.concatenate([layers.Flatten()(maps), layers.Dense(16, activation="relu")(row)])
model = keras.Model([image, row], layers.Dense(10, activation="softmax")(layers.Dropout(0.2)(both)))
""",
        "fit": """
history = model.fit([x_train, x_train.reshape(-1, 784)], y_train, epochs=2, batch_size=32, validation_split=0.1,
                    verbose=0)
""",
    },
}
"""Name of a submission → the parts in which it differs from the ordinary notebook; an empty part is left out."""


def write_notebook(name: str, folder: Path) -> Path:
    """Write one of `NOTEBOOKS` into a folder of its own.

    Args:
        name: Which one.
        folder: Where its folder is made.
    """
    parts = ORDINARY | NOTEBOOKS[name]
    path = folder / name / f"{name}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(_notebook(parts), path)
    return path


def _notebook(parts: dict[str, str]) -> NotebookNode:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [
        new_markdown_cell(source) if part in {"text", "words"} else new_code_cell(source.strip())
        for part, source in parts.items()
        if source.strip()
    ]
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})
