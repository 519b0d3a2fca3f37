# %% setup
import numpy as np
import keras
from keras import layers, ops
import tensorflow as tf
import matplotlib.pyplot as plt
# %% data
crop_size, upscale_factor = 36, 3
input_size = crop_size // upscale_factor
rng = np.random.default_rng(2)
photos = rng.integers(0, 256, size=(24, crop_size, crop_size, 3)).astype("float32")
train_ds = tf.data.Dataset.from_tensor_slices(photos).batch(8)

def scaling(input_image):
    return input_image / 255.0

def process_input(input):
    input = tf.image.rgb_to_yuv(input)
    y, u, v = tf.split(input, 3, axis=3)
    return tf.image.resize(y, [input_size, input_size], method="area")

def process_target(input):
    input = tf.image.rgb_to_yuv(input)
    y, u, v = tf.split(input, 3, axis=3)
    return y

train_ds = train_ds.map(scaling).map(lambda x: (process_input(x), process_target(x))).prefetch(buffer_size=32)
# %% model
class DepthToSpace(layers.Layer):
    def __init__(self, block_size):
        super().__init__()
        self.block_size = block_size

    def call(self, input):
        return tf.nn.depth_to_space(input, self.block_size)

def get_model(upscale_factor=3, channels=1):
    conv_args = {"activation": "relu", "kernel_initializer": "orthogonal", "padding": "same"}
    inputs = keras.Input(shape=(None, None, channels))
    x = layers.Conv2D(64, 5, **conv_args)(inputs)
    x = layers.Conv2D(64, 3, **conv_args)(x)
    x = layers.Conv2D(32, 3, **conv_args)(x)
    x = layers.Conv2D(channels * (upscale_factor**2), 3, **conv_args)(x)
    outputs = DepthToSpace(upscale_factor)(x)
    return keras.Model(inputs, outputs)

model = get_model(upscale_factor=upscale_factor, channels=1)
# %% train
model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.001), loss=keras.losses.MeanSquaredError())
early_stopping_callback = keras.callbacks.EarlyStopping(monitor="loss", patience=10)
model.fit(train_ds, epochs=2, callbacks=[early_stopping_callback], verbose=2)
# %% result
low, high = next(iter(train_ds))
fig, ax = plt.subplots()
ax.imshow(model.predict(low)[0, ..., 0], cmap="gray")
plt.title("prediction")
plt.yticks(visible=False)
plt.show()
