"""Trains, evaluates and publishes the model of what users turn to next."""
