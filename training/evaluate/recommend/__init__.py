"""Measures what is recommended next: on published sequence sets, and on the demo shop's held-out users."""
