"""Advice for exceptions: the texts are those that Keras 3.15, NumPy, Python and IPython write."""

import pytest

from grader.execution.advice import advice_for

KNOWN = [
    ("ValueError", "Argument(s) not recognized: {'lr': 0.001}", "learning_rate"),
    ("TypeError", "Adam.__init__() got an unexpected keyword argument 'lr'", "learning_rate"),
    ("AttributeError", "'Sequential' object has no attribute 'predict_classes'", "argmax"),
    ("AttributeError", "'Sequential' object has no attribute 'fit_generator'", "_generator"),
    ("AttributeError", "module 'numpy' has no attribute 'float'.\n`np.float` was a deprecated alias", "np.float64"),
    ("AttributeError", "module 'tensorflow' has no attribute 'placeholder'", "TensorFlow 1"),
    ("AttributeError", "'Mean' object has no attribute 'reset_states'", "reset_state()"),
    ("AttributeError", "'Adam' object has no attribute 'lr'", "optimizer.learning_rate"),
    ("KeyError", "'acc'", "accuracy"),
    ("KeyError", "'val_acc'", "accuracy"),
    ("KeyError", "'lr'", "learning_rate"),
    ("ImportError", "cannot import name 'np_utils' from 'keras.utils'", "to_categorical"),
    ("ModuleNotFoundError", "No module named 'keras.layers.normalization'", "keras.layers"),
    ("ModuleNotFoundError", "No module named 'winsound'", "Windows"),
    ("ModuleNotFoundError", "No module named 'torch'", "PyTorch"),
    ("ModuleNotFoundError", "No module named 'tensorflow_datasets'", "keras.datasets"),
    ("ModuleNotFoundError", "No module named 'cv2'", "environment"),
    ("FileNotFoundError", "[Errno 2] No such file or directory: '/content/drive/data.csv'", "relatively"),
    ("FileNotFoundError", "[Errno 2] No such file or directory: 'C:/Users/me/train.csv'", "relatively"),
    ("FileNotFoundError", "[Errno 2] No such file or directory: 'train.csv'", "handed in"),
    ("MemoryError", "", "memory"),
    ("StdinNotImplementedError", "raw_input was called, but this frontend does not support input requests.", "input()"),
    ("NameError", "name 'model' is not defined", "top to bottom"),
    ("UsageError", "Line magic function `%inline` not found.", "command"),
    ("Exception", "URL fetch failure on https://x: None -- [Errno -3] Temporary failure in name resolution", "network"),
    ("ValueError", "Computed output size would be negative. Received: `inputs.shape=(None, 2, 2, 8)`", "(3, 3)"),
    ("TypeError", "Dense.__init__() got an unexpected keyword argument 'border_mode'", "padding"),
]


@pytest.mark.parametrize(("name", "message", "said"), KNOWN)
def test_a_known_error_gets_the_modern_form(name: str, message: str, said: str) -> None:
    assert said in advice_for(name, message)


@pytest.mark.parametrize(
    ("name", "message"),
    [("ZeroDivisionError", "division by zero"), ("KeyError", "'accident'"), ("ValueError", "a clear error"), ("", "")],
)
def test_an_error_of_the_students_own_gets_none(name: str, message: str) -> None:
    assert advice_for(name, message) == ""
