# %% setup
import numpy as np
import tensorflow as tf
import matplotlib as mpl
import matplotlib.pyplot as plt
mpl.rcParams['figure.figsize'] = (8, 8)
mpl.rcParams['axes.grid'] = False
# %% model
pretrained_model = tf.keras.applications.MobileNetV2(
    include_top=True, weights=None, alpha=0.35, input_shape=(96, 96, 3))
pretrained_model.trainable = False
image_raw = np.random.default_rng(1).integers(0, 256, (96, 96, 3)).astype('uint8')

def preprocess(image):
    image = tf.cast(image, tf.float32)
    image = tf.image.resize(image, (96, 96))
    image = tf.keras.applications.mobilenet_v2.preprocess_input(image)
    return image[None, ...]

image = preprocess(image_raw)
image_probs = pretrained_model.predict(image)
plt.figure()
plt.imshow(image[0] * 0.5 + 0.5)
plt.title('{:.2f}% Confidence'.format(100 * image_probs.max()))
plt.show()
# %% gradient
loss_object = tf.keras.losses.CategoricalCrossentropy()

def create_adversarial_pattern(input_image, input_label):
    with tf.GradientTape() as tape:
        tape.watch(input_image)
        prediction = pretrained_model(input_image)
        loss = loss_object(input_label, prediction)
    gradient = tape.gradient(loss, input_image)
    return tf.sign(gradient)

label = tf.one_hot(208, image_probs.shape[-1])
label = tf.reshape(label, (1, image_probs.shape[-1]))
perturbations = create_adversarial_pattern(image, label)
plt.imshow(perturbations[0] * 0.5 + 0.5)
# %% attack
for eps in [0, 0.01, 0.1]:
    adv_x = image + eps * perturbations
    adv_x = tf.clip_by_value(adv_x, -1, 1)
    plt.figure()
    plt.imshow(adv_x[0] * 0.5 + 0.5)
    plt.title('{:.2f}% Confidence'.format(100 * pretrained_model.predict(adv_x).max()))
    plt.show()
