"""What stages hand to each other: an inventory, the plan made of it, the build made of that."""
