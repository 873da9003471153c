"""Clients of the gateway to learn from: they know the contracts and nothing else."""
