"""An inventory from its file: YAML with places, the schema, the cross-checks, derived values."""
