"""Large arrays go back to the machine when they are freed."""

import json
import subprocess
import sys

import pytest

_CODE = """
import json, numpy as np, psutil
from grader.cli.memory import give_memory_back
give_memory_back()
own = psutil.Process()
held = [np.ones(24 << 20, np.uint8) for _ in range(2)]
del held
small = []
before = own.memory_info().rss
for _ in range(8):
    held = [np.ones(24 << 20, np.uint8) for _ in range(4)]
    small.append(np.ones(1 << 18, np.uint8))
    del held
print(json.dumps(own.memory_info().rss - before))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux's C library")
def test_freed_arrays_are_not_kept() -> None:
    done = subprocess.run([sys.executable, "-c", _CODE], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) < 24 << 20
