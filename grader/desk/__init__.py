"""Serve the page in the browser for people who judge."""
