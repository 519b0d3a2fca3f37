"""Old names of metrics in a history."""

import pytest

from grader.inside.keras2.history import Answering, modern_name


def test_accuracy_is_the_only_metric_with_an_old_name() -> None:
    assert [modern_name(key) for key in ("acc", "val_acc", "out_acc", "accuracy", "vacc", 3)] == [
        "accuracy", "val_accuracy", "out_accuracy", None, None, None,
    ]  # fmt: skip


def test_an_answering_dict_lists_what_it_holds_and_nothing_else() -> None:
    held = Answering({"accuracy": [0.5]})
    assert held["acc"] == [0.5]
    assert list(held) == ["accuracy"]
    assert held == {"accuracy": [0.5]}
    assert "val_acc" not in held
    with pytest.raises(KeyError, match="val_acc"):
        held["val_acc"]
