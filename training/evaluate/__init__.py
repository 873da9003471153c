"""Full-corpus evaluation of the published models, through the very index that serves."""
