"""How functions of Keras and TensorFlow are hooked, and how a hook never disturbs the notebook."""
