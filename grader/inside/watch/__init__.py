"""Records trainings, loops, calls, models, figures and variables."""
