"""The error in a log that TensorFlow also writes to."""

from pathlib import Path

import pytest

from grader.execution.sandbox.processes import error_in_log

TENSORFLOW = """\
2026-11-29 20:09:11.120491: I tensorflow/core/util/port.cc:153] oneDNN custom operations are on.
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
E0000 00:00:1764446951.312 12 cuda_dnn.cc:8579] Unable to register cuDNN factory
To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow.
"""


@pytest.mark.parametrize(
    ("log", "error"),
    [
        (TENSORFLOW, ""),
        ("", ""),
        (f"Traceback (most recent call last):\n  File x\nModuleNotFoundError: No module named 'keras'\n{TENSORFLOW}",
         "ModuleNotFoundError: No module named 'keras'"),
        (f"{TENSORFLOW}json.decoder.DecodeError: Expecting value\n", "json.decoder.DecodeError: Expecting value"),
        ("bwrap: Creating new namespace failed: Operation not permitted\n",
         "bwrap: Creating new namespace failed: Operation not permitted"),
    ],
)  # fmt: skip
def test_the_error_of_a_log_is_found_among_the_lines_of_tensorflow(tmp_path: Path, log: str, error: str) -> None:
    file = tmp_path / "warm.log"
    file.write_text(log, encoding="utf-8")
    assert error_in_log(file) == error


def test_a_log_that_does_not_exist_has_no_error(tmp_path: Path) -> None:
    assert error_in_log(tmp_path / "gone.log") == ""
