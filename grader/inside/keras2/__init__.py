"""Keras 2 and older forms, with the meaning they had."""
