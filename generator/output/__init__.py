"""The output folder: scripts, run sheet, manifest and hashes, whole or not at all."""
