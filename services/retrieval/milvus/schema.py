"""The fields that a filter may name, checked before Milvus is asked."""

from collections.abc import Sequence

import numpy as np

from aisle.catalog.v1.product_pb2 import Product
from services.retrieval.conditions import conditions_of
from services.retrieval.filters.syntax import Filter
from services.retrieval.milvus import expressions
from services.retrieval.milvus.pool import declare, unsearched
from services.retrieval.rows import CatalogRows


class Schema:
    """One product of which nothing is known: a filter that can be decided for it can be decided for all."""

    def __init__(self, dimension: int) -> None:
        self._rows = CatalogRows(dimension)
        blank = Product(id="-")
        self._rows.put(unsearched(blank), np.zeros(dimension, np.float32))

    def expression(self, tree: Filter | None, attributes: Sequence[str]) -> str:
        """Return a filter as Milvus reads it, "" for none; `attributes` are the keys that products have.

        Raises InvalidArgument on a wrong field or type, naming `filter`.
        """
        if tree is None:
            return ""
        declare(self._rows.columns, attributes)
        conditions_of(tree, self._rows)
        return expressions.expression(tree)
