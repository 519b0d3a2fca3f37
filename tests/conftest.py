"""What holds for all tests."""

import os

from hypothesis import HealthCheck, settings

# Property tests are not timed: they share the machine with trainings. Where a change is let in or not (`CI`), they try
# the same examples each time; everywhere else new ones.
settings.register_profile(
    "grader", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("grader")
