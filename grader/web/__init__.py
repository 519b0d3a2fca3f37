"""Pieces of the servers: the desk and the service share them."""
