"""The multi-task ranker: clicks, purchases and relevance learned from a shop's log."""
