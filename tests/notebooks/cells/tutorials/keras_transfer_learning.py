# %% setup
import numpy as np
import keras
from keras import layers
import tensorflow as tf
# %% trainable weights
layer = keras.layers.Dense(3)
layer.build((None, 4))
layer.trainable = False
print("weights:", len(layer.weights), "trainable_weights:", len(layer.trainable_weights))
# %% frozen first layer
layer1 = keras.layers.Dense(3, activation="relu")
layer2 = keras.layers.Dense(3, activation="sigmoid")
model = keras.Sequential([keras.Input(shape=(3,)), layer1, layer2])
layer1.trainable = False
initial_layer1_weights_values = layer1.get_weights()
model.compile(optimizer="adam", loss="mse")
model.fit(np.random.random((2, 3)), np.random.random((2, 3)))
final_layer1_weights_values = layer1.get_weights()
np.testing.assert_allclose(initial_layer1_weights_values[0], final_layer1_weights_values[0])
# %% data
size = (48, 48)
rng = np.random.default_rng(1)
images = rng.integers(0, 256, size=(72, 60, 80, 3)).astype("uint8")
labels = rng.integers(0, 2, size=72)
train_ds = tf.data.Dataset.from_tensor_slices((images[:48], labels[:48]))
validation_ds = tf.data.Dataset.from_tensor_slices((images[48:60], labels[48:60]))
test_ds = tf.data.Dataset.from_tensor_slices((images[60:], labels[60:]))
resize_fn = keras.layers.Resizing(48, 48)
train_ds = train_ds.map(lambda x, y: (resize_fn(x), y))
validation_ds = validation_ds.map(lambda x, y: (resize_fn(x), y))
test_ds = test_ds.map(lambda x, y: (resize_fn(x), y))
# %% augmentation
augmentation_layers = [layers.RandomFlip("horizontal"), layers.RandomRotation(0.1)]

def data_augmentation(x):
    for layer in augmentation_layers:
        x = layer(x)
    return x

train_ds = train_ds.map(lambda x, y: (data_augmentation(x), y))
batch_size = 16
train_ds = train_ds.batch(batch_size).prefetch(tf.data.AUTOTUNE).cache()
validation_ds = validation_ds.batch(batch_size).prefetch(tf.data.AUTOTUNE).cache()
test_ds = test_ds.batch(batch_size).prefetch(tf.data.AUTOTUNE).cache()
# %% model
base_model = keras.applications.MobileNetV2(weights=None, alpha=0.35, input_shape=(48, 48, 3), include_top=False)
base_model.trainable = False
inputs = keras.Input(shape=(48, 48, 3))
scale_layer = keras.layers.Rescaling(scale=1 / 127.5, offset=-1)
x = scale_layer(inputs)
x = base_model(x, training=False)
x = keras.layers.GlobalAveragePooling2D()(x)
x = keras.layers.Dropout(0.2)(x)
outputs = keras.layers.Dense(1)(x)
model = keras.Model(inputs, outputs)
model.summary(show_trainable=True)
# %% top layer
model.compile(
    optimizer=keras.optimizers.Adam(),
    loss=keras.losses.BinaryCrossentropy(from_logits=True),
    metrics=[keras.metrics.BinaryAccuracy()],
)
model.fit(train_ds, epochs=2, validation_data=validation_ds)
# %% fine-tuning
base_model.trainable = True
model.compile(
    optimizer=keras.optimizers.Adam(1e-5),
    loss=keras.losses.BinaryCrossentropy(from_logits=True),
    metrics=[keras.metrics.BinaryAccuracy()],
)
model.fit(train_ds, epochs=1, validation_data=validation_ds)
# %% test
print("Test dataset evaluation")
model.evaluate(test_ds)
