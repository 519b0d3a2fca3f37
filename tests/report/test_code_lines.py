"""The line of code that a message is about."""

import pytest

from grader.report.code_lines import code_line

BUILD = """import keras
net = keras.Sequential()
net.add(Conv2D(filters=384, kernel_size=(3, 3)))
net.add(Conv2D(filters=8, kernel_size=(10, 10)))
net.add(Dense(10, activation='sigmoid'))
net.add(Dropout(0.5))"""
TRAIN = """# train with x
net.compile('adam', loss='mse')
training = net.fit(x_train, y, epochs=4)
net.evaluate(x_test)"""


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (
            "The training in cell 8 used `x_train` with pixels from 0 to 255.",
            "training = net.fit(x_train, y, epochs=4)",
        ),
        ("`net` was trained for 4 epochs.", "training = net.fit(x_train, y, epochs=4)"),
        ("`net` was compiled with a wrong loss.", "net.compile('adam', loss='mse')"),
        ("`dropout` comes after the output of `net`.", "net.add(Dropout(0.5))"),
        ("`net` ends in 10 sigmoid outputs.", "net.add(Dense(10, activation='sigmoid'))"),
        (
            "The first convolution of `net`, `conv2d`, has 384 filters.",
            "net.add(Conv2D(filters=384, kernel_size=(3, 3)))",
        ),
        ("`net` has a large kernel: `conv2d_1` (10 × 10).", "net.add(Conv2D(filters=8, kernel_size=(10, 10)))"),
        ("The last layer of `net` is wide.", ""),
    ],
)
def test_the_line_with_the_names_of_the_message_is_found(message: str, line: str) -> None:
    assert code_line(message, [0, 1], {0: BUILD, 1: TRAIN}, {"net"}) == line


def test_a_long_line_is_cut() -> None:
    assert len(code_line("`x`", [0], {0: "value = x_y + " + "x" * 300})) <= 110


def test_a_cell_that_is_not_on_the_page_has_no_line() -> None:
    assert code_line("`x_train`", [7], {}) == ""
