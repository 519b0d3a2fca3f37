"""Replacements for the environment that a notebook expects: Colab, magics, commands, paths, packages."""
