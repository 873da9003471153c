"""The model-serving services of Aisle; none knows another."""
