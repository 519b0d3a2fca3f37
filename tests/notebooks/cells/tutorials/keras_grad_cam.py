# %% setup
import numpy as np
import tensorflow as tf
import keras
import matplotlib as mpl
import matplotlib.pyplot as plt
# %% model
model_builder = keras.applications.mobilenet_v2.MobileNetV2
img_size = (48, 48)
preprocess_input = keras.applications.mobilenet_v2.preprocess_input
last_conv_layer_name = "Conv_1"
rng = np.random.default_rng(4)
keras.utils.save_img("elephant.png", rng.integers(0, 256, (48, 48, 3)).astype("uint8"), scale=False)
# %% algorithm
def get_img_array(img_path, size):
    img = keras.utils.load_img(img_path, target_size=size)
    array = keras.utils.img_to_array(img)
    return np.expand_dims(array, axis=0)

def make_gradcam_heatmap(img_array, model, last_conv_layer_name, pred_index=None):
    grad_model = keras.models.Model(model.inputs, [model.get_layer(last_conv_layer_name).output, model.output])
    with tf.GradientTape() as tape:
        last_conv_layer_output, preds = grad_model(img_array)
        if pred_index is None:
            pred_index = tf.argmax(preds[0])
        class_channel = preds[:, pred_index]
    grads = tape.gradient(class_channel, last_conv_layer_output)
    pooled_grads = tf.reduce_mean(grads, axis=(0, 1, 2))
    last_conv_layer_output = last_conv_layer_output[0]
    heatmap = last_conv_layer_output @ pooled_grads[..., tf.newaxis]
    heatmap = tf.squeeze(heatmap)
    heatmap = tf.maximum(heatmap, 0) / tf.math.reduce_max(heatmap)
    return heatmap.numpy()
# %% heatmap
img_array = preprocess_input(get_img_array("elephant.png", size=img_size))
model = model_builder(weights=None, alpha=0.35, input_shape=img_size + (3,))
model.layers[-1].activation = None
preds = model.predict(img_array)
heatmap = make_gradcam_heatmap(img_array, model, last_conv_layer_name)
plt.matshow(heatmap)
plt.show()
