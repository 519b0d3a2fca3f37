# %% setup
import numpy as np
import tensorflow as tf
from tensorflow.keras import layers, regularizers
from matplotlib import pyplot as plt
# %% data
FEATURES = 28
N_VALIDATION, N_TRAIN, BATCH_SIZE = 100, 400, 50
STEPS_PER_EPOCH = N_TRAIN // BATCH_SIZE
rng = np.random.default_rng(5)
features = rng.normal(size=(500, FEATURES)).astype('float32')
labels = (features[:, :1] + rng.normal(size=(500, 1)) > 0).astype('float32')
packed_ds = tf.data.Dataset.from_tensor_slices((features, labels))
for features, label in packed_ds.batch(500).take(1):
    plt.hist(features.numpy().flatten(), bins=101)
validate_ds = packed_ds.take(N_VALIDATION).cache().batch(BATCH_SIZE)
train_ds = packed_ds.skip(N_VALIDATION).take(N_TRAIN).cache().shuffle(400).repeat().batch(BATCH_SIZE)
# %% training
lr_schedule = tf.keras.optimizers.schedules.InverseTimeDecay(
    0.001, decay_steps=STEPS_PER_EPOCH * 1000, decay_rate=1, staircase=False)

def get_optimizer():
    return tf.keras.optimizers.Adam(lr_schedule)

step = np.linspace(0, 100000)
lr = lr_schedule(step)
plt.figure(figsize=(8, 6))
plt.plot(step / STEPS_PER_EPOCH, lr)
plt.ylim([0, max(plt.ylim())])
plt.xlabel('Epoch')
_ = plt.ylabel('Learning Rate')

def get_callbacks(name):
    return [tf.keras.callbacks.EarlyStopping(monitor='val_binary_crossentropy', patience=200)]

def compile_and_fit(model, name, optimizer=None, max_epochs=3):
    if optimizer is None:
        optimizer = get_optimizer()
    model.compile(
        optimizer=optimizer,
        loss=tf.keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[
            tf.keras.metrics.BinaryCrossentropy(from_logits=True, name='binary_crossentropy'), 'accuracy'])
    model.summary()
    return model.fit(
        train_ds, steps_per_epoch=STEPS_PER_EPOCH, epochs=max_epochs, validation_data=validate_ds,
        callbacks=get_callbacks(name), verbose=0)
# %% tiny
size_histories = {}
tiny_model = tf.keras.Sequential([
    layers.Dense(16, activation='elu', input_shape=(FEATURES,)),
    layers.Dense(1),
])
size_histories['Tiny'] = compile_and_fit(tiny_model, 'sizes/Tiny')
# %% plot
def plot(histories):
    for name, history in histories.items():
        values = history.history['val_binary_crossentropy']
        plt.plot(values, '--', label=name.title() + ' Val')
        plt.plot(history.history['binary_crossentropy'], label=name.title() + ' Train')
    plt.xlabel('Epochs')
    plt.ylabel('binary_crossentropy')
    plt.legend()

plot(size_histories)
# %% large
large_model = tf.keras.Sequential([
    layers.Dense(512, activation='elu', input_shape=(FEATURES,)),
    layers.Dense(512, activation='elu'),
    layers.Dense(1),
])
size_histories['large'] = compile_and_fit(large_model, 'sizes/large')
plot(size_histories)
# %% combined
combined_model = tf.keras.Sequential([
    layers.Dense(64, kernel_regularizer=regularizers.l2(0.0001), activation='elu', input_shape=(FEATURES,)),
    layers.Dropout(0.5),
    layers.Dense(64, kernel_regularizer=regularizers.l2(0.0001), activation='elu'),
    layers.Dropout(0.5),
    layers.Dense(1),
])
size_histories['combined'] = compile_and_fit(combined_model, 'regularizers/combined')
plot(size_histories)
plt.show()
