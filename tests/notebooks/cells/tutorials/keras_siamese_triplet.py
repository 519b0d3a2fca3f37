# %% setup
import numpy as np
import tensorflow as tf
from tensorflow.keras import Model, applications, layers, losses, metrics, optimizers
from tensorflow.keras.applications import mobilenet_v2
# %% data
target_shape = (32, 32)
rng = np.random.RandomState(seed=32)
anchor_images = rng.uniform(size=(48, 32, 32, 3)).astype("float32")
positive_images = np.clip(anchor_images + 0.1, 0, 1)
negative_images = rng.permutation(anchor_images)
anchor_dataset = tf.data.Dataset.from_tensor_slices(anchor_images)
positive_dataset = tf.data.Dataset.from_tensor_slices(positive_images)
negative_dataset = tf.data.Dataset.from_tensor_slices(negative_images)

def preprocess_triplets(anchor, positive, negative):
    return tuple(tf.image.resize(image, target_shape) for image in (anchor, positive, negative))

dataset = tf.data.Dataset.zip((anchor_dataset, positive_dataset, negative_dataset))
dataset = dataset.shuffle(buffer_size=1024).map(preprocess_triplets)
train_dataset = dataset.take(32).batch(16, drop_remainder=False).prefetch(8)
val_dataset = dataset.skip(32).batch(16, drop_remainder=False).prefetch(8)
# %% embedding
base_cnn = applications.MobileNetV2(weights=None, input_shape=target_shape + (3,), alpha=0.35, include_top=False)
flatten = layers.Flatten()(base_cnn.output)
dense1 = layers.Dense(64, activation="relu")(flatten)
dense1 = layers.BatchNormalization()(dense1)
dense2 = layers.Dense(32, activation="relu")(dense1)
dense2 = layers.BatchNormalization()(dense2)
output = layers.Dense(32)(dense2)
embedding = Model(base_cnn.input, output, name="Embedding")
trainable = False
for layer in base_cnn.layers:
    if layer.name == "block_16_expand":
        trainable = True
    layer.trainable = trainable
# %% siamese
class DistanceLayer(layers.Layer):
    def call(self, anchor, positive, negative):
        ap_distance = tf.reduce_sum(tf.square(anchor - positive), -1)
        an_distance = tf.reduce_sum(tf.square(anchor - negative), -1)
        return (ap_distance, an_distance)

anchor_input = layers.Input(name="anchor", shape=target_shape + (3,))
positive_input = layers.Input(name="positive", shape=target_shape + (3,))
negative_input = layers.Input(name="negative", shape=target_shape + (3,))
distances = DistanceLayer()(
    embedding(mobilenet_v2.preprocess_input(anchor_input)),
    embedding(mobilenet_v2.preprocess_input(positive_input)),
    embedding(mobilenet_v2.preprocess_input(negative_input)),
)
siamese_network = Model(inputs=[anchor_input, positive_input, negative_input], outputs=distances)
# %% model
class SiameseModel(Model):
    def __init__(self, siamese_network, margin=0.5):
        super().__init__()
        self.siamese_network = siamese_network
        self.margin = margin
        self.loss_tracker = metrics.Mean(name="loss")

    def call(self, inputs):
        return self.siamese_network(inputs)

    def train_step(self, data):
        with tf.GradientTape() as tape:
            loss = self._compute_loss(data)
        gradients = tape.gradient(loss, self.siamese_network.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.siamese_network.trainable_weights))
        self.loss_tracker.update_state(loss)
        return {"loss": self.loss_tracker.result()}

    def test_step(self, data):
        loss = self._compute_loss(data)
        self.loss_tracker.update_state(loss)
        return {"loss": self.loss_tracker.result()}

    def _compute_loss(self, data):
        ap_distance, an_distance = self.siamese_network(data)
        loss = ap_distance - an_distance
        loss = tf.maximum(loss + self.margin, 0.0)
        return loss

    @property
    def metrics(self):
        return [self.loss_tracker]
# %% train
siamese_model = SiameseModel(siamese_network)
siamese_model.compile(optimizer=optimizers.Adam(0.0001), weighted_metrics=[])
siamese_model.fit(train_dataset, epochs=1, validation_data=val_dataset)
# %% inspect
sample = next(iter(train_dataset))
anchor, positive, negative = sample
anchor_embedding, positive_embedding, negative_embedding = (
    embedding(mobilenet_v2.preprocess_input(anchor)),
    embedding(mobilenet_v2.preprocess_input(positive)),
    embedding(mobilenet_v2.preprocess_input(negative)),
)
cosine_similarity = metrics.CosineSimilarity()
positive_similarity = cosine_similarity(anchor_embedding, positive_embedding)
print("Positive similarity:", positive_similarity.numpy())
