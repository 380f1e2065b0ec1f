"""Files that somebody named: read with limits, written whole or not at all, under safe names."""
