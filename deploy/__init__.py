"""How Aisle is deployed."""
