"""Scripts of a plan: blocks of step files joined with header, facts and engine."""
