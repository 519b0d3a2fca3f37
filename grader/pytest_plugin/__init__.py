"""A plugin for pytest that shows each criterion of a notebook as a test; see `docs/pytest.md`."""
