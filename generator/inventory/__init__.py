"""YAML -> `Inventory`, or every mistake in it: structure, cross-checks, servers."""
