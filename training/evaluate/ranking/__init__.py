"""What the order of the demo shop is worth: the objectives against each other, and diversity against both."""
