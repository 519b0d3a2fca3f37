"""`python -m grader`."""

from grader.cli.app import main

main()
