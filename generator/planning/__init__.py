"""The order of work: runbooks of the roles on hosts, their gates, the way back, their texts."""
