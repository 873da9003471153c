"""What every service must read alike in a text."""
