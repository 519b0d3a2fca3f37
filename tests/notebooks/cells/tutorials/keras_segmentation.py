# %% setup
import numpy as np
import keras
from keras import layers
import tensorflow as tf
# %% data
rng = np.random.default_rng(9)
images = rng.integers(0, 256, size=(24, 32, 32, 3)).astype("float32")
targets = rng.integers(0, 3, size=(24, 32, 32, 1)).astype("uint8")
train_dataset = tf.data.Dataset.from_tensor_slices((images[:16], targets[:16])).batch(8)
valid_dataset = tf.data.Dataset.from_tensor_slices((images[16:], targets[16:])).batch(8)
num_classes = 3
# %% U-Net of Xception blocks
def get_model(img_size, num_classes):
    inputs = keras.Input(shape=img_size + (3,))
    x = layers.Conv2D(32, 3, strides=2, padding="same")(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("relu")(x)
    previous_block_activation = x
    for filters in [64, 128]:
        x = layers.Activation("relu")(x)
        x = layers.SeparableConv2D(filters, 3, padding="same")(x)
        x = layers.BatchNormalization()(x)
        x = layers.Activation("relu")(x)
        x = layers.SeparableConv2D(filters, 3, padding="same")(x)
        x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        residual = layers.Conv2D(filters, 1, strides=2, padding="same")(previous_block_activation)
        x = layers.add([x, residual])
        previous_block_activation = x
    for filters in [128, 64, 32]:
        x = layers.Activation("relu")(x)
        x = layers.Conv2DTranspose(filters, 3, padding="same")(x)
        x = layers.BatchNormalization()(x)
        x = layers.Activation("relu")(x)
        x = layers.Conv2DTranspose(filters, 3, padding="same")(x)
        x = layers.BatchNormalization()(x)
        x = layers.UpSampling2D(2)(x)
        residual = layers.UpSampling2D(2)(previous_block_activation)
        residual = layers.Conv2D(filters, 1, padding="same")(residual)
        x = layers.add([x, residual])
        previous_block_activation = x
    outputs = layers.Conv2D(num_classes, 3, activation="softmax", padding="same")(x)
    return keras.Model(inputs, outputs)

model = get_model((32, 32), num_classes)
model.summary()
# %% train
model.compile(optimizer=keras.optimizers.Adam(1e-4), loss="sparse_categorical_crossentropy")
callbacks = [keras.callbacks.ModelCheckpoint("oxford_segmentation.keras", save_best_only=True)]
model.fit(train_dataset, epochs=1, validation_data=valid_dataset, callbacks=callbacks, verbose=2)
# %% predict
val_preds = model.predict(valid_dataset)
mask = np.argmax(val_preds[0], axis=-1)
