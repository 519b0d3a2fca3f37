"""A folder for `sys.path`, with the module that Python imports at its start."""
