"""Finds submissions, unpacks them safely, and brings notebooks to one form."""
