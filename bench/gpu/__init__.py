"""Measures the text models in process by provider, precision, batch and kind of run: the GPU table."""
