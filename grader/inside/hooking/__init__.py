"""Hooks functions of Keras and TensorFlow without disturbing the notebook."""
