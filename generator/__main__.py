"""`python -m generator` is the command `runbook`."""

from generator.cli import main

main()
