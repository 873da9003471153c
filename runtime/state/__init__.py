"""Durable events and the profiles read from them."""
