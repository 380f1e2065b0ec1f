"""Files of every stage: which names survive every way of copying."""
