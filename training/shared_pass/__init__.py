"""One pass for intent and retrieval: two encoders as one graph that holds what they have in common once."""
