"""Where the data sets come from, and the labels."""
