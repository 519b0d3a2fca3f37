"""The record of a notebook such as students write, run by a real kernel in both dialects."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow


def test_a(record: Any) -> None:
    print(record.errors)
    for e in record.events:
        print(json.dumps(e))
    assert 0
