"""Old names of metrics in a history."""

import pytest

from grader.inside.keras2.history import Answering, modern_name, other_name


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


def test_each_name_that_keras_changed_has_another_name() -> None:
    names = ("acc", "val_accuracy", "out_acc", "lr", "learning_rate", "loss", "vacc", "top_accuracy_5", 3)
    assert [other_name(name) for name in names] == [
        "accuracy", "val_acc", "out_accuracy", "learning_rate", "lr", None, None, None, None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("held", "asked"),
    [
        ("accuracy", "acc"),
        ("acc", "accuracy"),
        ("val_acc", "val_accuracy"),
        ("lr", "learning_rate"),
        ("learning_rate", "lr"),
    ],
)
def test_an_answering_dict_answers_both_names_and_lists_one(held: str, asked: str) -> None:
    history = Answering({held: [0.5]})
    assert history[asked] == history[held] == history.get(asked) == [0.5]
    assert asked in history
    assert (list(history), len(history), dict(**history)) == ([held], 1, {held: [0.5]})
    history.setdefault(asked, []).append(1.0)
    assert dict(history) == {held: [0.5], asked: [1.0]}


def test_a_name_that_is_held_itself_is_answered_with_its_own_value() -> None:
    history = Answering({"lr": [1.0], "learning_rate": [2.0], "acc": [3.0], "accuracy": [4.0]})
    assert [history[name][0] for name in history] == [1.0, 2.0, 3.0, 4.0]
