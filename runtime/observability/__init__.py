"""Metrics, logs and stage clocks of every process."""
