"""Read a course of nbgrader: its configuration, its source notebooks and its gradebook. Nothing of it is executed."""
