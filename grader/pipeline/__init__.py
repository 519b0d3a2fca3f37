"""Connect the packages: grade a submission or a class, regrade, and run a reference."""
