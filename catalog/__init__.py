"""Reads a shop's catalogue from its own files and loads it through the gateway. A client, no more."""
