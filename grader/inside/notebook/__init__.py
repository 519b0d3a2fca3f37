"""Stand-ins for what a notebook expects around it: Colab, magics, commands, paths, packages."""
