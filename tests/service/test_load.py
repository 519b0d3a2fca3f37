"""The real service: many uploads at once, a kill in the middle, and an end that loses nothing."""

import signal
from pathlib import Path

import pytest

from tests.support.command import grader, needs_bubblewrap
from tests.support.serve_load import Load, an_upload, upload_at_once
from tests.support.waiting import until

UPLOADS = 50
WARM = 8
"""Results after which the memory of the service is measured first."""
MOST_GROWTH = 40.0
"""MiB that the memory of the service may grow from then on."""


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.bubblewrap
def test_fifty_uploads_at_once_and_a_kill_lose_nothing(tmp_path: Path) -> None:
    needs_bubblewrap()
    load = Load(tmp_path)
    with load.serving() as served:
        ids = upload_at_once(served, range(UPLOADS))
        until(lambda: served.count("done") >= WARM)
        warm = served.rss
        until(lambda: served.count("done") >= UPLOADS // 2)
        half = served.rss
        served.process.kill()
        served.process.wait()
    assert len(set(ids.values())) == UPLOADS
    with load.serving() as served:
        before = served.count("done")
        assert UPLOADS // 2 <= before < UPLOADS
        until(lambda: served.count("done") >= min(before + WARM, UPLOADS))
        warm_again = served.rss
        results = {number: served.wait(name) for number, name in ids.items()}
        end = served.rss
        # Sent again, none of them is executed again.
        student, content, points = an_upload(0)
        status, again = served.upload(student, content)
        assert (status, again["id"], again["result"]["score"]) == (200, ids[0], points)
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait() == 0
    print(f"memory in MiB: {warm:.0f} → {half:.0f}, after the kill {warm_again:.0f} → {end:.0f}")  # noqa: T201 - the figures
    for number, result in results.items():
        student, _, points = an_upload(number)
        assert (result["student"], result["result"]["status"]) == (student, "graded")
        assert (number, result["result"]["score"]) == (number, points)
    assert half - warm < MOST_GROWTH
    assert end - warm_again < MOST_GROWTH
    again = grader("regrade", load.out, env={"GRADER_DATA": str(load.rubric.parent / "data")})
    assert "graded again: 50, changed: 0" in again.out + again.err
