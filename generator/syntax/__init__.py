"""What a piece of a script says: its syntax tree, the commands in it, the lists they are on."""
