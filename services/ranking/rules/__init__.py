"""Merchandising rules: what a merchant pins, boosts, buries and hides, read from a checked file."""
