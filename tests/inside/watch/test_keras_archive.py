"""The configuration of a saved model, read without Keras."""

from typing import Any

import pytest

from grader.inside.watch.keras_archive import needs_students_code


@pytest.mark.parametrize(
    ("config", "needs"),
    [
        ({"module": "keras.layers", "class_name": "Dense", "config": {}, "registered_name": None}, False),
        ({"module": "keras", "class_name": "DTypePolicy", "config": {}, "registered_name": "DTypePolicy"}, False),
        ({"module": None, "class_name": "MCDropout", "config": {}, "registered_name": "MCDropout"}, True),
        ({"module": "__main__", "class_name": "Net", "config": {}, "registered_name": "Net"}, True),
        ({"module": "keras.layers", "class_name": "Dense", "config": {"activation": {"module": "builtins",
          "class_name": "function", "config": "mine", "registered_name": "function"}}, "registered_name": None}, True),
        ({"module": "keras.layers", "class_name": "Lambda", "config": {}, "registered_name": None}, True),
        ({"module": "mine", "class_name": "A", "config": {}, "registered_name": "Mine>A"}, True),
    ],
)  # fmt: skip
def test_a_models_configuration_tells_whether_it_needs_the_students_code(config: Any, *, needs: bool) -> None:
    assert needs_students_code({"config": {"layers": [config]}, "class_name": "Sequential"}) is needs
