"""The change package: one file that proves itself, on Windows and elsewhere, without a network."""
