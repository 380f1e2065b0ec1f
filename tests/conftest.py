"""Fixtures shared by all tests; those of the simulated organisation lie in lab/fixtures.py."""

pytest_plugins = ["lab.fixtures"]
