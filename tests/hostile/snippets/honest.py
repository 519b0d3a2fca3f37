# %% [markdown]
# A small network with one convolution.
# %%
import keras
import matplotlib.pyplot as plt
import numpy as np

x, y = np.load("/data/tiny/x_train.npy")[..., None] / 255.0, np.load("/data/tiny/y_train.npy")
# %%
model = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        keras.layers.Conv2D(8, 4, strides=4, activation="relu"),
        keras.layers.Dropout(0.1),
        keras.layers.Flatten(),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x, y, epochs=12, batch_size=20, verbose=0)
# %%
plt.plot(history.history["loss"])
plt.xlabel("epoch")
plt.ylabel("loss")
plt.show()
