"""The order of work: runbooks of the roles on hosts, their gates, the rollback, their texts."""
