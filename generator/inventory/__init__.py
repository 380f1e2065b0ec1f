"""YAML -> `Inventory`, or every mistake in it: schema, cross-checks, servers, derived values."""
