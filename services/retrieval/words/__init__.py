"""The words of the catalogue: which there are, how a misspelt one was meant, and how a begun one goes on."""
