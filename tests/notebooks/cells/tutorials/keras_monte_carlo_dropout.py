# %% setup
import numpy as np
import keras
from keras import layers
# %% data
(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train = x_train[:1000, ..., np.newaxis].astype("float32") / 255.0
x_test, y_test = x_test[:200, ..., np.newaxis].astype("float32") / 255.0, y_test[:200]
y_train = y_train[:1000]
# %% model
def get_model(mc=False):
    inp = keras.Input((28, 28, 1))
    x = layers.Conv2D(16, 3, activation="relu")(inp)
    x = layers.MaxPooling2D()(x)
    x = layers.Dropout(0.25)(x, training=True if mc else None)
    x = layers.Flatten()(x)
    x = layers.Dense(64, activation="relu")(x)
    x = layers.Dropout(0.5)(x, training=True if mc else None)
    out = layers.Dense(10, activation="softmax")(x)
    model = keras.Model(inp, out)
    model.compile(loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return model

model, mc_model = get_model(), get_model(mc=True)
h = model.fit(x_train, y_train, batch_size=64, epochs=1, validation_split=0.1, verbose=0)
h_mc = mc_model.fit(x_train, y_train, batch_size=64, epochs=1, validation_split=0.1, verbose=0)
# %% passes
mc_predictions = []
for i in range(20):
    mc_predictions.append(mc_model.predict(x_test, batch_size=200, verbose=0))
accs = [np.mean(p.argmax(axis=1) == y_test) for p in mc_predictions]
print("MC accuracy: {:.1%}".format(sum(accs) / len(accs)))
mc_ensemble_pred = np.array(mc_predictions).mean(axis=0).argmax(axis=1)
print("MC-ensemble accuracy: {:.1%}".format(np.mean(mc_ensemble_pred == y_test)))
# %% the other way
y_probas = np.stack([model(x_test, training=True) for sample in range(20)])
y_proba = y_probas.mean(axis=0)
y_std = y_probas.std(axis=0)
# %% hyperparameters
results = {}
for units in (16, 32):
    for rate in (1e-3, 1e-2):
        candidate = keras.Sequential(
            [keras.Input((28, 28, 1)), layers.Flatten(), layers.Dense(units, "relu"), layers.Dense(10, "softmax")])
        candidate.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
        candidate.fit(x_train[:800], y_train[:800], epochs=1, verbose=0)
        results[units, rate] = candidate.evaluate(x_train[800:], y_train[800:], verbose=0)[1]
best = max(results, key=results.get)
print("best:", best, "accuracy:", results[best])
