"""Words and characters as people misspell them."""
