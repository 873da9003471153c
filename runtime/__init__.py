"""What every Aisle process stands on: serving, inference, state, observability and settings."""
