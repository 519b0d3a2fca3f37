"""Grades a class on many machines with Ray."""

import os

# Ray reports usage to its makers unless told otherwise; nobody asked for that here.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
