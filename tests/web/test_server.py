"""A port is reserved at once, and an occupied one is an error."""

import pytest

from grader.web.server import listening


def test_a_port_belongs_to_one_listener() -> None:
    with listening("127.0.0.1", 0, 1) as first:
        port = first.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            listening("127.0.0.1", port, 1)
