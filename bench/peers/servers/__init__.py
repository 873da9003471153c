"""The peers as their guides write them; each runs in an environment of its own."""
