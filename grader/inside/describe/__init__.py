"""Descriptions of models, settings and arrays, as the record holds them."""
