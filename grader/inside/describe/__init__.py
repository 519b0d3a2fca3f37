"""Descriptions of models, settings and arrays for the record."""
