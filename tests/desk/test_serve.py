"""The desk listens only to this machine."""

import pytest

from grader.desk.serve import bound
from grader.schema.errors import UsageError


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])  # noqa: S104 - refused
def test_addresses_that_other_machines_reach_are_refused(host: str) -> None:
    with pytest.raises(UsageError, match="reachable from other machines"):
        bound(0, host)


def test_a_free_port_is_found_and_a_used_one_is_named() -> None:
    with bound(0) as listener:
        address, port = listener.getsockname()
        assert address == "127.0.0.1"
        with pytest.raises(UsageError, match=f"port {port} cannot be used"):
            bound(port)
