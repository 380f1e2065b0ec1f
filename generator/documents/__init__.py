"""What people read beside the runbooks: the run sheet, the plan as a listing, the graph."""
