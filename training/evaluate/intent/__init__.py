"""How well texts are understood: intents, slots and sentiment on real sets and the demo shop."""
