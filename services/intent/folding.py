"""How a query is spelt before the model reads it: by `runtime.folding`, as retrieval spells it too."""

from runtime.folding import fold

__all__ = ["fold"]
