# %% setup
import numpy as np
import tensorflow as tf
from tensorflow.keras import layers, models, optimizers
from tensorflow.keras.applications import VGG16
# %% data
rng = np.random.default_rng(2)
train_images, train_labels = rng.random((24, 32, 32, 3)).astype('float32'), rng.integers(0, 2, 24)
val_images, val_labels = rng.random((8, 32, 32, 3)).astype('float32'), rng.integers(0, 2, 8)
# %% features
conv_base = tf.keras.applications.MobileNetV2(weights=None, alpha=0.35, include_top=False, input_shape=(32, 32, 3))
train_features = conv_base.predict(train_images, verbose=0)
val_features = conv_base.predict(val_images, verbose=0)
train_features = train_features.reshape(24, -1)
val_features = val_features.reshape(8, -1)
# %% classifier
model = models.Sequential()
model.add(layers.Dense(32, activation='relu', input_dim=train_features.shape[1]))
model.add(layers.Dropout(0.5))
model.add(layers.Dense(1, activation='sigmoid'))
model.compile(optimizer=optimizers.RMSprop(2e-5), loss='binary_crossentropy', metrics=['acc'])
history = model.fit(train_features, train_labels, epochs=2, batch_size=8, validation_data=(val_features, val_labels))
# %% on top
model = models.Sequential()
model.add(conv_base)
model.add(layers.Flatten())
model.add(layers.Dense(32, activation='relu'))
model.add(layers.Dense(1, activation='sigmoid'))
conv_base.trainable = False
model.compile(loss='binary_crossentropy', optimizer=optimizers.RMSprop(2e-5), metrics=['acc'])
history = model.fit(train_images, train_labels, epochs=1, batch_size=8, validation_data=(val_images, val_labels))
# %% fine-tune
conv_base.trainable = True
set_trainable = False
for layer in conv_base.layers:
    if layer.name == 'block_16_expand':
        set_trainable = True
    layer.trainable = set_trainable
model.compile(loss='binary_crossentropy', optimizer=optimizers.RMSprop(1e-5), metrics=['acc'])
history = model.fit(train_images, train_labels, epochs=1, batch_size=8, validation_data=(val_images, val_labels))
# %% activations
layer_outputs = [layer.output for layer in conv_base.layers[1:8]]
activation_model = models.Model(inputs=conv_base.input, outputs=layer_outputs)
activations = activation_model.predict(train_images[:1])
