"""The cross-encoder: query and product read together; it teaches the bi-encoder and can re-rank its best."""
