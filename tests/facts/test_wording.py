"""The text helpers that checks of other packages may use."""

from grader.facts import wording


def test_the_helpers_write_as_messages_do() -> None:
    assert wording.number(12345) == "12,345"
    assert wording.decimal(0.123456) == "0.1235"
    assert wording.percent(0.9852) == "98.52 %"
    assert [wording.plural(1, "epoch"), wording.plural(2000, "epoch")] == ["1 epoch", "2,000 epochs"]
    assert wording.plural(2, "axis", "axes") == "2 axes"
    assert [wording.listed("ab"), wording.listed("abc", "or")] == ["a and b", "a, b, or c"]
    assert [wording.spoken_shape((None, 28)), wording.spoken_shape(None)] == ["any × 28", "an unknown shape"]
    assert wording.spoken_dataset("fashion_mnist") == "Fashion-MNIST"
    assert wording.spoken_split("train") == "training"
