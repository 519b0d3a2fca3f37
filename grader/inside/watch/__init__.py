"""What the recorder watches: trainings, loops, calls, models, figures, variables."""
