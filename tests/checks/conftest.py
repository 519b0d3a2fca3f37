"""Property tests are not timed: several share the machine with trainings."""

from hypothesis import HealthCheck, settings

settings.register_profile("grader", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("grader")
