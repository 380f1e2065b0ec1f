"""Turns a YAML inventory into reviewable PowerShell runbooks. Entry points: cli and pipeline."""

__version__ = "0.1.0"
