"""The documents every room speaks, their versions, and the error tree."""
