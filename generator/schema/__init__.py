"""YAML with the place of every value, and JSON Schema over it: verdicts as sentences."""
