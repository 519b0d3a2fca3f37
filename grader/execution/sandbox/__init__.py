"""How a process is kept apart from this machine."""
