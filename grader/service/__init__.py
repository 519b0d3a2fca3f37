"""Grade uploaded notebooks over HTTP, one at a time through a queue."""
